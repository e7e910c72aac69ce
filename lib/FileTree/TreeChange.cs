namespace Layerbox.FileTree;

/// <summary>What happened to a path between two trees.</summary>
public enum ChangeKind
{
    Added,
    Removed,
    Changed,
}

/// <summary>In what respects an inode differs. The order is that in which they are told.</summary>
[Flags]
public enum TreeAspects
{
    None = 0,
    Kind = 1,
    Mode = 2,
    Owner = 4,
    Time = 8,
    Xattrs = 16,
    Content = 32,
    Target = 64,
    Device = 128,

    /// <summary>The path shares its inode with other paths than before.</summary>
    Links = 256,
}

/// <summary>One path that differs between two trees.</summary>
/// <param name="Path">The path.</param>
/// <param name="Op">Whether it is there in both trees, or in which.</param>
/// <param name="Aspects">What differs, of a changed path; none for the others.</param>
/// <param name="From">The inode in the first tree; null for an added path.</param>
/// <param name="To">The inode in the second tree; null for a removed path.</param>
/// <param name="LinkFrom">The first name in canonical order of the inode in the first tree, when that is another path: a hard link.</param>
/// <param name="LinkTo">The same in the second tree.</param>
public sealed record TreeChange(
    TreePath Path, ChangeKind Op, TreeAspects Aspects, Inode? From, Inode? To, TreePath? LinkFrom = null, TreePath? LinkTo = null);
