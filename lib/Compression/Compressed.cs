using System.Runtime.InteropServices;

namespace Layerbox.Compression;

/// <summary>Writing of compressed output, the same bytes on every machine for the same input, format and level.</summary>
public static class Compressed
{
    public const int DefaultGzipLevel = 6;
    public const int DefaultZstdLevel = 3;

    /// <summary>Each worker holds two blocks, so many of them cost memory rather than save time.</summary>
    private const int MaxWorkers = 8;

    /// <summary>Large against the window of 32 KiB, so that starting anew costs about one per cent in size.</summary>
    private const int GzipBlockSize = 1 << 20;

    /// <summary>The levels that <see cref="OpenWrite"/> takes, for checking what a user asked for. None for a format that is only read.</summary>
    public static (int Least, int Most)? Levels(CompressionKind kind) => kind switch
    {
        CompressionKind.Gzip => (1, 9),
        CompressionKind.Zstd => (1, ZstdNative.ZSTD_maxCLevel()),
        _ => null,
    };

    /// <summary>
    /// A stream that compresses what is written to it. Disposing it ends the data, unless a write failed before.
    /// The input is cut into blocks of one size and each becomes a gzip member or zstd frame of its own, which all readers take for one
    /// content: so threads can share the work and any number of them gives the same bytes. (libzstd's own threads are no
    /// way to that: distributions build the static library without them.) Flush does nothing, since it would show in the bytes.
    /// </summary>
    /// <param name="destination">Where the compressed bytes go.</param>
    /// <param name="kind">Gzip (members without name and time), Zstd (frames with size and checksum), or None: the bytes as they are.</param>
    /// <param name="level">One of <see cref="Levels"/>; null for the default.</param>
    /// <param name="threads">How many threads compress (default: one a processor, at most eight). Does not change the bytes.</param>
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
        int workers = Math.Clamp(threads ?? Environment.ProcessorCount, 1, MaxWorkers);
        int used = level ?? (kind == CompressionKind.Gzip ? DefaultGzipLevel : DefaultZstdLevel);
        return kind == CompressionKind.Gzip
            ? new BlockEncodingStream(() => new GzipBlockEncoder(used), GzipBlockSize, workers, destination, leaveOpen)
            : new BlockEncodingStream(() => new ZstdBlockEncoder(used), ZstdBlockSize(used), workers, destination, leaveOpen);
    }

    /// <summary>A multiple of the level's window (2 MiB at level 3, 8 MiB at 19, 128 MiB at 22), within what memory allows.</summary>
    private static int ZstdBlockSize(int level) => level switch
    {
        <= 12 => 4 << 20,
        <= 19 => 16 << 20,
        _ => 64 << 20,
    };

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
