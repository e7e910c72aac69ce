using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>One member of an archive.</summary>
/// <param name="Path">Where it goes: without leading slashes and "./". The root for a member "./".</param>
/// <param name="Inode">What it is, for a hard link only when its bytes came with it; a file's bytes are in the store already.</param>
/// <param name="HardLinkTo">For a hard link, the earlier member that it is another name of.</param>
public sealed record TarEntry(TreePath Path, Inode? Inode, TreePath? HardLinkTo)
{
    /// <summary>The name of the owner, when the archive has one. What counts is the number in <see cref="Inode"/>.</summary>
    public byte[] UserName { get; init; } = [];

    /// <inheritdoc cref="UserName"/>
    public byte[] GroupName { get; init; } = [];

    /// <summary>Where the member's header block stands in the (uncompressed) archive, in bytes.</summary>
    public long Offset { get; init; }
}
