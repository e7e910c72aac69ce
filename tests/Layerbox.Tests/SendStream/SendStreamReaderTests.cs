using System.Buffers.Binary;
using System.Text;
using Layerbox.SendStream;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.Tests.SendStream;

public class SendStreamReaderTests
{
    private static readonly byte[] s_header = [.. "btrfs-stream\0"u8, 1, 0, 0, 0];
    private static readonly byte[] s_header2 = [.. "btrfs-stream\0"u8, 2, 0, 0, 0];
    private static readonly byte[] s_subvol = StreamScript.Make("subvol vol")[SendStreamFormat.HeaderLength..]; // 49 bytes: what follows is at 66
    private static readonly byte[] s_end = Command(21);

    private static byte[] Command(ushort kind, params byte[][] attributes)
    {
        byte[] payload = [.. attributes.SelectMany(a => a)];
        byte[] frame = [.. Number(payload.Length, 4), .. Number(kind, 2), 0, 0, 0, 0, .. payload];
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(6), Crc32C.Append(0, frame));
        return frame;
    }

    private static byte[] Attribute(ushort type, params byte[] value) => [.. Number(type, 2), .. Number(value.Length, 2), .. value];
    private static byte[] Path(string path) => Attribute(15, Encoding.Latin1.GetBytes(path));
    private static byte[] Ino => Attribute(3, 1, 1, 0, 0, 0, 0, 0, 0);
    private static byte[] Mkfile(string path) => Command(3, Path(path), Ino);
    private static byte[] Join(params byte[][] parts) => [.. parts.SelectMany(p => p)];

    private static byte[] Number(long value, int length)
    {
        byte[] bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return bytes[..length];
    }

    private static byte[] Changed(byte[] bytes, int at, byte value)
    {
        byte[] changed = [.. bytes];
        changed[at < 0 ? bytes.Length + at : at] = value;
        return changed;
    }

    private static byte[] InIscsiForm(byte[] command)
    {
        byte[] frame = [.. command];
        frame.AsSpan(6, 4).Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(6), ~Crc32C.Append(uint.MaxValue, frame));
        return frame;
    }

    private static List<SendCommandKind> Read(byte[] bytes, SendStreamLimits? limits = null)
    {
        SendStreamReader reader = new(new Dribble(bytes), limits);
        List<SendCommandKind> kinds = [];
        while (reader.Read())
            kinds.Add(reader.Command.Kind);
        Assert.Equal(bytes.Length, reader.Position);
        return kinds;
    }

    public static TheoryData<string, byte[]> Malformed() => new()
    {
        // headers
        { "offset 0: the input is empty, expected the header of a send stream", [] },
        { "offset 0: the header of the stream is cut: 16 bytes, expected 17", s_header[..16] },
        { "offset 0: the header of the stream is cut: 3 bytes, expected 17", s_header[..3] },
        { @"offset 0: no send stream: '12345678901234567', expected 'btrfs-stream' and a NUL byte", "12345678901234567"u8.ToArray() },
        { @"offset 0: no send stream: 'Btrfs-stream\x00\x01\x00\x00\x00', expected 'btrfs-stream' and a NUL byte", Changed(s_header, 0, (byte)'B') },
        { @"offset 0: no send stream: 'btrfs-streamX\x01\x00\x00\x00', expected 'btrfs-stream' and a NUL byte", Changed(s_header, 12, (byte)'X') },
        { "offset 0: no send stream: gzip data, expected 'btrfs-stream' and a NUL byte", [0x1F, 0x8B, 8, .. new byte[40]] },
        { "offset 0: no send stream: zstd data, expected 'btrfs-stream' and a NUL byte", [0x28, 0xB5, 0x2F, 0xFD, .. new byte[40]] },
        { "offset 0: no send stream: xz data, expected 'btrfs-stream' and a NUL byte", [0xFD, .. "7zXZ\0"u8, 0] },
        { "offset 13: version 9 of send streams is not known, expected 1 to 3", Join(Changed(s_header, 13, 9), s_subvol, s_end) },
        { "offset 13: version 4294967295 of send streams is not known, expected 1 to 3", [.. s_header[..13], 255, 255, 255, 255] },
        // frames
        { "offset 17: the stream ends without an end command after 0 commands", s_header },
        { "offset 93: the stream ends without an end command after 2 commands", Join(s_header, s_subvol, Mkfile("a")) },
        { "offset 66: command 2: its header is cut: 5 bytes, expected 10", Join(s_header, s_subvol, Mkfile("a")[..5]) },
        { "offset 66: command 2 (mkfile): cut: 7 of 17 bytes", Join(s_header, s_subvol, Mkfile("a")[..17]) },
        { "offset 66: command 2 (write): says 4294967295 bytes, more than the limit of 67108864", Join(s_header, s_subvol, [255, 255, 255, 255, 15, 0, 0, 0, 0, 0]) },
        { "offset 66: command 2 (write): cut: 0 of 67108864 bytes", Join(s_header, s_subvol, [0, 0, 0, 4, 15, 0, 0, 0, 0, 0]) },
        { "offset 66: command 2 (kind 0): no such command is known", Join(s_header, s_subvol, Command(0, Path("a")), s_end) },
        { "offset 66: command 2 (kind 27): no such command is known", Join(s_header, s_subvol, Command(27), s_end) },
        { "offset 66: command 2 (kind 65535): no such command is known", Join(s_header, s_subvol, Command(65535), s_end) },
        { "offset 66: command 2 (fallocate): a command of version 2 in a stream of version 1", Join(s_header, s_subvol, Command(23, Path("a")), s_end) },
        { "offset 66: command 2 (enable_verity): a command of version 3 in a stream of version 2", Join(s_header2, s_subvol, Command(26, Path("a")), s_end) },
        { "offset 66: command 2 (end): crc is 0x9dc96c51, expected 0x9dc96c50", Join(s_header, s_subvol, Changed(s_end, 6, 0x51)) },
        { "offset 66: command 2 (mkfile): crc is 0x360b25f4, expected 0x677d6d5b", Join(s_header, s_subvol, Changed(Mkfile("a"), 14, (byte)'b')) },
        {
            "offset 66: command 2 (end): crc is 0x7e149c3b, expected 0x9dc96c50, which is the iSCSI form of CRC32C; here it starts at 0 and is not inverted",
            Join(s_header, s_subvol, InIscsiForm(s_end))
        },
        {
            "offset 66: command 2: a new stream header, expected an end command before it: the sender was stopped and started over",
            Join(s_header, s_subvol, s_header, s_subvol, s_end)
        },
        {
            "offset 66: command 2 (mkfile): crc is 0x360b25f4, expected 0x8104c577; another stream header begins at offset 79: the sender was stopped and started over",
            Join(s_header, s_subvol, Mkfile("a")[..13], s_header, s_subvol, s_end)
        },
        { "offset 76: bytes after the end command that are no further stream: 'garbage!'", Join(s_header, s_subvol, s_end, "garbage!"u8.ToArray()) },
        { @"offset 76: bytes after the end command that are no further stream: '\x00\x00'", Join(s_header, s_subvol, s_end, new byte[2]) },
        { "offset 76: the header of the stream is cut: 5 bytes, expected 17", Join(s_header, s_subvol, s_end, s_header[..5]) },
        // attributes
        { "offset 17: command 1 (subvol): attribute 1 (uuid) is missing", Join(s_header, Command(1)) },
        { "offset 17: command 1 (subvol): attribute 1 (uuid) is 15 bytes long, expected 16", Join(s_header, Command(1, Path("v"), Attribute(1, new byte[15]))) },
        { "offset 66: command 2 (mkfile): attribute 0 is not known", Join(s_header, s_subvol, Command(3, Attribute(0), Path("a"), Ino)) },
        { "offset 66: command 2 (mkfile): attribute 36 is not known", Join(s_header, s_subvol, Command(3, Path("a"), Attribute(36, 1))) },
        { "offset 66: command 2 (mkfile): 1 byte left over after the attributes", Join(s_header, s_subvol, Command(3, Path("a"), [15])) },
        { "offset 66: command 2 (mkfile): attribute 15 (path) has no length: 2 bytes left, expected at least 4", Join(s_header, s_subvol, Command(3, Ino, [15, 0])) },
        { "offset 66: command 2 (mkfile): attribute 15 (path) says 500 bytes, 1 are left", Join(s_header, s_subvol, Command(3, [15, 0, 244, 1, 97])) },
        { "offset 66: command 2 (mkfile): attribute 15 (path) is missing", Join(s_header, s_subvol, Command(3, Ino)) },
        { "offset 66: command 2 (mkfile): attribute 15 (path) is given twice", Join(s_header, s_subvol, Command(3, Path("a"), Path("b"))) },
        { "offset 66: command 2 (mkfile): attribute 13 (xattr_name) is given twice", Join(s_header, s_subvol, Command(3, [.. Enumerable.Repeat(Attribute(13), 16000)])) },
        { "offset 66: command 2 (mkfile): attribute 3 (ino) is 4 bytes long, expected 8", Join(s_header, s_subvol, Command(3, Path("a"), Attribute(3, 1, 2, 3, 4))) },
        { "offset 66: command 2 (mkfile): attribute 3 (ino) is 9 bytes long, expected 8", Join(s_header, s_subvol, Command(3, Path("a"), Attribute(3, new byte[9]))) },
        { @"offset 66: command 2 (mkfile): attribute 15 (path) has a NUL byte: 'a\x00b'", Join(s_header, s_subvol, Command(3, Path("a\0b"))) },
        { "offset 66: command 2 (utimes): attribute 11 (atime) is 8 bytes long, expected 12", Join(s_header, s_subvol, Command(20, Path("a"), Attribute(11, new byte[8]))) },
        {
            "offset 66: command 2 (utimes): attribute 11 (atime) has 1000000000 nanoseconds, expected less than 1000000000",
            Join(s_header, s_subvol, Command(20, Path("a"), Attribute(11, [.. new byte[8], 0, 0xCA, 0x9A, 0x3B])))
        },
        { "offset 66: command 2 (write): attribute 18 (file_offset) is missing", Join(s_header2, s_subvol, Command(15, Path("a"), [19, 0, 97], Attribute(18, new byte[8]))) },
        { "offset 66: command 2 (encoded_write): attribute 27 (unencoded_file_len) is missing", Join(s_header2, s_subvol, Command(25, Path("a"), Attribute(18, new byte[8]), [19, 0])) },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void Says_what_is_wrong_and_where(string error, byte[] stream) =>
        Assert.Equal(error, Assert.Throws<SendStreamException>(() => Read(stream)).Message);

    [Fact]
    public void Goes_on_behind_a_faulty_command()
    {
        byte[] stream = Join(s_header, s_subvol, Command(3, Path("a"), [15]), Command(99), Mkfile("b"), Command(21, Attribute(777)), s_header, s_subvol, s_end);
        SendStreamReader reader = new(new MemoryStream(stream));
        List<string> read = [];
        for (bool isMore = true; isMore;)
        {
            try
            {
                isMore = reader.Read();
                read.Add(isMore ? SendStreamFormat.NameOf(reader.Command.Kind) : "done");
            }
            catch (SendStreamException e) when (!e.EndsReading)
            {
                read.Add($"{e.Fault.Code()} {e.Index}");
            }
        }
        Assert.Equal(["subvol", "attribute_cut 2", "command_unknown 3", "mkfile", "attribute_unknown 5", "subvol", "end", "done"], read);
    }

    [Fact]
    public void Finds_where_a_restarted_stream_begins_wherever_the_first_was_cut()
    {
        byte[] whole = Join(s_header, s_subvol, Mkfile("a"), s_end);
        for (int cut = SendStreamFormat.HeaderLength; cut < whole.Length - s_end.Length; cut++)
        {
            SendStreamException error = Assert.Throws<SendStreamException>(() => Read(Join(whole[..cut], whole)));
            Assert.Equal((cut, SendStreamFault.Restarted, (long?)cut), (cut, error.Fault, error.Restart));
        }
    }

    [Fact]
    public void Takes_no_more_memory_than_there_is_input()
    {
        byte[] stream = Join(s_header2, s_subvol, [0, 0, 0, 4, 15, 0, 0, 0, 0, 0]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<SendStreamException>(() => Read(stream));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2 << 20);
    }

    [Fact]
    public void A_limit_may_be_set()
    {
        byte[] stream = StreamScript.Make("subvol vol; mkfile a; write a 0 x*100; end", version: 2);
        Assert.Equal(4, Read(stream, new SendStreamLimits { MaxCommandLength = 119 }).Count);
        SendStreamException error = Assert.Throws<SendStreamException>(() => Read(stream, new SendStreamLimits { MaxCommandLength = 118 }));
        Assert.Equal("offset 93: command 3 (write): says 119 bytes, more than the limit of 118", error.Message);
    }

    [Fact]
    public void Passes_over_what_is_unknown_when_told_to()
    {
        byte[] stream = Join(s_header, s_subvol, Command(99, [9]), Command(3, Path("a"), Attribute(777, 1)), Command(24, Path("a"), Attribute(26, new byte[8])), s_end);
        // Command 99 holds no attributes that could be read, so only well-formed ones are passed over.
        Assert.StartsWith("offset 66: command 2 (kind 99): 1 byte left over", Assert.Throws<SendStreamException>(() => Read(stream, s_tolerant)).Message, StringComparison.Ordinal);
        Assert.Equal(4, Read(Join(s_header, s_subvol, Command(99, Attribute(777, 1)), Mkfile("a"), s_end), s_tolerant).Count);
    }

    /// <summary>A stream with a command and attributes that nobody knows.</summary>
    internal static byte[] WithUnknown() => Join(s_header, s_subvol, Command(99, Path("a"), Attribute(777, 1, 2), Attribute(777)), s_end);

    private static readonly SendStreamLimits s_tolerant = new() { AllowUnknown = true };

    [Fact]
    public void Reads_streams_back_to_back_with_versions_of_their_own()
    {
        SendStreamReader reader = new(new Dribble(Join(StreamScript.Make("subvol a; end", version: 2), StreamScript.Make("snapshot b; end"))));
        List<(uint, int, long, string)> read = [];
        while (reader.Read())
            read.Add((reader.Version, reader.StreamCount, reader.Command.Index, SendStreamFormat.NameOf(reader.Command.Kind)));
        Assert.Equal([(2, 1, 1, "subvol"), (2, 1, 2, "end"), (1, 2, 3, "snapshot"), (1, 2, 4, "end")], read);
    }

    [Fact]
    public void Takes_version_0_as_1_as_btrfs_does() =>
        Assert.Equal([SendCommandKind.Subvol, SendCommandKind.End], Read(Join(Changed(s_header, 13, 0), s_subvol, s_end)));

    [Fact]
    public void Gives_attributes_in_any_order()
    {
        SendStreamReader reader = new(new MemoryStream(Join(s_header, s_subvol, Command(15, Attribute(19, 104, 105), Attribute(18, 5, 0, 0, 0, 0, 0, 0, 0), Path("a")), s_end)));
        reader.Read();
        reader.Read();
        SendCommand write = reader.Command;
        Assert.Equal(("hi", 5UL, "a"), (Encoding.ASCII.GetString(write.Bytes(A.Data)), write.UInt64(A.FileOffset), Encoding.ASCII.GetString(write.Bytes(A.Path))));
        List<A> order = [];
        foreach (SendCommand.AttributeEnumerator attribute in write)
            order.Add(attribute.Type);
        Assert.Equal([A.Data, A.FileOffset, A.Path], order);
        Assert.False(write.Has(A.Mode));
        Assert.Equal("offset 66: command 2 (write): attribute 5 (mode) is missing", Assert.Throws<SendStreamException>(() => write.UInt64(A.Mode)).Message);
    }

    [Theory]
    [InlineData(1, "subvol v; mkfile a; write a 0 x*65535; utimes a -7 999999999; chown a 4294967294 1; clone a 5 9 b 7; end")]
    [InlineData(2, "subvol v; mkfile a; write a 0 x*1000000; write a 9 -; fallocate a 3 4096 8192; encoded_write a 0 1 2 0 2 xyz; fileattr a 9; end")]
    [InlineData(3, "snapshot v; mknod n 20600 4294967295; set_xattr n user.x -; enable_verity a; symlink l x*4000; end")]
    public void What_was_read_is_written_again_bit_by_bit(uint version, string script)
    {
        byte[] stream = StreamScript.Make(script, version);
        SendStreamReader reader = new(new Dribble(stream));
        using MemoryStream again = new();
        SendStreamWriter writer = new(again, version);
        while (reader.Read())
        {
            writer.Begin(reader.Command.Kind);
            foreach (SendCommand.AttributeEnumerator attribute in reader.Command)
                writer.Bytes(attribute.Type, attribute.Value);
            writer.End();
        }
        writer.Flush();
        Assert.Equal(stream, again.ToArray());
    }

    /// <summary>Gives a few bytes at a time and cannot seek, as a pipe.</summary>
    private sealed class Dribble(byte[] bytes) : Stream
    {
        private readonly Random _random = new(1);
        private int _at;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            int length = Math.Min(Math.Min(count, bytes.Length - _at), _random.Next(1, bytes.Length > 1000 ? 100_000 : 20));
            bytes.AsSpan(_at, length).CopyTo(buffer.AsSpan(offset));
            _at += length;
            return length;
        }

        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
