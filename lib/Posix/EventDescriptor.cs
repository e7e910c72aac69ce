using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>A descriptor that can be read from once somebody has written to it, be it the kernel (eventfd(2)).</summary>
public static class EventDescriptor
{
    private const int EFD_CLOEXEC = 0x80000, EFD_NONBLOCK = 0x800;

    public static SafeFileHandle Make() => new(PosixException.Check(Libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"), ownsHandle: true);
}
