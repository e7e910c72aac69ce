using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

internal static unsafe partial class Libc
{
    [LibraryImport(Name)]
    internal static partial int isatty(SafeFileHandle fd);

    [LibraryImport(Name, EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int fcntl_number(int fd, int command, nint argument);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int dup2(int fd, int newfd);

    [LibraryImport(Name)]
    internal static partial int raise(int signal);

    [LibraryImport(Name)]
    internal static partial byte* gnu_get_libc_version();
}
