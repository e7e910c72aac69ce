using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

public static unsafe partial class Files
{
    /// <summary>Bytes of one system call of a copy through memory.</summary>
    private const int CopyBuffer = 256 * 1024;

    /// <summary>
    /// Copies a range between two files: inside the kernel (copy_file_range) where it can, through memory elsewhere. Gives the bytes
    /// copied, fewer than asked for only when the source ends early.
    /// </summary>
    public static long CopyRange(SafeFileHandle from, long fromOffset, SafeFileHandle to, long toOffset, long length)
    {
        long done = 0;
        while (done < length)
        {
            long source = fromOffset + done, target = toOffset + done;
            nint n = Libc.copy_file_range(from, &source, to, &target, (nuint)Math.Min(length - done, 1 << 30), 0);
            if (n > 0)
                done += n;
            else if (n == 0)
                return done;
            else if (PosixException.Last is Errno.EXDEV or Errno.EOPNOTSUPP or Errno.ENOSYS or Errno.EINVAL or Errno.EPERM)
                return done + CopyThroughMemory(from, fromOffset + done, to, toOffset + done, length - done);
            else if (PosixException.Last != Errno.EINTR)
                throw new PosixException("copy", PosixException.Last);
        }
        return done;
    }

    private static long CopyThroughMemory(SafeFileHandle from, long fromOffset, SafeFileHandle to, long toOffset, long length)
    {
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent((int)Math.Min(length, CopyBuffer));
        try
        {
            long done = 0;
            while (done < length)
            {
                int n = ReadAt(from, buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - done)), fromOffset + done);
                if (n == 0)
                    break;
                WriteAt(to, buffer.AsSpan(0, n), toOffset + done);
                done += n;
            }
            return done;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Copies all of a file into an empty one, data only: what is a hole stays a hole.</summary>
    public static void CopySparse(SafeFileHandle from, SafeFileHandle to, long size)
    {
        long at = 0;
        while (at < size && Seek(from, at, data: true) is { } data && data < size)
        {
            long end = Math.Min(Seek(from, data, data: false) ?? size, size);
            if (CopyRange(from, data, to, data, end - data) < end - data)
                break;
            at = end;
        }
        Truncate(to, size);
    }

    /// <summary>chmod of a name that must not be a link (EOPNOTSUPP when it is one).</summary>
    public static void SetModeNoFollow(SafeFileHandle directory, ReadOnlySpan<byte> name, uint mode)
    {
        const nint SYS_fchmodat2 = 452; // Linux 6.6; the C library emulates it with three calls before that
        fixed (byte* p = new CString(name, stackalloc byte[CString.Inline]))
        {
            if (Libc.syscall(SYS_fchmodat2, directory, p, (void*)mode, AT_SYMLINK_NOFOLLOW) == 0)
                return;
            if (PosixException.Last is not (Errno.ENOSYS or Errno.EPERM))
                throw new PosixException("chmod", PosixException.Last, PathText.FromBytes(name));
            PosixException.Check(Libc.fchmodat(directory, p, mode, AT_SYMLINK_NOFOLLOW), "chmod", name);
        }
    }

    /// <summary>Gives a file that was opened with O_TMPFILE a name; EEXIST when it is taken.</summary>
    public static void Link(SafeFileHandle file, SafeFileHandle directory, ReadOnlySpan<byte> name)
    {
        const int AT_SYMLINK_FOLLOW = 0x400;
        byte[] self = System.Text.Encoding.ASCII.GetBytes($"/proc/self/fd/{file.DangerousGetHandle()}");
        fixed (byte* f = new CString(self, stackalloc byte[CString.Inline]), t = new CString(name, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.linkat(Directories.Current, f, directory, t, AT_SYMLINK_FOLLOW), "link", name);
    }

    /// <summary>Lets two names of a directory change places in one step; false when the second is not there.</summary>
    public static bool TryExchange(SafeFileHandle directory, ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        const uint RENAME_EXCHANGE = 2;
        fixed (byte* a = new CString(one, stackalloc byte[CString.Inline]), b = new CString(other, stackalloc byte[CString.Inline]))
        {
            if (Libc.renameat2(directory, a, directory, b, RENAME_EXCHANGE) == 0)
                return true;
            return PosixException.Last == Errno.ENOENT ? false : throw new PosixException("rename", PosixException.Last, PathText.FromBytes(other));
        }
    }

    /// <summary>syncfs: brings all of a filesystem to the disk.</summary>
    public static void SyncFilesystem(SafeFileHandle file, string? path = null) => PosixException.Check(Libc.syncfs(file), "syncfs", path);

    /// <summary>Whether a file lies on btrfs (statfs).</summary>
    public static bool IsOnBtrfs(SafeFileHandle file)
    {
        const long BTRFS_SUPER_MAGIC = 0x9123683E; // linux/magic.h
        long* buffer = stackalloc long[16];        // struct statfs: 120 bytes, f_type first
        PosixException.Check(Libc.fstatfs(file, buffer), "statfs");
        return buffer[0] == BTRFS_SUPER_MAGIC;
    }
}
