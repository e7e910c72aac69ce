using Layerbox.FileTree;

namespace Layerbox.Tests.Archive;

/// <summary>Trees with everything that an archive can hold, made from a seed.</summary>
internal sealed class RandomTree(int seed)
{
    private readonly Random _random = new(seed);
    private readonly List<Inode> _linkable = [];

    public Tree Make()
    {
        Tree tree = new();
        Fill(tree.Root, 0);
        Decorate(tree.Root);
        return tree;
    }

    private void Fill(Inode directory, int depth)
    {
        for (int count = _random.Next(depth == 0 ? 12 : 5); count > 0; count--)
        {
            FileName name = new(Name());
            if (directory.Child(name) is not null)
                continue;
            bool isLink = _linkable.Count > 0 && _random.Next(8) == 0;
            Inode inode = isLink ? _linkable[_random.Next(_linkable.Count)] : NewInode();
            directory.Add(name, inode);
            if (isLink)
                continue;
            Decorate(inode);
            if (inode.IsDirectory && depth < 12)
                Fill(inode, depth + 1);
            else if (!inode.IsDirectory)
                _linkable.Add(inode);
        }
    }

    private byte[] Name()
    {
        byte[] name = Bytes(_random.Next(6) == 0 ? _random.Next(90, 256) : _random.Next(1, 12));
        for (int i = 0; i < name.Length; i++)
            if (name[i] is 0 or (byte)'/' or (byte)'.')
                name[i] = (byte)'n';
        return name;
    }

    private Inode NewInode()
    {
        uint mode = (uint)_random.Next(0x1000);
        return _random.Next(8) switch
        {
            0 => Inode.Symlink([.. Enumerable.Repeat((byte)_random.Next(1, 256), _random.Next(1, _random.Next(3) == 0 ? 4096 : 110))]),
            1 => Inode.Device(_random.Next(2) == 0, mode, (uint)_random.Next(4096), (uint)_random.Next(1 << 20)),
            2 => Inode.Fifo(mode),
            3 or 4 => Inode.File(mode, new MemoryContent(Bytes(_random.Next(5000)))),
            _ => Inode.Directory(mode),
        };
    }

    private void Decorate(Inode inode)
    {
        inode.Uid = Id();
        inode.Gid = Id();
        inode.ModificationTime = new Timestamp(
            _random.Next(4) == 0 ? _random.NextInt64(-1L << 40, 1L << 40) : _random.Next(),
            _random.Next(3) == 0 ? (uint)_random.Next(1_000_000_000) : 0);
        for (int count = _random.Next(10) - 7; count > 0; count--)
            inode.Xattrs = inode.Xattrs.With([.. "user."u8, .. Name().AsSpan().Slice(0, 1)], Bytes(_random.Next(_random.Next(3) == 0 ? 65537 : 100)));
    }

    private uint Id() => _random.Next(4) == 0 ? (uint)_random.NextInt64(uint.MaxValue) : (uint)_random.Next(70000);

    private byte[] Bytes(int length)
    {
        byte[] bytes = new byte[length];
        _random.NextBytes(bytes);
        return bytes;
    }
}
