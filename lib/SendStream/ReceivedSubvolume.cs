using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>What a stream made: a subvolume in memory.</summary>
/// <param name="Name">The name that the sender knew it by.</param>
/// <param name="Uuid">Its identity for later streams, which name it as parent or clone source: what receivers keep as received uuid.</param>
/// <param name="Ctransid">The transaction of its last change on the sender.</param>
/// <param name="ParentUuid">The subvolume whose changes the stream told; null for a full stream.</param>
/// <param name="Tree">The complete state after the stream; with placeholders, as much as is known of it.</param>
public sealed record ReceivedSubvolume(FileName Name, Guid Uuid, ulong Ctransid, Guid? ParentUuid, Tree Tree)
{
    /// <summary>
    /// What the stream started from: of an absent parent what the commands took for granted, of a full stream nothing. Null where the set does
    /// not keep origins.
    /// </summary>
    public Tree? Before { get; internal init; }

    /// <summary>Whether the parent was not given, so that not all of <see cref="Tree"/> is known.</summary>
    public bool HasPlaceholders => Placeholders is not null;

    internal Placeholders? Placeholders { get; init; }

    internal Dictionary<Inode, Inode>? Origins { get; init; }

    /// <summary>What is known of an inode of <see cref="Tree"/> that an absent parent had; null when all is known.</summary>
    public Placeholder? PlaceholderOf(Inode inode) => Placeholders?.Inodes.GetValueOrDefault(inode);

    /// <summary>The inode of <see cref="Before"/> that an inode of <see cref="Tree"/> was; null for a new one.</summary>
    public Inode? OriginOf(Inode inode) => PlaceholderOf(inode)?.Origin ?? Origins?.GetValueOrDefault(inode);
}
