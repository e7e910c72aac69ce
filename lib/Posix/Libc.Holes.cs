using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

internal static unsafe partial class Libc
{
    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fallocate(SafeFileHandle fd, int mode, long offset, long length);
}
