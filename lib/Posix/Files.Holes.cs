using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

public static unsafe partial class Files
{
    // linux/falloc.h
    private const int FALLOC_FL_KEEP_SIZE = 1, FALLOC_FL_PUNCH_HOLE = 2;

    /// <summary>Makes a range of a file a hole, which reads as zeros; the size stays. False where the filesystem cannot.</summary>
    /// <exception cref="PosixException">fallocate failed for another reason.</exception>
    public static bool TryPunchHole(SafeFileHandle file, long offset, long length, string? path = null)
    {
        while (Libc.fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) != 0)
        {
            if (PosixException.Last == Errno.EOPNOTSUPP)
                return false;
            if (PosixException.Last != Errno.EINTR)
                throw new PosixException("fallocate", PosixException.Last, path);
        }
        return true;
    }
}
