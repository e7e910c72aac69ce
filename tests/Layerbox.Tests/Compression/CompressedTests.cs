using Layerbox.Compression;

namespace Layerbox.Tests.Compression;

public sealed class CompressedTests
{
    private static readonly byte[] s_text = Samples.Text(3_000_000);

    [Theory]
    [InlineData(CompressionKind.Gzip, null, "gzip -dc x")]
    [InlineData(CompressionKind.Gzip, 1, "gzip -dc x")]
    [InlineData(CompressionKind.Gzip, 9, "gzip -dc x")]
    [InlineData(CompressionKind.Zstd, null, "zstd -qdc x")]
    [InlineData(CompressionKind.Zstd, 1, "zstd -qdc x")]
    [InlineData(CompressionKind.Zstd, 12, "zstd -qdc x")]
    [InlineData(CompressionKind.None, null, "cat x")]
    public void The_real_programs_read_it_and_so_do_we(CompressionKind kind, int? level, string command)
    {
        foreach (byte[] bytes in new[] { s_text, [], s_text[..262_144], "x"u8.ToArray() })
        {
            byte[] compressed = Write(bytes, kind, level);
            Assert.Equal(bytes, Samples.Make(command, ("x", compressed)));
            using Stream stream = Decompression.Open(new MemoryStream(compressed), out CompressionKind recognised);
            using MemoryStream all = new();
            stream.CopyTo(all);
            Assert.Equal(kind, recognised);
            Assert.Equal(bytes, all.ToArray());
        }
    }

    [Theory]
    [InlineData(CompressionKind.Gzip)]
    [InlineData(CompressionKind.Zstd)]
    public void Bytes_depend_on_nothing_but_the_content(CompressionKind kind)
    {
        byte[] big = [.. Enumerable.Repeat(s_text, 7).SelectMany(x => x)]; // several blocks of either kind
        byte[] once = Write(big, kind, null, threads: 1);
        Assert.Equal(once, Write(big, kind, null, threads: 3));
        Assert.Equal(once, Write(big, kind, null, threads: 20));
        Assert.Equal(once, Write(big, kind, null, threads: null, piece: 4097));
    }

    [Fact]
    public void Blocks_cost_little()
    {
        byte[] big = Samples.Text(12_000_000);
        Assert.InRange(Write(big, CompressionKind.Zstd, null).Length, 0, Samples.Make("zstd -qc -3 x", ("x", big)).Length * 1.02);
        Assert.InRange(Write(big, CompressionKind.Gzip, null).Length, 0, Samples.Make("gzip -c -6 x", ("x", big)).Length * 1.04); // zlib-ng itself costs two
    }

    [Fact]
    public void A_gzip_header_has_no_name_and_no_time() =>
        Assert.Equal([0x1f, 0x8b, 8, 0, 0, 0, 0, 0], Write(s_text, CompressionKind.Gzip, null)[..8]);

    [Fact]
    public void A_failed_write_never_looks_like_a_whole_output()
    {
        using Full full = new();
        Stream stream = Compressed.OpenWrite(full, CompressionKind.Zstd);
        byte[] noise = new byte[50_000_000];
        new Random(1).NextBytes(noise);
        Assert.Throws<IOException>(() => stream.Write(noise));
        stream.Dispose(); // does not throw again, and writes no more
        Assert.Equal(1, full.Failures);
    }

    [Theory]
    [InlineData(CompressionKind.Gzip, 0)]
    [InlineData(CompressionKind.Gzip, 10)]
    [InlineData(CompressionKind.Zstd, 23)]
    [InlineData(CompressionKind.Xz, null)]
    public void Says_no_to_levels_and_formats_that_it_cannot_write(CompressionKind kind, int? level) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Compressed.OpenWrite(Stream.Null, kind, level));

    [Fact]
    public void Names_the_libraries_and_their_versions() =>
        Assert.Matches(@"^zstd 1\.\d+\.\d+, liblzma 5\.\S+, bzip2 1\.\d\.\d+, zlib of \.NET \S+$", string.Join(", ", Compressed.Versions()));

    private static byte[] Write(byte[] bytes, CompressionKind kind, int? level, int? threads = 2, int piece = 1 << 20)
    {
        using MemoryStream output = new();
        using (Stream stream = Compressed.OpenWrite(output, kind, level, threads, leaveOpen: true))
        {
            for (int at = 0; at < bytes.Length; at += piece)
            {
                stream.Write(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)));
                stream.Flush();
            }
        }
        return output.ToArray();
    }

    /// <summary>A disk that is full from the first byte on.</summary>
    private sealed class Full : MemoryStream
    {
        public int Failures { get; private set; }

        public override void Write(byte[] buffer, int offset, int count)
        {
            if (count == 0)
                return;
            Failures++;
            throw new IOException("no space");
        }
    }
}
