using System.Runtime.InteropServices;

namespace Layerbox.Compression;

/// <summary>Writing of compressed output, the same bytes on every machine for the same input, format and level.</summary>
public static class Compressed
{
    public const int DefaultGzipLevel = 6;
    public const int DefaultZstdLevel = 3;

    /// <summary>More workers than this gain nothing: each wants a job of several MiB.</summary>
    private const int MaxWorkers = 16;

    /// <summary>The levels that <see cref="OpenWrite"/> takes, for checking what a user asked for. None for a format that is only read.</summary>
    public static (int Least, int Most)? Levels(CompressionKind kind) => kind switch
    {
        CompressionKind.Gzip => (1, 9),
        CompressionKind.Zstd => (1, ZstdNative.ZSTD_maxCLevel()),
        _ => null,
    };

    /// <summary>
    /// A stream that compresses what is written to it. Disposing it ends the data, unless a write failed before.
    /// Gzip: one member without name and time. Zstd: one frame with a checksum.
    /// </summary>
    /// <param name="destination">Where the compressed bytes go.</param>
    /// <param name="kind">Gzip or Zstd; None writes the bytes as they are.</param>
    /// <param name="level">One of <see cref="Levels"/>; null for the default.</param>
    /// <param name="threads">Zstd: how many threads compress (default: one a processor). Does not change the bytes.</param>
    /// <param name="leaveOpen">Whether disposing the result leaves the destination open.</param>
    /// <exception cref="ArgumentOutOfRangeException">A format that is only read, or a level that it does not have.</exception>
    public static Stream OpenWrite(Stream destination, CompressionKind kind, int? level = null, int? threads = null, bool leaveOpen = false)
    {
        if (kind == CompressionKind.None)
            return new PassingStream(destination, leaveOpen);
        if (Levels(kind) is not { } levels)
            throw new ArgumentOutOfRangeException(nameof(kind), $"{kind} is only read");
        if (level < levels.Least || level > levels.Most)
            throw new ArgumentOutOfRangeException(nameof(level), $"{kind} has levels {levels.Least} to {levels.Most}");
        // With no worker at all zstd cuts its blocks differently; from one worker on the count does not matter.
        int workers = Math.Clamp(threads ?? Environment.ProcessorCount, 1, MaxWorkers);
        Encoder encoder = kind == CompressionKind.Gzip
            ? new GzipEncoder(level ?? DefaultGzipLevel)
            : new ZstdEncoder(level ?? DefaultZstdLevel, workers);
        return new EncodingStream(encoder, destination, leaveOpen);
    }

    /// <summary>The libraries behind the formats and their versions ("zstd 1.5.4"): the versions decide the compressed bytes.</summary>
    public static unsafe IReadOnlyList<string> Versions()
    {
        uint zstd = ZstdNative.ZSTD_versionNumber();
        string bzip2 = Marshal.PtrToStringUTF8((nint)Bzip2Decoder.BZ2_bzlibVersion())!;
        return
        [
            $"zstd {zstd / 10000}.{zstd / 100 % 100}.{zstd % 100}",
            $"liblzma {Marshal.PtrToStringUTF8((nint)XzDecoder.lzma_version_string())}",
            $"bzip2 {bzip2.Split(',')[0]}",
            $"zlib of .NET {Environment.Version}",
        ];
    }
}
