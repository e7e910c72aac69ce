using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Waiting for several descriptors at once.</summary>
public static unsafe class Descriptors
{
    /// <summary>No limit to how long we wait.</summary>
    public const int Forever = -1;

    private const int Most = 8;
    private const short POLLIN = 1, POLLOUT = 4;

    /// <summary>
    /// Waits until a read of one of them would not wait (end of file and errors count), or for so many milliseconds; returns a bit for each
    /// that is ready.
    /// </summary>
    public static uint WaitReadable(int milliseconds, params ReadOnlySpan<SafeFileHandle> fds) => Wait(milliseconds, POLLIN, fds);

    /// <summary>Likewise, until something can be written.</summary>
    public static uint WaitWritable(int milliseconds, params ReadOnlySpan<SafeFileHandle> fds) => Wait(milliseconds, POLLOUT, fds);

    private static uint Wait(int milliseconds, short events, ReadOnlySpan<SafeFileHandle> fds)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(fds.Length, Most);
        Libc.PollFd* polls = stackalloc Libc.PollFd[Most];
        for (int i = 0; i < fds.Length; i++)
            polls[i] = new() { Fd = (int)fds[i].DangerousGetHandle(), Events = events };
        long end = Environment.TickCount64 + milliseconds;
        while (Libc.poll(polls, (nuint)fds.Length, milliseconds < 0 ? Forever : (int)Math.Max(end - Environment.TickCount64, 0)) < 0)
        {
            if (PosixException.Last is var errno and not Errno.EINTR)
                throw new PosixException("poll", errno);
        }
        uint ready = 0;
        for (int i = 0; i < fds.Length; i++)
        {
            if (polls[i].Returned != 0)
                ready |= 1u << i;
        }
        return ready;
    }
}
