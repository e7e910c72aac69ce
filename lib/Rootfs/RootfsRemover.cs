using Layerbox.Posix;

namespace Layerbox.Rootfs;

/// <summary>Removes temporary folders whatever lies in them.</summary>
public static class RootfsRemover
{
    /// <summary>
    /// Removes a file, or a directory with all below it; never through a link, never into another mount or subvolume. What is not
    /// there is accepted.
    /// </summary>
    /// <exception cref="PosixException">Something cannot be removed; EXDEV: a mount or subvolume lies inside.</exception>
    public static void Remove(string path) => Directories.RemoveAll(path);
}
