using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>A process that is not ours, held so that its number cannot come to mean another one (pidfd_open(2)).</summary>
public sealed unsafe class ProcessReference : IDisposable
{
    private const nint SYS_pidfd_send_signal = 424, SYS_pidfd_open = 434;

    private ProcessReference(int id, SafeFileHandle handle) => (Id, Handle) = (id, handle);

    public int Id { get; }

    public SafeFileHandle Handle { get; }

    /// <summary>Null when there is no process of that number.</summary>
    public static ProcessReference? TryOpen(int id)
    {
        nint fd = Libc.pidfd_open(SYS_pidfd_open, id, 0);
        if (fd >= 0)
            return new ProcessReference(id, new SafeFileHandle(fd, ownsHandle: true));
        return PosixException.Last is var errno and not (Errno.ESRCH or Errno.EINVAL) ? throw new PosixException("pidfd_open", errno) : null;
    }

    /// <summary>Waits no longer than so many milliseconds (-1: for ever); true when the process has ended.</summary>
    public bool WaitForEnd(int milliseconds) => MessageSockets.Wait(Handle, milliseconds);

    /// <summary>Sends a signal; to a process that has ended, none.</summary>
    public void Kill(Signal signal)
    {
        if (Libc.pidfd_send_signal(SYS_pidfd_send_signal, Handle, (int)signal, null, 0) < 0 && PosixException.Last is var errno and not Errno.ESRCH)
            throw new PosixException($"send {signal}", errno);
    }

    public void Dispose() => Handle.Dispose();
}
