using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Terminals and pseudo-terminals (tty_ioctl(4), pts(4)).</summary>
public static unsafe class Terminal
{
    // asm-generic/ioctls.h
    private const nuint TCGETS = 0x5401, TCSETS = 0x5402, TIOCGPGRP = 0x540F, TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414, TIOCSPTLCK = 0x40045431, TIOCGPTPEER = 0x5441;

    /// <summary>How large it is; null when it is no terminal, or does not know.</summary>
    public static TerminalSize? Size(SafeFileHandle fd)
    {
        TerminalSize size;
        return Libc.ioctl(fd, TIOCGWINSZ, &size) == 0 && size is { Rows: > 0, Columns: > 0 } ? size : null;
    }

    /// <summary>On either end of a pseudo-terminal. Its foreground processes get SIGWINCH when this is another size than before.</summary>
    public static void SetSize(SafeFileHandle fd, TerminalSize size) => PosixException.Check(Libc.ioctl(fd, TIOCSWINSZ, &size), "set terminal size");

    /// <summary>How it treats keys and output; null when it is no terminal, or one that has gone away.</summary>
    public static TerminalMode? Mode(SafeFileHandle fd)
    {
        TerminalMode mode;
        return Libc.ioctl(fd, TCGETS, &mode) == 0 ? mode : null;
    }

    /// <summary>
    /// At once, without waiting for output to drain, which a stopped terminal never does. On our controlling terminal this stops a
    /// process of the background (SIGTTOU).
    /// </summary>
    public static void SetMode(SafeFileHandle fd, TerminalMode mode)
    {
        int result;
        do
            result = Libc.ioctl(fd, TCSETS, &mode);
        while (result < 0 && PosixException.Last == Errno.EINTR);
        PosixException.Check(result, "set terminal mode");
    }

    /// <summary>Whether keys on it are for us. One that is not our controlling terminal is nobody else's either.</summary>
    public static bool IsForeground(SafeFileHandle fd)
    {
        int group;
        return Libc.ioctl(fd, TIOCGPGRP, &group) < 0 || group == Libc.getpgrp();
    }

    /// <summary>A new pseudo-terminal; no program inherits its ends unless they are handed to it, and it becomes nobody's controlling terminal.</summary>
    /// <param name="ptmx">The multiplexer of a devpts filesystem.</param>
    public static (SafeFileHandle Master, SafeFileHandle Slave) Open(string ptmx = "/dev/ptmx")
    {
        SafeFileHandle master = Files.Open(ptmx, OpenFlags.ReadWrite | OpenFlags.NoControllingTerminal);
        try
        {
            int locked = 0;
            PosixException.Check(Libc.ioctl(master, TIOCSPTLCK, &locked), "unlock", ptmx);
            nint flags = (nint)(OpenFlags.ReadWrite | OpenFlags.NoControllingTerminal | OpenFlags.CloseOnExec);
            return (master, new SafeFileHandle(PosixException.Check(Libc.ioctl(master, TIOCGPTPEER, (void*)flags), "open slave", ptmx), ownsHandle: true));
        }
        catch
        {
            master.Dispose();
            throw;
        }
    }
}

/// <summary>struct winsize (asm-generic/termios.h): characters, and pixels where the terminal says so.</summary>
public readonly record struct TerminalSize(ushort Rows, ushort Columns, ushort PixelsX = 0, ushort PixelsY = 0);
