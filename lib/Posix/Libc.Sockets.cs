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

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int bind(SafeFileHandle socket, void* address, uint length);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int listen(SafeFileHandle socket, int backlog);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int accept4(SafeFileHandle socket, void* address, uint* length, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int getsockname(SafeFileHandle socket, void* address, uint* length);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint sendfile(SafeFileHandle to, SafeFileHandle from, long* offset, nuint count);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int epoll_create1(int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int epoll_ctl(SafeFileHandle queue, int operation, SafeFileHandle fd, void* what);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int epoll_wait(SafeFileHandle queue, void* events, int count, int milliseconds);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int eventfd(uint value, int flags);
}
