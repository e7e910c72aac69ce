namespace Layerbox.Compression;

/// <summary>
/// Compresses blocks as btrfs stores compressed extents: one zlib stream, or one zstd frame without checksum whose window the kernel accepts. The
/// same bytes for the same block, format and level. For one thread at a time.
/// </summary>
public sealed class ExtentEncoder : IDisposable
{
    /// <summary>ZSTD_BTRFS_MAX_WINDOWLOG of the kernel's fs/btrfs/zstd.c.</summary>
    private const int MaxWindowLog = 17;

    private readonly BlockEncoder _encoder;

    private ExtentEncoder(BlockEncoder encoder) => _encoder = encoder;

    /// <summary>An encoder of zlib streams (RFC 1950), level 1 to 9.</summary>
    public static ExtentEncoder Zlib(int level = Compressed.DefaultGzipLevel) => new(new GzipBlockEncoder(level, ZlibNative.ZlibWindowBits));

    /// <summary>An encoder of zstd frames; levels are those of <see cref="Compressed.Levels"/>.</summary>
    public static ExtentEncoder Zstd(int level = Compressed.DefaultZstdLevel) =>
        new(new ZstdBlockEncoder(new ZstdCompression(level, hasChecksum: false, MaxWindowLog)));

    /// <summary>As large as any output for this much input can be.</summary>
    public int MaxOutput(int blockSize) => _encoder.MaxOutput(blockSize);

    /// <summary>Compresses a block into an output of at least <see cref="MaxOutput"/>; gives the length.</summary>
    public int Encode(ReadOnlySpan<byte> block, Span<byte> output) => _encoder.Encode(block, output);

    public void Dispose() => _encoder.Dispose();
}
