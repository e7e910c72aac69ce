using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>What a canonical stream may be told beside its tree and its name.</summary>
public sealed record CanonicalSendOptions
{
    /// <summary>1, which every receiver understands, or 2, with larger writes and with holes that are punched.</summary>
    public uint Version { get; init; } = 1;

    /// <summary>The state that the receiver has: the stream tells how to make the tree of it. Null for a full stream. It must not change meanwhile.</summary>
    public Tree? Parent { get; init; }

    /// <summary>The uuid by which the receiver knows the parent; null for that of the parent's own canonical stream.</summary>
    public Guid? ParentUuid { get; init; }

    /// <summary>The transaction that goes with the parent's uuid. Receivers do not look at it.</summary>
    public ulong ParentTransid { get; init; } = CanonicalSendStream.Transid;

    /// <summary>
    /// Where the bytes of the tree's contents are stored: what is stored once is sent once, and cloned elsewhere. Null: the bytes of the stream
    /// follow from states alone.
    /// </summary>
    public Func<FileContent, IReadOnlyList<StoredRun>>? Storage { get; init; }

    /// <summary>The same for the parent's contents; null where their addresses are those of another disk.</summary>
    public Func<FileContent, IReadOnlyList<StoredRun>>? ParentStorage { get; init; }
}
