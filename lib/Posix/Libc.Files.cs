using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

internal static unsafe partial class Libc
{
    [LibraryImport(Name, SetLastError = true)]
    internal static partial int openat(SafeFileHandle dirfd, byte* path, int flags, uint mode);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint syscall(nint number, SafeFileHandle dirfd, byte* path, void* how, nuint size);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint read(SafeFileHandle fd, byte* buffer, nuint count);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint write(SafeFileHandle fd, byte* buffer, nuint count);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint pread(SafeFileHandle fd, byte* buffer, nuint count, long offset);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint pwrite(SafeFileHandle fd, byte* buffer, nuint count, long offset);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial long lseek(SafeFileHandle fd, long offset, int whence);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint copy_file_range(SafeFileHandle from, long* fromOffset, SafeFileHandle to, long* toOffset, nuint length, uint flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint splice(SafeFileHandle from, long* fromOffset, SafeFileHandle to, long* toOffset, nuint length, uint flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial byte* mmap(void* address, nuint length, int protection, int flags, SafeFileHandle fd, long offset);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int munmap(void* address, nuint length);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int memfd_create(byte* name, uint flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int ftruncate(SafeFileHandle fd, long length);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fsync(SafeFileHandle fd);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int flock(SafeFileHandle fd, int operation);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int statx(SafeFileHandle dirfd, byte* path, int flags, uint mask, StatxBuffer* buffer);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fchmod(SafeFileHandle fd, uint mode);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fchmodat(SafeFileHandle dirfd, byte* path, uint mode, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fchown(SafeFileHandle fd, uint owner, uint group);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fchownat(SafeFileHandle dirfd, byte* path, uint owner, uint group, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int futimens(SafeFileHandle fd, Timespec* times);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int utimensat(SafeFileHandle dirfd, byte* path, Timespec* times, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int mkdirat(SafeFileHandle dirfd, byte* path, uint mode);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int mknodat(SafeFileHandle dirfd, byte* path, uint mode, ulong dev);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int symlinkat(byte* target, SafeFileHandle dirfd, byte* path);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint readlinkat(SafeFileHandle dirfd, byte* path, byte* buffer, nuint size);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int linkat(SafeFileHandle olddirfd, byte* oldpath, SafeFileHandle newdirfd, byte* newpath, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int unlinkat(SafeFileHandle dirfd, byte* path, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int renameat2(SafeFileHandle olddirfd, byte* oldpath, SafeFileHandle newdirfd, byte* newpath, uint flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint getdents64(SafeFileHandle fd, byte* buffer, nuint count);

    /// <summary>struct timespec</summary>
    internal struct Timespec
    {
        internal long Seconds;
        internal long Nanoseconds;
    }

    /// <summary>struct statx_timestamp</summary>
    internal struct StatxTimestamp
    {
        internal long Seconds;
        internal uint Nanoseconds;
        internal int Reserved;
    }

    /// <summary>struct statx (linux/stat.h), 256 bytes on every architecture.</summary>
    internal struct StatxBuffer
    {
        internal uint Mask, BlockSize;
        internal ulong Attributes;
        internal uint Links, Uid, Gid;
        internal ushort Mode, Spare0;
        internal ulong Inode, Size, Blocks, AttributesMask;
        internal StatxTimestamp AccessTime, BirthTime, ChangeTime, ModificationTime;
        internal uint RdevMajor, RdevMinor, DevMajor, DevMinor;
        internal ulong MountId;
        internal fixed ulong Spare[13];
    }
}
