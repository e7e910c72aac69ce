using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

internal static unsafe partial class Libc
{
    [LibraryImport(Name, SetLastError = true)]
    internal static partial int socket(int domain, int type, int protocol);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int connect(SafeFileHandle socket, void* address, uint length);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int getsockopt(SafeFileHandle socket, int level, int option, void* value, uint* length);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int setsockopt(SafeFileHandle socket, int level, int option, void* value, uint length);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint send(SafeFileHandle socket, void* bytes, nuint length, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint recv(SafeFileHandle socket, void* bytes, nuint length, int flags);
}
