using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

public static unsafe partial class Directories
{
    /// <summary>Whether we act as the superuser.</summary>
    public static bool IsRoot { get; } = Libc.geteuid() == 0;

    /// <summary>The owner that new files get.</summary>
    public static uint EffectiveUid { get; } = Libc.geteuid();

    /// <summary>The group that new files get, unless their directory is setgid.</summary>
    public static uint EffectiveGid { get; } = Libc.getegid();

    /// <summary>
    /// Opens what is below a directory without following any link, leaving it by "..", or (unless told so) crossing into another
    /// mount: openat2. ELOOP: a link is on the way; EXDEV: a mount is.
    /// </summary>
    public static SafeFileHandle OpenBeneath(SafeFileHandle directory, ReadOnlySpan<byte> path, OpenFlags flags, bool crossMounts = false)
    {
        const ulong RESOLVE_NO_XDEV = 0x01, RESOLVE_NO_MAGICLINKS = 0x02, RESOLVE_NO_SYMLINKS = 0x04, RESOLVE_BENEATH = 0x08;
        // struct open_how { u64 flags; u64 mode; u64 resolve; }
        ulong* how = stackalloc ulong[3]
        {
            (uint)(flags | OpenFlags.CloseOnExec), 0,
            (crossMounts ? 0 : RESOLVE_NO_XDEV) | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
        };
        fixed (byte* p = new CString(path, stackalloc byte[CString.Inline]))
        {
            nint fd;
            do
                fd = Libc.syscall(SYS_openat2, directory, p, how, 24);
            while (fd < 0 && PosixException.Last is Errno.EINTR or Errno.EAGAIN);
            return fd >= 0
                ? new SafeFileHandle(fd, ownsHandle: true)
                : throw new PosixException("open", PosixException.Last, PathText.FromBytes(path));
        }
    }
}
