using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>A path taken apart for calls that want a directory handle and one name in it.</summary>
internal readonly ref struct SubvolumePath : IDisposable
{
    private const int BTRFS_VOL_NAME_MAX = 255;

    private SubvolumePath(SafeFileHandle directory, byte[] name) => (Directory, Name) = (directory, name);

    public SafeFileHandle Directory { get; }
    public byte[] Name { get; }

    /// <exception cref="PosixException">The directory cannot be opened, or the path ends in no name that could be made or deleted.</exception>
    public static SubvolumePath Open(string path, string call)
    {
        string trimmed = path.TrimEnd('/');
        int slash = trimmed.LastIndexOf('/');
        byte[] name = PathText.ToBytes(trimmed[(slash + 1)..]);
        if (name is [] or [(byte)'.'] or [(byte)'.', (byte)'.'])
            throw new PosixException(call, Errno.EINVAL, path, "the path does not end in a name");
        if (name.Length > BTRFS_VOL_NAME_MAX)
            throw new PosixException(call, Errno.ENAMETOOLONG, path);
        if (name.Contains((byte)0))
            throw new PosixException(call, Errno.EINVAL, path, "a NUL byte in the name");
        string directory = slash < 0 ? "." : slash == 0 ? "/" : trimmed[..slash];
        return new SubvolumePath(Directories.Open(directory), name);
    }

    public void Dispose() => Directory.Dispose();
}
