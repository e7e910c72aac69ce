using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Pipes between programs.</summary>
public static unsafe class Pipes
{
    private const int F_GETFL = 3, F_SETFL = 4, F_SETPIPE_SZ = 1031;
    // asm-generic/ioctls.h
    private const nuint FIONREAD = 0x541B;

    /// <summary>A pipe whose ends no program inherits unless they are handed to it.</summary>
    public static (SafeFileHandle Read, SafeFileHandle Write) Make()
    {
        int* ends = stackalloc int[2];
        PosixException.Check(Libc.pipe2(ends, (int)OpenFlags.CloseOnExec), "pipe");
        return (new SafeFileHandle(ends[0], ownsHandle: true), new SafeFileHandle(ends[1], ownsHandle: true));
    }

    /// <summary>Asks for room for so many bytes; where the system's limits do not grant them, the pipe stays as it is.</summary>
    public static void SetCapacity(SafeFileHandle end, int bytes) => _ = Libc.fcntl(end, F_SETPIPE_SZ, bytes);

    /// <summary>
    /// Writes bytes of a file to a pipe without copying them: the pipe refers to what the kernel holds of the file. Waits until there is room.
    /// </summary>
    /// <param name="file">A regular file; its position is not used.</param>
    /// <param name="offset">Where in the file the bytes begin.</param>
    /// <param name="length">How many they are.</param>
    /// <param name="pipe">The end that is written to.</param>
    /// <param name="pipeName">What errors call it.</param>
    /// <returns>How many were written, which may be fewer; 0 at the end of the file; null where the file's filesystem cannot do this.</returns>
    public static long? Splice(SafeFileHandle file, long offset, long length, SafeFileHandle pipe, string? pipeName = null)
    {
        nint n;
        do
            n = Libc.splice(file, &offset, pipe, null, (nuint)length, 0);
        while (n < 0 && PosixException.Last == Errno.EINTR);
        return n < 0 && PosixException.Last == Errno.EINVAL ? null : PosixException.Check(n, "write", pipeName);
    }

    /// <summary>Bytes that were written and not yet read.</summary>
    public static int BytesWaiting(SafeFileHandle end)
    {
        int bytes;
        PosixException.Check(Libc.ioctl(end, FIONREAD, &bytes), "ioctl");
        return bytes;
    }

    /// <summary>Makes reads and writes of this end return EAGAIN instead of waiting; the other end is not affected.</summary>
    internal static void SetNonBlocking(SafeFileHandle end)
    {
        int flags = PosixException.Check(Libc.fcntl(end, F_GETFL, 0), "fcntl");
        PosixException.Check(Libc.fcntl(end, F_SETFL, flags | (int)OpenFlags.NonBlocking), "fcntl");
    }
}
