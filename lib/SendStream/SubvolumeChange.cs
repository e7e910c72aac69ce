using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>What a stream did to a path, in the order in which it is told of one path.</summary>
public enum PathChange
{
    /// <summary>The name is gone, and what had it is not elsewhere.</summary>
    Deleted,

    /// <summary>Something new is there.</summary>
    Created,

    /// <summary>What is there had another name.</summary>
    Renamed,

    /// <summary>What is there has other names as well: a hard link more.</summary>
    Linked,

    /// <summary>Bytes of the file were written, or its size changed.</summary>
    Rewritten,

    /// <summary>Mode, owner, time or extended attributes changed.</summary>
    Metadata,
}

/// <summary>One thing that a stream did to one path of a subvolume.</summary>
/// <param name="Path">The path as it is after the stream; of what was deleted, as it was before.</param>
/// <param name="Change">What was done.</param>
/// <param name="Inode">What is or was at the path.</param>
/// <param name="IsKindKnown">Whether the kind of the inode is known: not always without the parent.</param>
/// <param name="Other">Renamed: the path before. Linked: another name.</param>
/// <param name="Aspects">Metadata: which.</param>
/// <param name="Bytes">Rewritten: how many bytes are not those that were there.</param>
public sealed record SubvolumeChange(
    TreePath Path, PathChange Change, Inode Inode, bool IsKindKnown, TreePath? Other = null, TreeAspects Aspects = TreeAspects.None, long Bytes = 0);
