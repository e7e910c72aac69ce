namespace Layerbox.Btrfs;

/// <summary>What kind of send stream the kernel shall write.</summary>
public sealed record SendOptions
{
    /// <summary>A read-only subvolume that the receiver has: only the difference to it is sent.</summary>
    public string? Parent { get; init; }

    /// <summary>Other read-only subvolumes that the receiver has, from which extents may be cloned instead of being sent.</summary>
    public IReadOnlyList<string> CloneSources { get; init; } = [];

    /// <summary>The version of the stream, 1 or 2; null takes the lowest that can say what is asked for.</summary>
    public int? Protocol { get; init; }

    /// <summary>Send compressed extents as they are on disk; needs protocol 2.</summary>
    public bool Compressed { get; init; }

    /// <summary>Leave out the contents of files: where they changed is sent, not what they are.</summary>
    public bool NoData { get; init; }
}
