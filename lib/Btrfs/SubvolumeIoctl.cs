using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>Runs btrfs ioctls and words the errors that mean something of their own here.</summary>
internal static class SubvolumeIoctl
{
    /// <exception cref="PosixException">With the kernel's errno; the reason says what to do where we know it.</exception>
    public static void Run<T>(SafeFileHandle fd, nuint request, ref T argument, string call, string path) where T : unmanaged
    {
        try
        {
            Directories.Ioctl(fd, request, ref argument, call, path);
        }
        catch (PosixException e) when (Meaning(e.Errno) is { } reason)
        {
            throw new PosixException(call, e.Errno, path, reason);
        }
    }

    private static string? Meaning(Errno errno) => errno switch
    {
        Errno.ENOTTY => "not on btrfs",
        Errno.EPERM => "not permitted: run as root (CAP_SYS_ADMIN is needed)",
        Errno.EROFS => "read-only: the mount or the subvolume that holds it",
        Errno.EXDEV => "on another filesystem",
        Errno.EDQUOT => "quota exceeded",
        Errno.EOPNOTSUPP => "not supported by this kernel or filesystem",
        _ => null,
    };
}
