using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>An item of a btrfs tree: its key and its bytes as they are on disk (little-endian).</summary>
internal readonly ref struct TreeItem(SearchHeader header, ReadOnlySpan<byte> data)
{
    public ulong ObjectId { get; } = header.ObjectId;
    public uint Type { get; } = header.Type;
    public ulong Offset { get; } = header.Offset;
    public ReadOnlySpan<byte> Data { get; } = data;

    public ulong UInt64(int at) => BinaryPrimitives.ReadUInt64LittleEndian(Data[at..]);
}

/// <summary>Walks all items of a btrfs tree between two keys (BTRFS_IOC_TREE_SEARCH_V2); needs CAP_SYS_ADMIN.</summary>
internal ref struct SubvolumeTreeSearch
{
    // BTRFS_IOC_TREE_SEARCH_V2 = _IOWR(0x94, 17, struct btrfs_ioctl_search_args_v2)
    private const nuint BTRFS_IOC_TREE_SEARCH_V2 = 0xC0709411;
    private const int BufferSize = 256 * 1024;

    private readonly SafeFileHandle _directory;
    private readonly string _path;
    private readonly SearchArgsV2 _range;
    private readonly byte[] _buffer = new byte[Unsafe.SizeOf<SearchArgsV2>() + BufferSize];
    private uint _left;
    private int _at;
    private SearchHeader _last;
    private bool _hasBegun;

    /// <param name="directory">Any directory of the filesystem.</param>
    /// <param name="path">Its path, for errors.</param>
    /// <param name="range">The tree, and the ends of the range of keys, both included.</param>
    public SubvolumeTreeSearch(SafeFileHandle directory, string path, SearchArgsV2 range) =>
        (_directory, _path, _range) = (directory, path, range);

    public readonly TreeItem Current => new(_last, _buffer.AsSpan(_at - (int)_last.Length, (int)_last.Length));

    public readonly SubvolumeTreeSearch GetEnumerator() => this;

    public bool MoveNext()
    {
        if (_left == 0 && !Fetch())
            return false;
        _last = MemoryMarshal.Read<SearchHeader>(_buffer.AsSpan(_at));
        _at += Unsafe.SizeOf<SearchHeader>() + (int)_last.Length;
        _left--;
        return true;
    }

    private bool Fetch()
    {
        ref SearchArgsV2 args = ref MemoryMarshal.AsRef<SearchArgsV2>(_buffer.AsSpan());
        args = _range;
        args.MaxTransid = ulong.MaxValue;
        args.ItemCount = uint.MaxValue;
        args.BufferSize = BufferSize;
        if (_hasBegun)
        {
            // The key after the last one seen: keys are 136-bit numbers (objectid, type, offset).
            (args.MinObjectId, args.MinType, args.MinOffset) = (_last.ObjectId, _last.Type, _last.Offset + 1);
            if (args.MinOffset == 0 && ++args.MinType > byte.MaxValue)
                (args.MinObjectId, args.MinType) = (_last.ObjectId + 1, 0);
            if ((args.MinObjectId, args.MinType, args.MinOffset).CompareTo((_range.MaxObjectId, _range.MaxType, _range.MaxOffset)) > 0)
                return false;
        }
        _hasBegun = true;
        SubvolumeIoctl.Run(_directory, BTRFS_IOC_TREE_SEARCH_V2, ref args, "tree search", _path);
        _left = args.ItemCount;
        _at = Unsafe.SizeOf<SearchArgsV2>();
        return _left > 0;
    }
}
