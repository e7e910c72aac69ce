using Layerbox.FileTree;
using Layerbox.Tests.Archive;

namespace Layerbox.Tests.SendStream;

/// <summary>Trees that a stream can say and a filesystem can hold, and what may happen to them, made from a seed.</summary>
internal sealed class RandomChanges(int seed)
{
    private const int MaxXattr = 2000; // more than one of btrfs's could not be stored

    private readonly Random _random = new(seed);

    /// <summary>The tree to start from.</summary>
    public Tree Make()
    {
        Tree tree = new RandomTree(seed).Make();
        foreach ((_, Inode inode) in tree.Walk().ToList())
            Tame(inode);
        foreach (Inode file in Files(tree))
            if (_random.Next(2) == 0)
                file.Content = Blocks();
        return tree;
    }

    /// <summary>Another tree: the same after some things happened to it.</summary>
    public Tree Change(Tree tree)
    {
        Tree changed = tree.Copy();
        for (int count = _random.Next(1, 12); count > 0; count--)
            ChangeOnce(changed);
        return changed;
    }

    private void ChangeOnce(Tree tree)
    {
        List<(Inode Folder, FileName Name, Inode Inode)> names = [.. tree.Walk().Where(e => !e.Key.IsRoot).Select(e => (tree.Find(e.Key.Parent)!, e.Key.Name, e.Value))];
        List<Inode> folders = [tree.Root, .. names.Select(n => n.Inode).Where(i => i.IsDirectory)];
        Inode folder = folders[_random.Next(folders.Count)];
        FileName free = new($"n{_random.Next(20)}");
        if (names.Count == 0)
        {
            folder.Add(free, Inode.File(0x1A4, Blocks()));
            return;
        }
        (Inode Folder, FileName Name, Inode Inode) one = names[_random.Next(names.Count)], other = names[_random.Next(names.Count)];
        switch (_random.Next(12))
        {
            case 0:
                one.Folder.Remove(one.Name);
                break;
            case 1 when folder.Child(free) is null && !Holds(one.Inode, folder): // moved
                one.Folder.Remove(one.Name);
                folder.Add(free, one.Inode);
                break;
            case 2 when !Holds(one.Inode, other.Folder) && !Holds(other.Inode, one.Folder): // swapped
                one.Folder.Remove(one.Name);
                if (other.Folder.Remove(other.Name))
                    other.Folder.Add(other.Name, one.Inode);
                one.Folder.Add(one.Name, other.Inode);
                break;
            case 3: // another kind of thing, or a new one of the same
                one.Folder.Remove(one.Name);
                one.Folder.Add(one.Name, NewInode());
                break;
            case 4 when !one.Inode.IsDirectory && folder.Child(free) is null: // hard link
                folder.Add(free, one.Inode);
                break;
            case 5 when !one.Inode.IsDirectory: // split
                one.Folder.Remove(one.Name);
                one.Folder.Add(one.Name, one.Inode.CopyWithoutChildren());
                break;
            case 6:
                Decorate(_random.Next(8) == 0 ? tree.Root : one.Inode);
                break;
            case 7 when one.Inode.IsDirectory && names.FirstOrDefault(n => n.Folder == one.Inode && n.Inode.IsDirectory) is { Inode: { } child } below: // inverted
                one.Folder.Remove(one.Name);
                one.Inode.Remove(below.Name);
                one.Folder.Add(one.Name, child);
                if (child.Child(below.Name) is null)
                    child.Add(below.Name, one.Inode);
                break;
            case 8 when folder.Child(free) is null:
                folder.Add(free, NewInode());
                break;
            default:
                if (Files(tree) is { Count: > 0 } files)
                    Rewrite(files);
                break;
        }
    }

    private static bool Holds(Inode directory, Inode other) => ReferenceEquals(directory, other) || directory.Children.Any(child => Holds(child.Value, other));

    private static List<Inode> Files(Tree tree) => [.. tree.Walk().Select(e => e.Value).Where(i => i.Content is not null).Distinct()];

    private void Rewrite(List<Inode> files)
    {
        Inode file = files[_random.Next(files.Count)];
        byte[] bytes = [.. ((MemoryContent)file.Content!).Bytes];
        if (_random.Next(5) == 0)
            bytes = [.. ((MemoryContent)files[_random.Next(files.Count)].Content!).Bytes];
        if (_random.Next(3) == 0)
            Array.Resize(ref bytes, _random.Next(2) == 0 ? _random.Next(60_000) : _random.Next(200_000));
        for (int count = _random.Next(4); count > 0 && bytes.Length > 0; count--)
        {
            int start = _random.Next(bytes.Length), length = Math.Min(bytes.Length - start, _random.Next(3) == 0 ? _random.Next(100_000) : _random.Next(1, 9000));
            if (_random.Next(2) == 0)
                bytes.AsSpan(start, length).Clear();
            else
                _random.NextBytes(bytes.AsSpan(start, length));
        }
        file.Content = new MemoryContent(bytes);
    }

    private MemoryContent Blocks()
    {
        byte[] bytes = new byte[_random.Next(4) == 0 ? _random.Next(180_000) : _random.Next(20_000)];
        for (int at = 0; at < bytes.Length; at += 4096)
            if (_random.Next(3) > 0)
                bytes.AsSpan(at, Math.Min(4096, bytes.Length - at)).Fill((byte)_random.Next(1, 5));
        return new MemoryContent(bytes);
    }

    private Inode NewInode()
    {
        Inode inode = _random.Next(7) switch
        {
            0 => Inode.Symlink([(byte)_random.Next(1, 256)]),
            1 => Inode.Device(_random.Next(2) == 0, 0x180, (uint)_random.Next(300), (uint)_random.Next(300)),
            2 => Inode.Fifo(0x1A4),
            3 => Inode.Socket(0x1ED),
            4 => Inode.Directory(0x1ED),
            _ => Inode.File(0x1A4, Blocks()),
        };
        Decorate(inode);
        return inode;
    }

    private void Decorate(Inode inode)
    {
        for (int count = _random.Next(1, 4); count > 0; count--)
            switch (_random.Next(5))
            {
                case 0 when inode.Kind != FileKind.Symlink: inode.Mode = (uint)_random.Next(0x1000); break;
                case 1: (inode.Uid, inode.Gid) = ((uint)_random.Next(3), (uint)_random.Next(3)); break;
                case 2: inode.ModificationTime = new Timestamp(_random.Next(), (uint)_random.Next(1_000_000_000)); break;
                case 3 when inode.Content is not null: inode.Xattrs = inode.Xattrs.With("security.capability"u8.ToArray(), Capability()); break;
                default: inode.Xattrs = inode.Xattrs.Count > 0 && _random.Next(2) == 0 ? XattrSet.Empty : inode.Xattrs.With([.. "user."u8, (byte)_random.Next(97, 100)], [1, 2, (byte)_random.Next(3)]); break;
            }
        Tame(inode);
    }

    // struct vfs_cap_data of revision 2, with one permitted capability
    private byte[] Capability() => [1, 0, 0, 2, (byte)(1 << _random.Next(8)), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    // Only files and directories have attributes of users, and btrfs holds small ones.
    private static void Tame(Inode inode) => inode.Xattrs = inode.Kind is FileKind.File or FileKind.Directory
        ? XattrSet.From(inode.Xattrs.Items.Where(xattr => xattr.Value.Length <= MaxXattr))
        : XattrSet.Empty;
}
