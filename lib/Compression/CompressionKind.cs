namespace Layerbox.Compression;

/// <summary>A compression format, as recognised or as asked for.</summary>
public enum CompressionKind
{
    None,
    Gzip,
    Zstd,
    Xz,
    Bzip2,

    /// <summary>The format before .xz, which has no signature: never recognised, only read when it is asked for.</summary>
    Lzma,
}
