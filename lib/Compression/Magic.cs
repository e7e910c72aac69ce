using System.Buffers.Binary;

namespace Layerbox.Compression;

/// <summary>The first bytes by which formats are told apart.</summary>
internal static class Magic
{
    /// <summary>How many bytes must be seen to decide.</summary>
    public const int Longest = 10;

    public static CompressionKind Recognize(ReadOnlySpan<byte> bytes) =>
        IsGzip(bytes) ? CompressionKind.Gzip
        : IsZstd(bytes) ? CompressionKind.Zstd
        : IsXz(bytes) ? CompressionKind.Xz
        : IsBzip2(bytes) ? CompressionKind.Bzip2
        : CompressionKind.None;

    /// <summary>RFC 1952: ID1, ID2, and CM 8 (deflate), the only method there is.</summary>
    public static bool IsGzip(ReadOnlySpan<byte> bytes) => bytes is [0x1f, 0x8b, 8, ..];

    /// <summary>RFC 8878: a frame, or a skippable frame (0x184D2A50 to 0x184D2A5F).</summary>
    public static bool IsZstd(ReadOnlySpan<byte> bytes) =>
        BinaryPrimitives.TryReadUInt32LittleEndian(bytes, out uint magic) && (magic == 0xFD2FB528 || (magic & 0xFFFFFFF0) == 0x184D2A50);

    /// <summary>The .xz file format, section 2.1.1.1.</summary>
    public static bool IsXz(ReadOnlySpan<byte> bytes) => bytes is [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..];

    /// <summary>"BZh", the block size, and the start of a block or, when nothing was compressed, of the trailer: letters alone could begin a text.</summary>
    public static bool IsBzip2(ReadOnlySpan<byte> bytes) =>
        bytes is [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            or [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..];
}
