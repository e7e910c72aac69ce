using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>Puts the blocks of an archive together to members: extended headers and long names first, then the header, then the bytes.</summary>
internal sealed class TarMemberReader(TarInput input, ContentStore store)
{
    private static readonly MemoryContent s_empty = new([]);

    private readonly byte[] _header = new byte[TarFormat.BlockSize];
    private PaxAttributes _global = new();
    private PaxAttributes? _attributes;
    private byte[]? _longName;
    private byte[]? _longLink;
    private long _offset;
    private byte[]? _name;

    /// <summary>The next member; null at the end.</summary>
    public TarEntry? Next()
    {
        (_attributes, _longName, _longLink, _name) = (null, null, null, null);
        try
        {
            return ReadMember();
        }
        catch (TarDefect defect)
        {
            string member = _name is null ? "" : $"member '{BytesText.Escape(_name)}': ";
            throw new InvalidDataException($"tar: offset {defect.Offset ?? _offset}: {member}{defect.Message}");
        }
    }

    private TarEntry? ReadMember()
    {
        while (TakeHeader())
        {
            TarHeader header = new(_header);
            switch (header.Type)
            {
                case (byte)'x' or (byte)'X': // the latter is Solaris's
                    (_attributes ??= _global.Copy()).Apply(TakeExtension(header, TarFormat.MaxExtendedHeader, "an extended header"));
                    break;
                case (byte)'g':
                    _global = _global.Copy();
                    _global.Apply(TakeExtension(header, TarFormat.MaxExtendedHeader, "an extended header"));
                    break;
                case (byte)'L':
                    _longName = TakeLongName(header);
                    break;
                case (byte)'K':
                    _longLink = TakeLongName(header);
                    break;
                case (byte)'V': // the name of the volume: about the archive, not about a file
                    SkipData(header.Size);
                    break;
                default:
                    return TakeMember(header);
            }
        }
        if (_attributes is not null || _longName is not null || _longLink is not null)
            throw new TarDefect("the archive ends after an extended header", input.Offset);
        return null;
    }

    private bool TakeHeader()
    {
        _offset = input.Offset;
        if (!input.TryTakeBlock(_header))
            return false; // GNU tar, too, takes an end between members for the end
        if (_header.AsSpan().ContainsAnyExcept((byte)0))
        {
            if (TarHeader.IsHeader(_header))
                return true;
            throw new TarDefect("this is no tar header: its checksum is wrong");
        }
        CheckEnd();
        return false;
    }

    /// <summary>After the first zero block nothing but zeros may follow: something else is an archive cut and glued, or not all of ours.</summary>
    private void CheckEnd()
    {
        while (input.Peek(1).Length > 0)
        {
            long offset = input.Offset;
            ReadOnlySpan<byte> piece = input.Take(long.MaxValue);
            if (piece.IndexOfAnyExcept((byte)0) is >= 0 and var at)
                throw new TarDefect("data follows the end of the archive", offset + at);
        }
    }

    private byte[] TakeExtension(TarHeader header, int limit, string what)
    {
        long size = header.Size;
        if (size > limit)
            throw new TarDefect($"{what} of {size} bytes; at most {limit} are accepted");
        byte[] bytes = input.TakeArray((int)size);
        input.Skip(TarFormat.Padding(size));
        return bytes;
    }

    private byte[] TakeLongName(TarHeader header)
    {
        byte[] name = TakeExtension(header, TarFormat.MaxLongName, "a long name");
        int end = name.AsSpan().IndexOf((byte)0);
        return end < 0 ? name : name[..end];
    }

    private TarEntry TakeMember(TarHeader header)
    {
        PaxAttributes attributes = _attributes ?? _global;
        byte[] name = _name = attributes.SparseName ?? attributes.Path ?? _longName ?? header.Name;
        TreePath path = ParsePath(name);
        TarEntry entry = new(path, null, null)
        {
            UserName = attributes.UserName ?? header.UserName,
            GroupName = attributes.GroupName ?? header.GroupName,
            Offset = _offset,
        };
        if (header.Type == '1')
            return entry with { HardLinkTo = ParsePath(LinkName(header, attributes)), Inode = LinkedFile(header, attributes) };
        return entry with { Inode = WithMetadata(NewInode(header, attributes, name), header, attributes) };
    }

    private Inode NewInode(TarHeader header, PaxAttributes attributes, byte[] name)
    {
        switch (header.Type)
        {
            case 0 or (byte)'0' or (byte)'7':
                if (name[^1] == '/') // how v7 marks directories
                {
                    SkipData(StoredSize(header, attributes));
                    return Inode.Directory(header.Mode);
                }
                return Inode.File(header.Mode, attributes.IsSparse ? TakeSparse(header, attributes) : TakeContent(StoredSize(header, attributes)));
            case (byte)'S':
                return Inode.File(header.Mode, TakeOldSparse(header, attributes));
            case (byte)'2':
                return Inode.Symlink(CheckTarget(LinkName(header, attributes)));
            case (byte)'3' or (byte)'4':
                return Inode.Device(header.Type == '4', header.Mode, header.DeviceMajor, header.DeviceMinor);
            case (byte)'5':
                return Inode.Directory(header.Mode); // a size here is room reserved, not data
            case (byte)'D': // GNU tar --incremental: the data is a list of names
                SkipData(StoredSize(header, attributes));
                return Inode.Directory(header.Mode);
            case (byte)'6':
                return Inode.Fifo(header.Mode);
            default:
                throw new TarDefect($"members of type '{BytesText.Escape([header.Type])}' are not supported");
        }
    }

    private static Inode WithMetadata(Inode inode, TarHeader header, PaxAttributes attributes)
    {
        inode.Uid = attributes.Uid ?? header.Uid;
        inode.Gid = attributes.Gid ?? header.Gid;
        inode.ModificationTime = attributes.ModificationTime ?? header.ModificationTime;
        inode.Xattrs = attributes.Xattrs;
        if (attributes.AclMode is { } bits)
            inode.Mode = (inode.Mode & ~0x1FFu) | bits;
        return inode;
    }

    /// <summary>
    /// A hard link's own bytes, if it has them. pax -o linkdata stores them; old tars only say the size and store nothing. In pax
    /// archives the size is right; in others what follows tells: a header means that there are no bytes.
    /// </summary>
    private Inode? LinkedFile(TarHeader header, PaxAttributes attributes)
    {
        long size = StoredSize(header, attributes);
        if (size == 0)
            return null;
        if (_attributes is null)
        {
            ReadOnlySpan<byte> next = input.Peek(TarFormat.BlockSize);
            if (next.Length < TarFormat.BlockSize || !next.ContainsAnyExcept((byte)0) || TarHeader.IsHeader(next))
                return null;
        }
        return WithMetadata(Inode.File(header.Mode, TakeContent(size)), header, attributes);
    }

    private byte[] LinkName(TarHeader header, PaxAttributes attributes) => attributes.LinkPath ?? _longLink ?? header.LinkName;

    private static long StoredSize(TarHeader header, PaxAttributes attributes) => attributes.Size ?? header.Size;

    private FileContent TakeContent(long size)
    {
        if (size == 0)
            return s_empty;
        using ContentWriter writer = store.Create();
        CopyData(writer, 0, size);
        input.Skip(TarFormat.Padding(size));
        return writer.Complete();
    }

    private void CopyData(ContentWriter writer, long offset, long length)
    {
        for (long end = offset + length; offset < end;)
        {
            ReadOnlySpan<byte> piece = input.Take(end - offset);
            writer.Write(offset, piece);
            offset += piece.Length;
        }
    }

    private FileContent TakeSparse(TarHeader header, PaxAttributes attributes)
    {
        long stored = StoredSize(header, attributes);
        if (attributes.SparseSize is not { } realSize)
            throw new TarDefect("a sparse file without its real size");
        switch (attributes.SparseMajor)
        {
            case null or 0:
                return TakeRuns(SparseMap.FromPairs(attributes.SparseMap ?? []), realSize, stored, stored);
            case 1:
                List<Extent> runs = SparseMap.FromData(input, stored, out long taken);
                return TakeRuns(runs, realSize, stored - taken, stored);
            default:
                throw new TarDefect($"sparse format {attributes.SparseMajor} is not supported");
        }
    }

    private FileContent TakeOldSparse(TarHeader header, PaxAttributes attributes)
    {
        long stored = StoredSize(header, attributes);
        long realSize = header.Number(483..495, "real size of a sparse file");
        return TakeRuns(SparseMap.FromOldGnu(_header, input), realSize, stored, stored);
    }

    private FileContent TakeRuns(List<Extent> runs, long realSize, long data, long stored)
    {
        SparseMap.Check(runs, realSize, data);
        using ContentWriter writer = store.Create();
        foreach (Extent run in runs)
            CopyData(writer, run.Offset, run.Length);
        if (writer.Size < realSize)
            writer.SetSize(realSize);
        input.Skip(TarFormat.Padding(stored));
        return writer.Complete();
    }

    private void SkipData(long size)
    {
        input.Skip(size);
        input.Skip(TarFormat.Padding(size));
    }

    private static byte[] CheckTarget(byte[] target) =>
        target.Length == 0 ? throw new TarDefect("a symbolic link without a target")
        : target.Length > TreePath.MaxLength ? throw new TarDefect($"the target of a symbolic link has {target.Length} bytes; at most {TreePath.MaxLength} are possible")
        : target.AsSpan().Contains((byte)0) ? throw new TarDefect("the target of a symbolic link has a NUL")
        : target;

    private static TreePath ParsePath(byte[] name)
    {
        if (name.Length == 0)
            throw new TarDefect("a name is empty");
        ReadOnlySpan<byte> bytes = name;
        foreach (Range part in bytes.Split((byte)'/'))
            if (bytes[part].SequenceEqual(".."u8))
                throw new TarDefect($"'{BytesText.Escape(name)}' leaves the archive");
        try
        {
            return TreePath.Parse(name);
        }
        catch (InvalidDataException impossible)
        {
            throw new TarDefect(impossible.Message);
        }
    }
}
