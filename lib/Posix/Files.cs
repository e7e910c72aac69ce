using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Calls on files by handle, or by name under a directory handle. Names are bytes; nothing follows a link unless it says so.</summary>
public static unsafe partial class Files
{
    internal const int AT_SYMLINK_NOFOLLOW = 0x100, AT_EMPTY_PATH = 0x1000, AT_REMOVEDIR = 0x200;
    private const uint STATX_BASIC_STATS = 0x7FF;
    // linux/fs.h: FICLONE = _IOW(0x94, 9, int), FICLONERANGE = _IOW(0x94, 13, struct file_clone_range)
    private const nuint FICLONE = 0x40049409, FICLONERANGE = 0x4020940D;

    public static SafeFileHandle Open(SafeFileHandle directory, ReadOnlySpan<byte> path, OpenFlags flags, uint mode = 0) =>
        new(PosixException.Check(OpenNumber(directory, path, flags, mode), "open", path), ownsHandle: true);

    /// <summary>Null when nothing is there, or something on the way is no directory: told without an exception, which takes 30 µs and more.</summary>
    public static SafeFileHandle? TryOpen(string path, OpenFlags flags)
    {
        byte[] bytes = PathText.ToBytes(path);
        int fd = OpenNumber(Directories.Current, bytes, flags, 0);
        return fd < 0 && PosixException.Last is (Errno.ENOENT or Errno.ENOTDIR) ? null : new SafeFileHandle(PosixException.Check(fd, "open", bytes), ownsHandle: true);
    }

    private static int OpenNumber(SafeFileHandle directory, ReadOnlySpan<byte> path, OpenFlags flags, uint mode)
    {
        fixed (byte* p = new CString(path, stackalloc byte[CString.Inline]))
        {
            int fd;
            do
                fd = Libc.openat(directory, p, (int)(flags | OpenFlags.CloseOnExec), mode);
            while (fd < 0 && PosixException.Last == Errno.EINTR);
            return fd;
        }
    }

    public static SafeFileHandle Open(string path, OpenFlags flags, uint mode = 0) =>
        Open(Directories.Current, PathText.ToBytes(path), flags, mode);

    /// <summary>Opens an empty file that has no name, for reading and writing: it is gone when it is closed, however that comes.</summary>
    /// <param name="directory">A directory on the filesystem that is to hold it.</param>
    public static SafeFileHandle OpenTemporary(string directory)
    {
        const uint ReadWriteForOwner = 0x180; // 0600
        try
        {
            return Open(directory, OpenFlags.ReadWrite | OpenFlags.TemporaryFile, ReadWriteForOwner);
        }
        catch (PosixException e) when (e.Errno is Errno.EOPNOTSUPP or Errno.EISDIR or Errno.EINVAL)
        {
            // Not every filesystem can; then it has a name for a moment.
            string path = System.IO.Path.Join(directory, string.Create(System.Globalization.CultureInfo.InvariantCulture, $".layerbox-{Environment.ProcessId}-{Random.Shared.NextInt64():x16}"));
            SafeFileHandle file = Open(path, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow, ReadWriteForOwner);
            Remove(Directories.Current, PathText.ToBytes(path));
            return file;
        }
    }

    /// <summary>lstat below a directory handle; an empty path means the handle itself.</summary>
    public static FileStatus Status(SafeFileHandle directory, ReadOnlySpan<byte> path, bool followLinks = false)
    {
        PosixException.Check(StatusNumber(directory, path, followLinks, out FileStatus status), "stat", path);
        return status;
    }

    /// <summary>As <see cref="Status(SafeFileHandle, ReadOnlySpan{byte}, bool)"/>; null when nothing is there, or something on the way is no directory.</summary>
    public static FileStatus? TryStatus(SafeFileHandle directory, ReadOnlySpan<byte> path, bool followLinks = false)
    {
        int result = StatusNumber(directory, path, followLinks, out FileStatus status);
        if (result < 0 && PosixException.Last is (Errno.ENOENT or Errno.ENOTDIR))
            return null;
        PosixException.Check(result, "stat", path);
        return status;
    }

    private static int StatusNumber(SafeFileHandle directory, ReadOnlySpan<byte> path, bool followLinks, out FileStatus status)
    {
        Libc.StatxBuffer buffer;
        int flags = (followLinks ? 0 : AT_SYMLINK_NOFOLLOW) | (path.IsEmpty ? AT_EMPTY_PATH : 0);
        int result;
        fixed (byte* p = new CString(path, stackalloc byte[CString.Inline]))
            result = Libc.statx(directory, p, flags, STATX_BASIC_STATS, &buffer);
        status = result < 0 ? default : FileStatus.From(buffer);
        return result;
    }

    public static FileStatus Status(SafeFileHandle file) => Status(file, []);

    public static FileStatus Status(string path, bool followLinks = false) =>
        Status(Directories.Current, PathText.ToBytes(path), followLinks);

    /// <summary>Whether something, a dangling link included, is at the path.</summary>
    public static bool Exists(string path) => TryStatus(Directories.Current, PathText.ToBytes(path)) is not null;

    /// <summary>Reads at the handle's own position; 0 at the end.</summary>
    public static int Read(SafeFileHandle file, Span<byte> buffer, string? path = null)
    {
        fixed (byte* p = buffer)
        {
            nint n;
            do
                n = Libc.read(file, p, (nuint)buffer.Length);
            while (n < 0 && PosixException.Last == Errno.EINTR);
            return (int)PosixException.Check(n, "read", path);
        }
    }

    public static int ReadAt(SafeFileHandle file, Span<byte> buffer, long offset, string? path = null)
    {
        fixed (byte* p = buffer)
        {
            nint n;
            do
                n = Libc.pread(file, p, (nuint)buffer.Length, offset);
            while (n < 0 && PosixException.Last == Errno.EINTR);
            return (int)PosixException.Check(n, "read", path);
        }
    }

    /// <summary>Writes all of the buffer at the handle's own position.</summary>
    public static void Write(SafeFileHandle file, ReadOnlySpan<byte> buffer, string? path = null)
    {
        fixed (byte* p = buffer)
        {
            for (int done = 0; done < buffer.Length;)
            {
                nint n = Libc.write(file, p + done, (nuint)(buffer.Length - done));
                if (n >= 0)
                    done += (int)n;
                else if (PosixException.Last is var errno && errno != Errno.EINTR)
                    throw new PosixException("write", errno, path);
            }
        }
    }

    /// <summary>Writes as much as goes at once, and returns how much; null when that is nothing yet (EAGAIN).</summary>
    public static int? TryWrite(SafeFileHandle file, ReadOnlySpan<byte> buffer, string? path = null)
    {
        fixed (byte* p = buffer)
        {
            nint n;
            do
                n = Libc.write(file, p, (nuint)buffer.Length);
            while (n < 0 && PosixException.Last == Errno.EINTR);
            return n < 0 && PosixException.Last == Errno.EAGAIN ? null : (int)PosixException.Check(n, "write", path);
        }
    }

    public static void WriteAt(SafeFileHandle file, ReadOnlySpan<byte> buffer, long offset, string? path = null)
    {
        fixed (byte* p = buffer)
        {
            for (int done = 0; done < buffer.Length;)
            {
                nint n = Libc.pwrite(file, p + done, (nuint)(buffer.Length - done), offset + done);
                if (n >= 0)
                    done += (int)n;
                else if (PosixException.Last is var errno && errno != Errno.EINTR)
                    throw new PosixException("write", errno, path);
            }
        }
    }

    public static void Truncate(SafeFileHandle file, long length, string? path = null) =>
        PosixException.Check(Libc.ftruncate(file, length), "truncate", path);

    public static void Sync(SafeFileHandle file, string? path = null) =>
        PosixException.Check(Libc.fsync(file), "fsync", path);

    /// <summary>Makes <paramref name="to"/> share all extents of <paramref name="from"/>; false where the filesystem cannot (other device, no reflinks).</summary>
    public static bool TryClone(SafeFileHandle from, SafeFileHandle to)
    {
        if (Libc.ioctl(to, FICLONE, (void*)from.DangerousGetHandle()) == 0)
            return true;
        return PosixException.Last is Errno.EXDEV or Errno.EOPNOTSUPP or Errno.ENOTTY or Errno.EINVAL or Errno.ETXTBSY
            ? false
            : throw new PosixException("reflink", PosixException.Last);
    }

    /// <summary>Shares a range of extents. Offsets and length are in bytes, in whole blocks but for an end of file.</summary>
    public static bool TryCloneRange(SafeFileHandle from, long fromOffset, long length, SafeFileHandle to, long toOffset)
    {
        // struct file_clone_range { s64 src_fd; u64 src_offset; u64 src_length; u64 dest_offset; }
        long* range = stackalloc long[4] { (long)from.DangerousGetHandle(), fromOffset, length, toOffset };
        if (Libc.ioctl(to, FICLONERANGE, range) == 0)
            return true;
        return PosixException.Last is Errno.EXDEV or Errno.EOPNOTSUPP or Errno.ENOTTY or Errno.EINVAL
            ? false
            : throw new PosixException("reflink", PosixException.Last);
    }

    /// <summary>The next data or hole at or after an offset (SEEK_DATA, SEEK_HOLE); null past the last one.</summary>
    public static long? Seek(SafeFileHandle file, long offset, bool data)
    {
        const int SEEK_DATA = 3, SEEK_HOLE = 4;
        long at = Libc.lseek(file, offset, data ? SEEK_DATA : SEEK_HOLE);
        if (at < 0 && PosixException.Last != Errno.ENXIO)
            throw new PosixException("seek", PosixException.Last);
        return at < 0 ? null : at;
    }

    /// <summary>The handle's own position, where the next read begins. Only what can seek has one.</summary>
    public static long Position(SafeFileHandle file)
    {
        const int SEEK_CUR = 1;
        long at = Libc.lseek(file, 0, SEEK_CUR);
        return at >= 0 ? at : throw new PosixException("seek", PosixException.Last);
    }

    public static void SetMode(SafeFileHandle file, uint mode, string? path = null) =>
        PosixException.Check(Libc.fchmod(file, mode), "chmod", path);

    public static void SetMode(SafeFileHandle directory, ReadOnlySpan<byte> name, uint mode)
    {
        fixed (byte* p = new CString(name, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.fchmodat(directory, p, mode, 0), "chmod", name);
    }

    public static void SetOwner(SafeFileHandle file, uint uid, uint gid, string? path = null) =>
        PosixException.Check(Libc.fchown(file, uid, gid), "chown", path);

    public static void SetOwner(SafeFileHandle directory, ReadOnlySpan<byte> name, uint uid, uint gid)
    {
        fixed (byte* p = new CString(name, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.fchownat(directory, p, uid, gid, AT_SYMLINK_NOFOLLOW), "chown", name);
    }

    /// <summary>Sets access and modification time to one moment.</summary>
    public static void SetTimes(SafeFileHandle file, long seconds, uint nanoseconds, string? path = null)
    {
        Libc.Timespec* times = stackalloc Libc.Timespec[2];
        times[0] = times[1] = new Libc.Timespec { Seconds = seconds, Nanoseconds = nanoseconds };
        PosixException.Check(Libc.futimens(file, times), "utimes", path);
    }

    /// <inheritdoc cref="SetTimes(SafeFileHandle, long, uint, string?)"/>
    public static void SetTimes(SafeFileHandle directory, ReadOnlySpan<byte> name, long seconds, uint nanoseconds)
    {
        Libc.Timespec* times = stackalloc Libc.Timespec[2];
        times[0] = times[1] = new Libc.Timespec { Seconds = seconds, Nanoseconds = nanoseconds };
        fixed (byte* p = new CString(name, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.utimensat(directory, p, times, AT_SYMLINK_NOFOLLOW), "utimes", name);
    }

    /// <summary>Makes a device, fifo or socket. <paramref name="modeAndType"/> has the S_IF* bits.</summary>
    public static void MakeNode(SafeFileHandle directory, ReadOnlySpan<byte> name, uint modeAndType, uint major, uint minor)
    {
        // sysmacros.h: gnu_dev_makedev
        ulong dev = ((ulong)(major & 0xFFFFF000) << 32) | ((major & 0xFFFUL) << 8) | ((ulong)(minor & 0xFFFFFF00) << 12) | (minor & 0xFFUL);
        fixed (byte* p = new CString(name, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.mknodat(directory, p, modeAndType, dev), "mknod", name);
    }

    public static void MakeSymlink(ReadOnlySpan<byte> target, SafeFileHandle directory, ReadOnlySpan<byte> name)
    {
        fixed (byte* t = new CString(target, stackalloc byte[CString.Inline]), p = new CString(name, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.symlinkat(t, directory, p), "symlink", name);
    }

    [SkipLocalsInit]
    public static byte[] ReadLink(SafeFileHandle directory, ReadOnlySpan<byte> name)
    {
        const int PathMax = 4096;
        byte* buffer = stackalloc byte[PathMax];
        fixed (byte* p = new CString(name, stackalloc byte[CString.Inline]))
        {
            nint length = Libc.readlinkat(directory, p, buffer, PathMax);
            // The name as text only when it is to be told.
            return length >= 0 ? new ReadOnlySpan<byte>(buffer, (int)length).ToArray() : throw new PosixException("readlink", PosixException.Last, PathText.FromBytes(name));
        }
    }

    public static void MakeHardLink(SafeFileHandle fromDirectory, ReadOnlySpan<byte> from, SafeFileHandle toDirectory, ReadOnlySpan<byte> to)
    {
        fixed (byte* f = new CString(from, stackalloc byte[CString.Inline]), t = new CString(to, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.linkat(fromDirectory, f, toDirectory, t, 0), "link", to);
    }

    /// <summary>rename(2); with <paramref name="replace"/> off an existing target is EEXIST.</summary>
    public static void Rename(SafeFileHandle fromDirectory, ReadOnlySpan<byte> from, SafeFileHandle toDirectory, ReadOnlySpan<byte> to, bool replace)
    {
        const uint RENAME_NOREPLACE = 1;
        fixed (byte* f = new CString(from, stackalloc byte[CString.Inline]), t = new CString(to, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.renameat2(fromDirectory, f, toDirectory, t, replace ? 0 : RENAME_NOREPLACE), "rename", to);
    }

    public static void Rename(string from, string to, bool replace) =>
        Rename(Directories.Current, PathText.ToBytes(from), Directories.Current, PathText.ToBytes(to), replace);

    public static void Remove(SafeFileHandle directory, ReadOnlySpan<byte> name, bool isDirectory = false)
    {
        fixed (byte* p = new CString(name, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.unlinkat(directory, p, isDirectory ? AT_REMOVEDIR : 0), isDirectory ? "rmdir" : "unlink", name);
    }

    public static void Remove(string path, bool isDirectory = false) =>
        Remove(Directories.Current, PathText.ToBytes(path), isDirectory);

    /// <summary>flock(2): waits for the lock, or with <paramref name="wait"/> off says false when another holds it.</summary>
    public static bool Lock(SafeFileHandle file, bool exclusive, bool wait, string? path = null)
    {
        const int LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4;
        int operation = (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB);
        while (Libc.flock(file, operation) < 0)
        {
            Errno errno = PosixException.Last;
            if (errno == Errno.EAGAIN && !wait)
                return false;
            if (errno != Errno.EINTR)
                throw new PosixException("lock", errno, path);
        }
        return true;
    }

    /// <summary>
    /// Lets go of a lock at once. Closing the handle is not enough while another thread starts a program: between fork and exec the
    /// child has a copy of the handle, and the lock with it.
    /// </summary>
    public static void Unlock(SafeFileHandle file)
    {
        const int LOCK_UN = 8;
        PosixException.Check(Libc.flock(file, LOCK_UN), "unlock");
    }
}
