using Layerbox.Compression;

namespace Layerbox.Tests.Compression;

public sealed class DecompressionTests
{
    private static readonly byte[] s_text = Samples.Text(300_000);

    [Theory]
    [InlineData(CompressionKind.Gzip, "gzip -c x")]
    [InlineData(CompressionKind.Gzip, "gzip -nc1 x")]
    [InlineData(CompressionKind.Zstd, "zstd -qc x")]
    [InlineData(CompressionKind.Zstd, "zstd -qc --no-check --long=27 -5 x")]
    [InlineData(CompressionKind.Zstd, "printf '\\x50\\x2a\\x4d\\x18\\x03\\0\\0\\0abc'; zstd -qc x")] // a skippable frame first
    [InlineData(CompressionKind.Xz, "xz -c x")]
    [InlineData(CompressionKind.Xz, "xz -c --check=sha256 -0 x")]
    [InlineData(CompressionKind.Bzip2, "bzip2 -c x")]
    [InlineData(CompressionKind.None, "cat x")]
    public void Recognises_and_reads_what_the_real_programs_write(CompressionKind expected, string command)
    {
        byte[] compressed = Samples.Make(command, ("x", s_text));
        (CompressionKind kind, byte[] bytes) = Read(compressed);
        Assert.Equal(expected, kind);
        Assert.Equal(s_text, bytes);
    }

    [Theory]
    [InlineData("gzip -c a; gzip -c e; gzip -c b")]
    [InlineData("zstd -qc a; zstd -qc e; zstd -qc b; printf '\\x5f\\x2a\\x4d\\x18\\x01\\0\\0\\0x'")]
    [InlineData("xz -c a; xz -c e; head -c 8 /dev/zero; xz -c b; head -c 4 /dev/zero")] // with stream padding
    [InlineData("bzip2 -c a; bzip2 -c e; bzip2 -c b")]
    public void Reads_all_members_of_a_concatenation(string command)
    {
        byte[] compressed = Samples.Make(command, ("a", s_text), ("e", []), ("b", "the end"u8.ToArray()));
        Assert.Equal([.. s_text, .. "the end"u8], Read(compressed).Bytes);
    }

    [Theory]
    [InlineData("gzip -c e", CompressionKind.Gzip)]
    [InlineData("zstd -qc e", CompressionKind.Zstd)]
    [InlineData("xz -c e", CompressionKind.Xz)]
    [InlineData("bzip2 -c e", CompressionKind.Bzip2)]
    [InlineData("true", CompressionKind.None)]
    [InlineData("printf BZ", CompressionKind.None)]
    public void Reads_empty_and_tiny_inputs(string command, CompressionKind expected)
    {
        (CompressionKind kind, byte[] bytes) = Read(Samples.Make(command, ("e", [])));
        Assert.Equal(expected, kind);
        Assert.Equal(command == "printf BZ" ? "BZ"u8.ToArray() : [], bytes);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zstd -q")]
    [InlineData("xz")]
    [InlineData("bzip2")]
    public void Every_truncation_is_an_error(string program)
    {
        string format = program.Split(' ')[0];
        byte[] compressed = Samples.Make($"{program} -c x", ("x", Samples.Text(2000)));
        for (int length = Magic.Longest; length < compressed.Length; length++)
            Assert.Equal($"{format}: offset {length}: the input ends too early", Failure(compressed[..length]));
    }

    [Theory]
    [InlineData("gzip -c x; echo garbage", "gzip: offset {0}: what follows the end of the data is not gzip", 8)]
    [InlineData("gzip -c x; printf '\\0\\0\\0\\0'", "gzip: offset {0}: what follows the end of the data is not gzip", 4)]
    [InlineData("zstd -qc x; echo garbage", "zstd: offset {0}: what follows the end of the data is not zstd", 8)]
    [InlineData("zstd -qc x; printf '\\x28'", "zstd: offset {0}: what follows the end of the data is not zstd", 1)]
    [InlineData("xz -c x; echo garbage", "xz: offset {0}: what follows the end of the data is not xz", 8)]
    [InlineData("xz -c x; printf '\\0\\0'", "xz: offset {0}: what follows the end of the data is not xz", 2)]
    [InlineData("bzip2 -c x; echo garbage", "bzip2: offset {0}: what follows the end of the data is not bzip2", 8)]
    public void What_follows_the_last_member_is_an_error(string command, string message, int length)
    {
        byte[] compressed = Samples.Make(command, ("x", s_text));
        Assert.Equal(string.Format(null, message, compressed.Length - length), Failure(compressed));
    }

    [Theory]
    [InlineData("gzip -nc x")]
    [InlineData("zstd -qc x")]
    [InlineData("xz -c x")]
    [InlineData("bzip2 -c x")]
    public void A_flipped_bit_in_the_middle_is_noticed(string command)
    {
        byte[] compressed = Samples.Make(command, ("x", s_text));
        compressed[compressed.Length / 2] ^= 0x10;
        Assert.StartsWith($"{command.Split(' ')[0]}: offset ", Failure(compressed), StringComparison.Ordinal);
    }

    [Fact]
    public void A_window_above_the_limit_is_refused()
    {
        byte[] compressed = Samples.Make("zstd -qc --ultra --long=31 < x", ("x", s_text));
        Assert.Equal("zstd: offset 0: the data is corrupt: Frame requires too much memory for decoding", Failure(compressed));
    }

    [Fact]
    public void Disposing_closes_the_source_unless_told_otherwise()
    {
        foreach (string command in new[] { "cat x", "gzip -c x" })
        {
            using MemoryStream source = new(Samples.Make(command, ("x", s_text)));
            Decompression.Open(source, out _, leaveOpen: true).Dispose();
            Assert.True(source.CanRead);
            source.Position = 0;
            Decompression.Open(source, out _).Dispose();
            Assert.False(source.CanRead);
        }
    }

    [Theory]
    [InlineData("zstd -qc x")]
    [InlineData("zstd -qc x; head -c 777 /dev/zero")]
    public void A_zstd_frame_is_read_up_to_the_room_there_is(string command)
    {
        byte[] compressed = Samples.Make(command, ("x", s_text));
        foreach (int room in new[] { 0, 1, 4096, s_text.Length, s_text.Length + 5 })
        {
            byte[] output = new byte[room];
            int produced = ZstdFrame.Decompress(compressed, output);
            Assert.Equal(Math.Min(room, s_text.Length), produced);
            Assert.Equal(s_text[..produced], output[..produced]);
        }
        Assert.Equal(
            "zstd: offset 100: the input ends too early",
            Assert.Throws<InvalidDataException>(() => ZstdFrame.Decompress(compressed.AsSpan(0, 100), new byte[s_text.Length])).Message);
        Assert.Equal(s_text.Length, ZstdFrame.Decompress(compressed, new byte[s_text.Length])); // a failure leaves nothing behind
    }

    [Fact]
    public void A_zlib_block_is_read_up_to_the_room_there_is()
    {
        using MemoryStream compressed = new();
        using (System.IO.Compression.ZLibStream zlib = new(compressed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
            zlib.Write(s_text);
        byte[] padded = [.. compressed.ToArray(), .. new byte[100]];
        byte[] output = new byte[s_text.Length + 1];
        Assert.Equal(s_text.Length, ZlibBlock.Decompress(padded, output));
        Assert.Equal(s_text, output[..^1]);
        Assert.Equal(4096, ZlibBlock.Decompress(padded, output.AsSpan(0, 4096)));
        Assert.Equal(
            "zlib: offset 50: the input ends too early",
            Assert.Throws<InvalidDataException>(() => ZlibBlock.Decompress(padded.AsSpan(0, 50), output)).Message);
    }

    private static (CompressionKind Kind, byte[] Bytes) Read(byte[] compressed)
    {
        using Stream stream = Decompression.Open(new Dribble(compressed), out CompressionKind kind);
        using MemoryStream all = new();
        stream.CopyTo(all);
        return (kind, all.ToArray());
    }

    private static string Failure(byte[] compressed) => Assert.Throws<InvalidDataException>(() => Read(compressed)).Message;

    /// <summary>A pipe's manners: no seeking, and pieces of odd sizes.</summary>
    private sealed class Dribble(byte[] bytes) : MemoryStream(bytes)
    {
        private int _reads;
        public override bool CanSeek => false;
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, 1 + (_reads++ % 3 * 4999)));
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, 1 + (_reads++ % 3 * 4999))]);
    }
}
