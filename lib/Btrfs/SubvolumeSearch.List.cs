using System.Buffers.Binary;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>A subvolume and where it is. What the path is relative to is said by who hands it out.</summary>
public sealed record SubvolumeEntry(string Path, SubvolumeInfo Info);

public static unsafe partial class SubvolumeSearch
{
    // BTRFS_IOC_INO_LOOKUP = _IOWR(0x94, 18, struct btrfs_ioctl_ino_lookup_args)
    private const nuint BTRFS_IOC_INO_LOOKUP = 0xD0009412;

    // linux/btrfs_tree.h
    private const ulong BTRFS_ROOT_TREE_OBJECTID = 1, BTRFS_ROOT_TREE_DIR_OBJECTID = 6,
        BTRFS_FIRST_FREE_OBJECTID = 256, BTRFS_LAST_FREE_OBJECTID = unchecked((ulong)-256);
    private const uint BTRFS_DIR_ITEM_KEY = 84, BTRFS_ROOT_ITEM_KEY = 132, BTRFS_ROOT_BACKREF_KEY = 144;

    /// <summary>
    /// All subvolumes of the filesystem that holds the path but its top level, by id, with paths from the top level whatever is
    /// mounted. Without CAP_SYS_ADMIN: those that can be reached below the root of the mount, with paths from there.
    /// </summary>
    public static IReadOnlyList<SubvolumeEntry> List(string path)
    {
        using SafeFileHandle directory = Directories.Open(path);
        try
        {
            return ListAll(directory, path);
        }
        catch (PosixException e) when (e.Errno == Errno.EPERM)
        {
            return ListReachable(path);
        }
    }

    /// <summary>The id of the default subvolume: the location that the entry "default" of the root tree's directory names.</summary>
    internal static ulong Default(SafeFileHandle directory, string path)
    {
        // struct btrfs_dir_item { struct btrfs_disk_key location {u64 objectid; u8 type; u64 offset}; u64 transid; u16 data_len, name_len; u8 type; } name
        const int NameLengthOffset = 27, NameOffset = 30;
        foreach (TreeItem item in new SubvolumeTreeSearch(directory, path, new SearchArgsV2
        {
            TreeId = BTRFS_ROOT_TREE_OBJECTID,
            MinObjectId = BTRFS_ROOT_TREE_DIR_OBJECTID,
            MaxObjectId = BTRFS_ROOT_TREE_DIR_OBJECTID,
            MinType = BTRFS_DIR_ITEM_KEY,
            MaxType = BTRFS_DIR_ITEM_KEY,
            MaxOffset = ulong.MaxValue,
        }))
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(item.Data[NameLengthOffset..]);
            if (item.Data.Slice(NameOffset, length).SequenceEqual("default"u8))
                return item.UInt64(0);
        }
        return SubvolumeInfo.TopLevelId;
    }

    private static List<SubvolumeEntry> ListAll(SafeFileHandle directory, string path)
    {
        // struct btrfs_root_ref { u64 dirid, sequence; u16 name_len; } name
        const int NameLengthOffset = 16, NameOffset = 18;
        List<SubvolumeInfo> found = [];
        byte[] root = [];
        foreach (TreeItem item in new SubvolumeTreeSearch(directory, path, new SearchArgsV2
        {
            TreeId = BTRFS_ROOT_TREE_OBJECTID,
            MinObjectId = BTRFS_FIRST_FREE_OBJECTID,
            MaxObjectId = BTRFS_LAST_FREE_OBJECTID,
            MinType = BTRFS_ROOT_ITEM_KEY,
            MaxType = BTRFS_ROOT_BACKREF_KEY,
            MaxOffset = ulong.MaxValue,
        }))
        {
            // The item of a root comes before its back reference; one that is deleted and not yet cleaned away has none.
            if (item.Type == BTRFS_ROOT_ITEM_KEY)
                root = item.Data.ToArray();
            else if (item.Type == BTRFS_ROOT_BACKREF_KEY)
            {
                int length = BinaryPrimitives.ReadUInt16LittleEndian(item.Data[NameLengthOffset..]);
                found.Add(ReadRootItem(root, item.ObjectId, parent: item.Offset, item.UInt64(0), item.Data.Slice(NameOffset, length)));
            }
        }
        return Located(found, directory, path);
    }

    // struct btrfs_root_item, packed; what follows generation_v2 is valid only where an aware kernel wrote it last.
    private static SubvolumeInfo ReadRootItem(ReadOnlySpan<byte> item, ulong id, ulong parent, ulong directory, ReadOnlySpan<byte> name)
    {
        const int Generation = 160, Flags = 208, GenerationV2 = 239, Uuid = 247, ParentUuid = 263, ReceivedUuid = 279,
            Transids = 295, Times = 327, TimeSize = 12, Size = 439;
        Span<byte> whole = stackalloc byte[Size];
        whole.Clear();
        item[..Math.Min(item.Length, Size)].CopyTo(whole);
        if (!whole.Slice(Generation, 8).SequenceEqual(whole.Slice(GenerationV2, 8)))
            whole[GenerationV2..].Clear();
        return new SubvolumeInfo
        {
            Id = id,
            ParentId = parent,
            DirectoryInode = directory,
            Name = name.ToArray(),
            Uuid = new Guid(whole.Slice(Uuid, 16), bigEndian: true),
            ParentUuid = SubvolumeInfo.ReadUuid(whole.Slice(ParentUuid, 16)),
            ReceivedUuid = SubvolumeInfo.ReadUuid(whole.Slice(ReceivedUuid, 16)),
            Generation = BinaryPrimitives.ReadUInt64LittleEndian(whole[Generation..]),
            Flags = BinaryPrimitives.ReadUInt64LittleEndian(whole[Flags..]),
            Changed = Event(whole, 0),
            Created = Event(whole, 1),
            Sent = Event(whole, 2),
            Received = Event(whole, 3),
        };

        static SubvolumeEvent Event(ReadOnlySpan<byte> item, int index)
        {
            ReadOnlySpan<byte> time = item[(Times + (index * TimeSize))..];
            return new SubvolumeEvent(
                BinaryPrimitives.ReadUInt64LittleEndian(item[(Transids + (index * 8))..]),
                new SubvolumeTime(BinaryPrimitives.ReadInt64LittleEndian(time), BinaryPrimitives.ReadUInt32LittleEndian(time[8..])));
        }
    }

    // Paths need the names of plain directories too, which the kernel looks up; most subvolumes share theirs with others.
    private static List<SubvolumeEntry> Located(List<SubvolumeInfo> found, SafeFileHandle directory, string path)
    {
        Dictionary<ulong, SubvolumeInfo> byId = found.ToDictionary(info => info.Id);
        Dictionary<ulong, byte[]?> paths = new() { [SubvolumeInfo.TopLevelId] = [] };
        Dictionary<(ulong Tree, ulong Directory), byte[]?> directories = [];
        Stack<SubvolumeInfo> pending = [];
        List<SubvolumeEntry> entries = [];
        foreach (SubvolumeInfo info in found)
        {
            for (SubvolumeInfo? at = info; at is not null && !paths.ContainsKey(at.Id); at = byId.GetValueOrDefault(at.ParentId))
                pending.Push(at);
            while (pending.TryPop(out SubvolumeInfo? at))
            {
                (ulong Tree, ulong Directory) key = (at.ParentId, at.DirectoryInode);
                if (!directories.TryGetValue(key, out byte[]? above))
                    directories[key] = above = DirectoryPath(directory, key.Tree, key.Directory, path);
                paths[at.Id] = above is not null && paths.GetValueOrDefault(at.ParentId) is { } outer ? Join(Join(outer, above), at.Name) : null;
            }
            if (paths[info.Id] is { } located)
                entries.Add(new SubvolumeEntry(PathText.FromBytes(located), info));
        }
        return entries;
    }

    private static byte[] Join(byte[] above, byte[] below) =>
        above is [] ? below : below is [] ? above : [.. above, (byte)'/', .. below];

    /// <summary>The path of a directory from the root of its subvolume; null when it went away.</summary>
    private static byte[]? DirectoryPath(SafeFileHandle anywhere, ulong tree, ulong inode, string path)
    {
        if (inode == BTRFS_FIRST_FREE_OBJECTID)
            return [];
        InoLookupArgs args = new() { TreeId = tree, ObjectId = inode };
        try
        {
            SubvolumeIoctl.Run(anywhere, BTRFS_IOC_INO_LOOKUP, ref args, "inode lookup", path);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
        ReadOnlySpan<byte> found = new(args.Path, InoLookupArgs.PathMax);
        return found[..found.IndexOf((byte)0)].TrimEnd((byte)'/').ToArray();
    }

    /// <summary>What a user without privilege can list: the subvolumes below the mount's root that he can open.</summary>
    internal static IReadOnlyList<SubvolumeEntry> ListReachable(string path)
    {
        List<SubvolumeEntry> entries = [];
        using SafeFileHandle root = MountRoot(path);
        AddInside(root, "", path, entries);
        entries.Sort((a, b) => a.Info.Id.CompareTo(b.Info.Id));
        return entries;
    }

    private static void AddInside(SafeFileHandle subvolume, string prefix, string path, List<SubvolumeEntry> entries)
    {
        foreach (Child child in Children(subvolume, path, onlyReadable: true))
        {
            try
            {
                using SafeFileHandle opened = OpenBelow(subvolume, child.RelativePath, path);
                if (!Subvolume.IsSubvolume(opened, path) || Subvolume.Info(opened, path) is not { } info || info.Id != child.Id)
                    continue;
                string childPath = Path.Join(prefix, PathText.FromBytes(child.RelativePath));
                entries.Add(new SubvolumeEntry(childPath, info));
                AddInside(opened, childPath, path, entries);
            }
            catch (PosixException e) when (e.Errno is Errno.EACCES or Errno.ENOENT)
            {
                // Not his to see, or gone meanwhile.
            }
        }
    }

    /// <summary>The highest directory above the path that is on the same btrfs.</summary>
    private static SafeFileHandle MountRoot(string path)
    {
        SafeFileHandle current = Directories.Open(path);
        Guid filesystem = Subvolume.FilesystemUuid(current, path);
        while (Above(current) is { } above)
        {
            current.Dispose();
            current = above;
        }
        return current;

        SafeFileHandle? Above(SafeFileHandle directory)
        {
            SafeFileHandle? above = null;
            try
            {
                above = Directories.Open(directory, ".."u8);
                FileStatus here = Files.Status(directory), there = Files.Status(above);
                bool isSame = (here.Inode, here.DevMajor, here.DevMinor) == (there.Inode, there.DevMajor, there.DevMinor);
                if (!isSame && Subvolume.FilesystemUuid(above, path) == filesystem)
                    return above;
            }
            catch (PosixException e) when (e.Errno is Errno.EACCES or Errno.ENOTTY)
            {
                // As high as one can see.
            }
            above?.Dispose();
            return null;
        }
    }
}
