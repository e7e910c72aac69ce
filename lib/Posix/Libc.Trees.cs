using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

internal static unsafe partial class Libc
{
    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fstatfs(SafeFileHandle fd, void* buffer);

    [LibraryImport(Name)]
    internal static partial uint getegid();
}
