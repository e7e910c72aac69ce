using System.Text.Unicode;
using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>
/// Writes members in the canonical form that <see cref="TarWriter"/> describes, in the order in which they are given: for those who
/// write something else than a whole tree, a layer of changes for example.
/// </summary>
public sealed class TarMemberWriter : IDisposable
{
    private const int EndSize = 2 * TarFormat.BlockSize;
    private const long MaxOctal7 = 0x1F_FFFF; // seven octal digits: owners, devices
    private const long MaxOctal11 = 0x1_FFFF_FFFF; // eleven: size, time

    private static ReadOnlySpan<byte> ExtendedHeaderName => "././@PaxHeader"u8;

    private static readonly Inode Marker = Inode.File(0, new MemoryContent([]));

    private readonly TarOutput _output;
    private readonly TarWriterOptions _options;
    private readonly PaxRecords _records = new();
    private long _members;

    /// <summary>A writer to a stream, which it does not close.</summary>
    public TarMemberWriter(Stream destination, TarWriterOptions? options = null)
    {
        _output = new TarOutput(destination);
        _options = options ?? new TarWriterOptions();
    }

    /// <summary>Writes one inode with its bytes.</summary>
    /// <exception cref="InvalidDataException">A socket (when they are not to be skipped), a device number that tar cannot hold, or a content with another length than its size.</exception>
    public void Add(TreePath path, Inode inode)
    {
        if (inode.Kind == FileKind.Socket)
        {
            if (_options.SkipSockets)
                return;
            throw new InvalidDataException($"{path}: a tar archive cannot hold a socket");
        }
        FileContent? content = inode.Content;
        WriteHeaders(path, NameOf(path, inode), inode, TypeOf(inode.Kind), inode.Target, content?.Size ?? 0, inode.Xattrs);
        if (content is not null)
            WriteContent(path, content);
        EndMember();
    }

    /// <summary>Writes another name of an inode that was added as <paramref name="first"/>.</summary>
    public void AddHardLink(TreePath path, Inode inode, TreePath first)
    {
        if (inode.Kind == FileKind.Socket && _options.SkipSockets)
            return;
        WriteHeaders(path, NameOf(path, inode), inode, (byte)'1', first.ToBytes(), 0, XattrSet.Empty);
        EndMember();
    }

    /// <summary>Writes an empty file that stands for something: of mode 0, root's, with time 0; its name may be longer than a file's can be.</summary>
    internal void AddMarker(TreePath directory, ReadOnlySpan<byte> name)
    {
        byte[] path = directory.IsRoot ? name.ToArray() : [.. directory.ToBytes(), (byte)'/', .. name];
        WriteHeaders(directory, path, Marker, TypeOf(FileKind.File), [], 0, XattrSet.Empty);
        EndMember();
    }

    /// <summary>Ends the archive. Without it the archive is not whole, which is right after an exception.</summary>
    public void Finish()
    {
        _output.WriteZeros(EndSize);
        _output.Flush();
        _options.Progress?.Invoke(new TarProgress(_members, _output.Offset));
    }

    public void Dispose() => _output.Dispose();

    private void EndMember()
    {
        _members++;
        _options.Progress?.Invoke(new TarProgress(_members, _output.Offset));
    }

    private static byte TypeOf(FileKind kind) => kind switch
    {
        FileKind.Directory => (byte)'5',
        FileKind.File => (byte)'0',
        FileKind.Symlink => (byte)'2',
        FileKind.CharDevice => (byte)'3',
        FileKind.BlockDevice => (byte)'4',
        _ => (byte)'6',
    };

    private static byte[] NameOf(TreePath path, Inode inode) =>
        path.IsRoot ? "./"u8.ToArray() : inode.IsDirectory ? [.. path.ToBytes(), (byte)'/'] : path.ToBytes();

    private void WriteHeaders(TreePath path, byte[] name, Inode inode, byte type, byte[] link, long size, XattrSet xattrs)
    {
        bool hasPrefix = TrySplit(name, out int split);
        Timestamp time = _options.LatestTime is { } latest ? inode.ModificationTime.ClampedTo(latest) : inode.ModificationTime;
        AddRecords(hasPrefix ? [] : name, link, size, inode, time, xattrs);
        if (!_records.IsEmpty)
            WriteExtendedHeader();

        Span<byte> block = stackalloc byte[TarFormat.BlockSize];
        block.Clear();
        Put(block[TarFormat.Name], name.AsSpan(split > 0 ? split + 1 : 0));
        if (split > 0)
            Put(block[TarFormat.Prefix], name.AsSpan(0, split));
        Put(block[TarFormat.LinkName], link);
        if (inode.DeviceMajor > MaxOctal7 || inode.DeviceMinor > MaxOctal7)
            throw new InvalidDataException($"{path}: a tar archive cannot hold the device number {inode.DeviceMajor}:{inode.DeviceMinor}");
        PutOctal(block[TarFormat.DeviceMajor], inode.DeviceMajor);
        PutOctal(block[TarFormat.DeviceMinor], inode.DeviceMinor);
        PutRest(block, type, inode.Mode, inode.Uid, inode.Gid, size, time.Seconds);
        _output.Write(block);
    }

    /// <summary>What the header block cannot hold, in an order that is always the same.</summary>
    private void AddRecords(byte[] longName, byte[] link, long size, Inode inode, Timestamp time, XattrSet xattrs)
    {
        _records.Clear();
        byte[] longLink = link.Length > 100 ? link : [];
        if (!Utf8.IsValid(longName) || !Utf8.IsValid(longLink))
            _records.Add("hdrcharset"u8, "BINARY"u8); // or bsdtar would convert what it takes for UTF-8
        if (longName.Length > 0)
            _records.Add("path"u8, longName);
        if (longLink.Length > 0)
            _records.Add("linkpath"u8, longLink);
        if (size > MaxOctal11)
            _records.Add("size"u8, size);
        if (inode.Uid > MaxOctal7)
            _records.Add("uid"u8, inode.Uid);
        if (inode.Gid > MaxOctal7)
            _records.Add("gid"u8, inode.Gid);
        if (time.Nanoseconds != 0 || time.Seconds is < 0 or > MaxOctal11)
            _records.Add("mtime"u8, time);
        foreach (Xattr xattr in xattrs.Items)
            _records.Add(xattr);
    }

    private void WriteExtendedHeader()
    {
        ReadOnlySpan<byte> records = _records.Bytes;
        Span<byte> block = stackalloc byte[TarFormat.BlockSize];
        block.Clear();
        Put(block[TarFormat.Name], ExtendedHeaderName);
        PutOctal(block[TarFormat.DeviceMajor], 0);
        PutOctal(block[TarFormat.DeviceMinor], 0);
        PutRest(block, (byte)'x', 0x1A4 /* 0644 */, 0, 0, records.Length, 0);
        _output.Write(block);
        _output.Write(records);
        _output.WriteZeros(TarFormat.Padding(records.Length));
    }

    /// <summary>Numbers that do not fit are in the extended header; the block then has 0.</summary>
    private static void PutRest(Span<byte> block, byte type, uint mode, uint uid, uint gid, long size, long seconds)
    {
        PutOctal(block[TarFormat.Mode], mode & TarFormat.ModeBits);
        PutOctal(block[TarFormat.Uid], uid <= MaxOctal7 ? uid : 0);
        PutOctal(block[TarFormat.Gid], gid <= MaxOctal7 ? gid : 0);
        PutOctal(block[TarFormat.Size], size <= MaxOctal11 ? size : 0);
        PutOctal(block[TarFormat.ModificationTime], seconds is >= 0 and <= MaxOctal11 ? seconds : 0);
        block[TarFormat.Type] = type;
        "ustar\00"u8.CopyTo(block[TarFormat.Magic]);
        block[264] = (byte)'0';
        // Six digits, a NUL and a space, as all tars have it.
        Span<byte> checksum = block[TarFormat.Checksum];
        PutOctal(checksum[..7], TarFormat.Sum(block));
        checksum[7] = (byte)' ';
    }

    /// <summary>Where ustar's prefix ends, 0 when the name fits without one. Says false when it does not fit with one either.</summary>
    private static bool TrySplit(ReadOnlySpan<byte> name, out int split)
    {
        split = 0;
        if (name.Length <= 100)
            return true;
        int at = name[..Math.Min(156, name.Length - 1)].LastIndexOf((byte)'/');
        if (at <= 0 || name.Length - at - 1 > 100)
            return false;
        split = at;
        return true;
    }

    private static void Put(Span<byte> field, ReadOnlySpan<byte> text) => text[..Math.Min(text.Length, field.Length)].CopyTo(field);

    private static void PutOctal(Span<byte> field, long number)
    {
        for (int i = field.Length - 2; i >= 0; i--, number >>= 3)
            field[i] = (byte)('0' + (number & 7));
        field[^1] = 0;
    }

    private void WriteContent(TreePath path, FileContent content)
    {
        long left = content.Size;
        if (left == 0)
            return;
        if (_output.TryWrite(content, () => _options.Progress?.Invoke(new TarProgress(_members, _output.Offset))))
        {
            _output.WriteZeros(TarFormat.Padding(content.Size));
            return;
        }
        using (Stream stream = content.Open())
        {
            while (left > 0)
            {
                Span<byte> room = _output.Room;
                int count = stream.Read(room[..(int)Math.Min(room.Length, left)]);
                if (count == 0)
                    throw new InvalidDataException($"{path}: the file has {content.Size - left} bytes and not {content.Size}: it was changed meanwhile");
                _output.Advance(count);
                left -= count;
                if (left > 0)
                    _options.Progress?.Invoke(new TarProgress(_members, _output.Offset));
            }
        }
        _output.WriteZeros(TarFormat.Padding(content.Size));
    }
}
