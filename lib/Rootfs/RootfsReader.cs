using Layerbox.FileTree;
using Layerbox.Posix;

namespace Layerbox.Rootfs;

/// <summary>What to do with a mount or subvolume inside the directory that is read.</summary>
public enum NestedVolumes
{
    /// <summary>An <see cref="InvalidDataException"/> names it.</summary>
    Refuse,

    /// <summary>It stands in the tree as an empty directory, with the owner and mode of its root.</summary>
    AsEmptyDirectories,
}

/// <summary>How <see cref="RootfsReader"/> reads.</summary>
public sealed record RootfsReadOptions
{
    public NestedVolumes NestedVolumes { get; init; }

    /// <summary>
    /// Asked for each regular file: its SHA-256 where the caller knows it without reading (an inode that has not changed since), or
    /// null. From several threads, but never from two at a time.
    /// </summary>
    public Func<TreePath, FileStatus, byte[]?>? KnownDigest { get; init; }
}

/// <summary>Reads a directory of this machine, with all below it, into a <see cref="Tree"/>. No link is followed and no file is opened.</summary>
public static class RootfsReader
{
    /// <exception cref="PosixException">Something cannot be read.</exception>
    /// <exception cref="InvalidDataException">A mount or a subvolume lies below.</exception>
    public static Tree Read(string directory, RootfsReadOptions? options = null) => Read(new DiskRoot(directory), options);

    /// <inheritdoc cref="Read(string, RootfsReadOptions?)"/>
    public static Tree Read(DiskRoot root, RootfsReadOptions? options = null) =>
        new TreeReading(root, options ?? new RootfsReadOptions()).Run();
}
