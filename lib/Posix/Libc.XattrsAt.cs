using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

// The *xattrat calls of Linux 6.13 have no wrapper in glibc 2.36, hence syscall(2) in the shapes that they need.
internal static unsafe partial class Libc
{
    internal const nint SYS_setxattrat = 463, SYS_getxattrat = 464, SYS_listxattrat = 465, SYS_removexattrat = 466;

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint xattrat(nint number, SafeFileHandle dirfd, byte* path, uint flags, void* nameOrList, void* args, nuint size);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint listxattrat(nint number, SafeFileHandle dirfd, byte* path, uint flags, byte* list, nuint size);

    /// <summary>struct xattr_args (linux/xattr.h), 16 bytes.</summary>
    internal struct XattrArgs
    {
        internal ulong Value;
        internal uint Size;
        internal uint Flags;
    }
}
