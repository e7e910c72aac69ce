using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>Removes folders of the store.</summary>
internal static class StoreFolder
{
    /// <summary>Removes a folder, or whatever is there, with all files and subvolumes in it; never through a link. Nothing there is fine.</summary>
    /// <exception cref="PosixException">Something in it cannot be removed, such as a mount point; the rest may be gone.</exception>
    public static void Remove(string path)
    {
        try
        {
            using SafeFileHandle parent = Directories.Open(Path.GetDirectoryName(path)!);
            Remove(parent, PathText.ToBytes(Path.GetFileName(path)), path);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
        }
    }

    private static void Remove(SafeFileHandle parent, byte[] name, string path)
    {
        if (!Files.Status(parent, name).IsDirectory)
        {
            Files.Remove(parent, name);
            return;
        }
        if (Subvolume.IsSubvolume(path))
        {
            Subvolume.Delete(path, recursive: true);
            return;
        }
        using (SafeFileHandle directory = Directories.Open(parent, name))
        {
            foreach ((byte[] entry, _) in Directories.List(directory))
                Remove(directory, entry, Path.Combine(path, PathText.FromBytes(entry)));
        }
        Files.Remove(parent, name, isDirectory: true);
    }
}
