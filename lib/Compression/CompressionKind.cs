namespace Layerbox.Compression;

/// <summary>A compression format, as recognised or as asked for.</summary>
public enum CompressionKind
{
    None,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}
