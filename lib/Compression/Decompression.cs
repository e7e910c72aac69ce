namespace Layerbox.Compression;

/// <summary>Reading of compressed input of whatever kind.</summary>
public static class Decompression
{
    /// <summary>zstd: the largest window of a frame that is accepted (zstd --long=30). The memory of a decoder grows with it.</summary>
    public const int MaxZstdWindowLog = 30;

    /// <summary>xz: the memory that a decoder may use, in bytes. The preset -9 needs 65 MiB.</summary>
    public const long MaxXzMemory = 1L << 30;

    /// <summary>
    /// The decompressed bytes of a stream: gzip, zstd, xz and bzip2 are recognised by their first bytes, anything else is passed
    /// through. Several members one after another are one content. The source is only read forwards, up to its end.
    /// </summary>
    /// <param name="source">Where the compressed bytes come from.</param>
    /// <param name="kind">What was recognised.</param>
    /// <param name="maxWindowLog">zstd: as <see cref="MaxZstdWindowLog"/>, where a caller needs less.</param>
    /// <param name="leaveOpen">Whether disposing the result leaves the source open.</param>
    /// <exception cref="InvalidDataException">
    /// Thrown by reads: data that is corrupt or ends too early, or that is followed by something else. Says the format and the offset
    /// in the compressed bytes.
    /// </exception>
    public static Stream Open(Stream source, out CompressionKind kind, int maxWindowLog = MaxZstdWindowLog, bool leaveOpen = false)
    {
        byte[] first = new byte[Magic.Longest];
        int count = source.ReadAtLeast(first, first.Length, throwOnEndOfStream: false);
        ReadOnlyMemory<byte> prefix = first.AsMemory(0, count);
        kind = Magic.Recognize(prefix.Span);
        return kind == CompressionKind.None
            ? new PrefixedStream(prefix, source, leaveOpen)
            : new DecodingStream(NewDecoder(kind, maxWindowLog), prefix.Span, source, leaveOpen);
    }

    /// <summary>
    /// The decompressed bytes of a stream that is known to be of one kind: anything else at its beginning is corrupt.
    /// </summary>
    /// <param name="source">Where the compressed bytes come from.</param>
    /// <param name="kind">What they are.</param>
    /// <param name="maxWindowLog">zstd: as <see cref="MaxZstdWindowLog"/>, where a caller needs less.</param>
    /// <param name="leaveOpen">Whether disposing the result leaves the source open.</param>
    /// <exception cref="InvalidDataException">Thrown by reads, as by the other form.</exception>
    public static Stream Open(Stream source, CompressionKind kind, int maxWindowLog = MaxZstdWindowLog, bool leaveOpen = false) =>
        kind == CompressionKind.None
            ? new PrefixedStream(default, source, leaveOpen)
            : new DecodingStream(NewDecoder(kind, maxWindowLog), default, source, leaveOpen, mustBegin: true);

    /// <inheritdoc cref="Open(Stream, out CompressionKind, int, bool)"/>
    public static Stream Open(Stream source) => Open(source, out _);

    private static Decoder NewDecoder(CompressionKind kind, int maxWindowLog = MaxZstdWindowLog) => kind switch
    {
        CompressionKind.Gzip => new GzipDecoder(),
        CompressionKind.Zstd => new ZstdDecoder(maxWindowLog),
        CompressionKind.Xz => new XzDecoder(),
        CompressionKind.Lzma => new LzmaDecoder(),
        _ => new Bzip2Decoder(),
    };
}
