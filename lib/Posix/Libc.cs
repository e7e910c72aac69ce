using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>The libc entry points we call, one declaration each, with C's names and types and no policy. One file per family.</summary>
internal static unsafe partial class Libc
{
    private const string Name = "libc";

    [LibraryImport(Name)]
    internal static partial byte* strerror(int errnum);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int ioctl(SafeFileHandle fd, nuint request, void* arg);

    [LibraryImport(Name)]
    internal static partial uint umask(uint mask);

    [LibraryImport(Name)]
    internal static partial uint geteuid();
}
