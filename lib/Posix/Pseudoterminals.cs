using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Pairs of a terminal and what stands for the person before it (pty(7)).</summary>
public static unsafe class Pseudoterminals
{
    // asm-generic/ioctls.h
    private const nuint TIOCGPTPEER = 0x5441;

    /// <summary>Opens the terminal of which this is the other end, wherever its devpts is mounted. Null when it is none.</summary>
    public static SafeFileHandle? TryOpenPeer(SafeFileHandle master)
    {
        int fd = Libc.ioctl(master, TIOCGPTPEER, (void*)(nint)(OpenFlags.ReadWrite | OpenFlags.NoControllingTerminal | OpenFlags.CloseOnExec));
        return fd < 0 ? null : new SafeFileHandle(fd, ownsHandle: true);
    }
}
