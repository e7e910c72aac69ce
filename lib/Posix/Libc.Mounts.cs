using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

internal static unsafe partial class Libc
{
    [LibraryImport(Name, SetLastError = true)]
    internal static partial int mount(byte* source, byte* target, byte* type, nuint flags, byte* data);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int umount2(byte* target, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fstatfs(SafeFileHandle fd, StatfsBuffer* buffer);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int syncfs(SafeFileHandle fd);

    /// <summary>struct statfs of 64-bit Linux (bits/statfs.h), 120 bytes.</summary>
    internal struct StatfsBuffer
    {
        internal long Type, BlockSize;
        internal ulong Blocks, FreeBlocks, AvailableBlocks, Files, FreeFiles, FilesystemId;
        internal long NameLength, FragmentSize, Flags;
        internal fixed long Spare[4];
    }
}
