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

    [LibraryImport(Name)]
    internal static partial Tm* localtime_r(long* time, Tm* result);

    /// <summary>struct tm of glibc (bits/types/struct_tm.h).</summary>
    internal struct Tm
    {
        internal int Second, Minute, Hour, DayOfMonth, Month, Year, DayOfWeek, DayOfYear, IsDaylightSaving;
        internal long GmtOffset;
        internal byte* Zone;
    }
}
