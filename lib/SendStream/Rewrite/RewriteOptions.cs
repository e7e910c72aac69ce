using Layerbox.Compression;
using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>How writes are compressed.</summary>
public enum WriteCompression
{
    /// <summary>Not at all: encoded writes are decoded.</summary>
    None,
    Zlib,
    Zstd,
}

/// <summary>What is to be different in the streams that come out. With nothing said they are the same bytes.</summary>
public sealed record RewriteOptions
{
    /// <summary>The version of the format, 1 or 2; null keeps it, or makes it 2 where compression needs that.</summary>
    public uint? Version { get; init; }

    /// <summary>How writes are to be compressed; null leaves them as they are.</summary>
    public WriteCompression? Compression { get; init; }

    /// <summary>The level of the compression: zlib 1 to 9, zstd 1 to 22; null for the default.</summary>
    public int? Level { get; init; }

    /// <summary>How many threads compress; null: one a processor, at most eight. Does not change the bytes.</summary>
    public int? Threads { get; init; }

    /// <summary>Whether writes that follow each other are joined. Compression always does that.</summary>
    public bool JoinWrites { get; init; }

    /// <summary>The subvolumes to keep, by name or by uuid in text; empty: all.</summary>
    public IReadOnlyList<byte[]> Only { get; init; } = [];

    public SubvolumeIdentity Identity { get; init; } = new();

    public IdMap? Users { get; init; }

    public IdMap? Groups { get; init; }

    /// <summary>The user and group that all files are given to.</summary>
    public (uint Uid, uint Gid)? Owner { get; init; }

    /// <summary>Whether times are left out.</summary>
    public bool StripTimes { get; init; }

    /// <summary>No time is to be later than this.</summary>
    public Timestamp? LatestTime { get; init; }

    public SendStreamLimits Limits { get; init; } = SendStreamLimits.Default;

    /// <summary>Whether what was asked for, a name or a uuid in text, is a subvolume.</summary>
    public static bool IsNamed(byte[] wanted, ReceivedSubvolume subvolume) => SubvolumeSelection.IsNamed(wanted, subvolume.Name.Bytes, subvolume.Uuid);

    /// <summary>The levels that a compression has; null for none.</summary>
    public static (int Least, int Most)? Levels(WriteCompression compression) => compression switch
    {
        WriteCompression.Zlib => Compressed.Levels(CompressionKind.Gzip),
        WriteCompression.Zstd => Compressed.Levels(CompressionKind.Zstd),
        _ => null,
    };
}
