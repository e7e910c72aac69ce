namespace Layerbox.SendStream;

/// <summary>What a reader puts up with. The format itself knows no limits from version 2 on.</summary>
public sealed record SendStreamLimits
{
    /// <summary>The kernel's own commands stay below 144 KiB; this leaves room for other writers.</summary>
    public const int DefaultMaxCommandLength = 64 << 20;

    /// <summary>More than this no buffer can hold.</summary>
    public const int LargestMaxCommandLength = 1 << 30;

    public static SendStreamLimits Default { get; } = new();

    /// <summary>Longest payload of a command, in bytes. Memory is taken as bytes arrive, never because a length was told.</summary>
    public int MaxCommandLength { get; init; } = DefaultMaxCommandLength;

    /// <summary>How many bytes one encoded write may decode to.</summary>
    public int MaxDecodedLength { get; init; } = SendStreamFormat.MaxEncodedExtent;

    /// <summary>
    /// How large a file may be, in bytes, whose content is read from an input that is kept: a few commands describe files of exabytes, which
    /// would be read for ever.
    /// </summary>
    public long MaxContentSize { get; init; } = 1L << 40;

    /// <summary>How many runs clones and snapshots may copy: clones of clones double them, command by command.</summary>
    public long MaxCopiedRuns { get; init; } = 8 << 20;

    /// <summary>
    /// Whether commands and attributes that are not known are passed over, and those of a newer version than the header's
    /// are taken, as the format's documentation allows.
    /// </summary>
    public bool AllowUnknown { get; init; }

    /// <summary>Whether CRCs are not looked at, for speed alone: bytes that were damaged on their way then pass for what was sent.</summary>
    public bool SkipCrc { get; init; }
}
