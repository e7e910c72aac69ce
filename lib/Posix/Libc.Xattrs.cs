using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

internal static unsafe partial class Libc
{
    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint llistxattr(byte* path, byte* list, nuint size);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint lgetxattr(byte* path, byte* name, byte* value, nuint size);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int lsetxattr(byte* path, byte* name, byte* value, nuint size, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int lremovexattr(byte* path, byte* name);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint flistxattr(SafeFileHandle fd, byte* list, nuint size);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint fgetxattr(SafeFileHandle fd, byte* name, byte* value, nuint size);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fsetxattr(SafeFileHandle fd, byte* name, byte* value, nuint size, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fremovexattr(SafeFileHandle fd, byte* name);
}
