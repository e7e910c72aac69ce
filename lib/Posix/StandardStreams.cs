using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>What a program must know about descriptors 0, 1 and 2 before it uses them.</summary>
public static unsafe class StandardStreams
{
    private const int F_GETFD = 1;
    private const short POLLIN = 1;

    /// <summary>
    /// Fills descriptors 0, 1 and 2 where the caller closed them; otherwise the next file that we open would become our standard output.
    /// What fills them cannot be used, so that a write to a closed standard output stays the error (EBADF) that it is.
    /// </summary>
    public static void Reserve()
    {
        if (IsOpen(0) && IsOpen(1) && IsOpen(2))
            return;
        // The pipe may itself land on the closed numbers; each is then set to the end that is of no use there.
        int* ends = stackalloc int[2];
        PosixException.Check(Libc.pipe2(ends, 0), "pipe");
        (int read, int write) = (Above2(ends[0]), Above2(ends[1]));
        bool[] closed = [.. Enumerable.Range(0, 3).Select(fd => !IsOpen(fd) || fd == ends[0] || fd == ends[1])];
        for (int fd = 0; fd < closed.Length; fd++)
        {
            if (closed[fd])
                PosixException.Check(Libc.dup2(fd == 0 ? write : read, fd), "dup2");
        }
        new SafeFileHandle(read, ownsHandle: true).Dispose();
        new SafeFileHandle(write, ownsHandle: true).Dispose();
    }

    /// <summary>Has standard input begin with these bytes again, and end with them, for a program that this one becomes.</summary>
    public static void PutBack(ReadOnlySpan<byte> input)
    {
        using SafeFileHandle file = SealedFiles.Make("standard-input", input);
        PosixException.Check((int)Libc.lseek(file, 0, 0), "lseek");
        PosixException.Check(Libc.dup2((int)file.DangerousGetHandle(), 0), "dup2");
    }

    public static bool IsTerminal(SafeFileHandle fd) => Libc.isatty(fd) == 1;

    /// <summary>Waits until a read would not block, or for the given time; says whether it is so (end of file and errors count).</summary>
    internal static bool WaitReadable(SafeFileHandle fd, int milliseconds)
    {
        Libc.PollFd poll = new() { Fd = (int)fd.DangerousGetHandle(), Events = POLLIN };
        int ready = Libc.poll(&poll, 1, milliseconds);
        // A signal ends the wait without anything to read; what else fails, the read will say.
        return ready > 0 || (ready < 0 && PosixException.Last != Errno.EINTR);
    }

    /// <summary>The C library's own version, such as "2.36".</summary>
    public static string LibcVersion => Marshal.PtrToStringUTF8((nint)Libc.gnu_get_libc_version())!;

    private static bool IsOpen(int fd) => Libc.fcntl_number(fd, F_GETFD, 0) >= 0;

    private static int Above2(int fd)
    {
        const int F_DUPFD_CLOEXEC = 1030;
        return PosixException.Check(Libc.fcntl_number(fd, F_DUPFD_CLOEXEC, 3), "fcntl");
    }
}
