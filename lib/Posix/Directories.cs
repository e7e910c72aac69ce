using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Directories as anchors of *at calls: opening, listing, making.</summary>
public static unsafe partial class Directories
{
    internal const int AT_FDCWD = -100;
    private const nint SYS_openat2 = 437;

    /// <summary>The current folder, as a directory handle.</summary>
    public static SafeFileHandle Current { get; } = new(AT_FDCWD, ownsHandle: false);

    public static SafeFileHandle Open(string path) =>
        Files.Open(Current, PathText.ToBytes(path), OpenFlags.ReadOnly | OpenFlags.Directory);

    /// <summary>Opens a subdirectory by one name, never through a link.</summary>
    public static SafeFileHandle Open(SafeFileHandle parent, ReadOnlySpan<byte> name) =>
        Files.Open(parent, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow);

    public static void Make(SafeFileHandle parent, ReadOnlySpan<byte> name, uint mode)
    {
        fixed (byte* p = new CString(name, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.mkdirat(parent, p, mode), "mkdir", name);
    }

    /// <summary>Makes a folder and those above it; those that exist are accepted.</summary>
    public static void MakeAll(string path, uint mode = 0x1ED /* 0755 */)
    {
        try
        {
            MakeUnlessThere(path, mode);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT && Path.GetDirectoryName(path) is { Length: > 0 } above)
        {
            MakeAll(above, mode);
            // Once: where nothing can be made, as in /proc, it is ENOENT again.
            MakeUnlessThere(path, mode);
        }
    }

    private static void MakeUnlessThere(string path, uint mode)
    {
        try
        {
            Make(Current, PathText.ToBytes(path), mode);
        }
        catch (PosixException e) when (e.Errno == Errno.EEXIST)
        {
            if (!Files.Status(Current, PathText.ToBytes(path), followLinks: true).IsDirectory)
                throw;
        }
    }

    /// <summary>
    /// Opens <paramref name="path"/> as if <paramref name="root"/> were "/": absolute links and ".." stay inside
    /// (openat2 with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS).
    /// </summary>
    public static SafeFileHandle OpenInRoot(SafeFileHandle root, ReadOnlySpan<byte> path, OpenFlags flags, uint mode = 0)
    {
        int fd = OpenNumberInRoot(root, path, flags, mode);
        return new SafeFileHandle(fd >= 0 ? fd : PosixException.Check(fd, "open", PathText.FromBytes(path)), ownsHandle: true);
    }

    /// <summary>As <see cref="OpenInRoot"/>; null when nothing is there, or what is on the way is no directory or a circle of links.</summary>
    public static SafeFileHandle? TryOpenInRoot(SafeFileHandle root, ReadOnlySpan<byte> path, OpenFlags flags)
    {
        int fd = OpenNumberInRoot(root, path, flags, 0);
        return fd < 0 && PosixException.Last is (Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP)
            ? null
            : new SafeFileHandle(PosixException.Check(fd, "open", path), ownsHandle: true);
    }

    private static int OpenNumberInRoot(SafeFileHandle root, ReadOnlySpan<byte> path, OpenFlags flags, uint mode)
    {
        const ulong RESOLVE_NO_MAGICLINKS = 0x02, RESOLVE_IN_ROOT = 0x10;
        ulong* how = stackalloc ulong[3] { (ulong)(flags | OpenFlags.CloseOnExec), mode, RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT };
        fixed (byte* p = new CString(path.IsEmpty ? "."u8 : path, stackalloc byte[CString.Inline]))
            return (int)Libc.syscall(SYS_openat2, root, p, how, 24);
    }

    /// <summary>The names in a directory but "." and "..", in the order of the disk, with the type where the filesystem tells it (else 0).</summary>
    public static List<(byte[] Name, byte Type)> List(SafeFileHandle directory)
    {
        // struct linux_dirent64 { u64 d_ino; s64 d_off; u16 d_reclen; u8 d_type; char d_name[]; }
        const int LengthOffset = 16, TypeOffset = 18, NameOffset = 19;
        List<(byte[], byte)> names = [];
        const int Room = 64 * 1024;
        // Not cleared before, so that only as much memory is taken as there are names.
        byte* buffer = (byte*)NativeMemory.Alloc(Room);
        try
        {
            while (PosixException.Check(Libc.getdents64(directory, buffer, Room), "getdents") is var size and > 0)
            {
                for (byte* entry = buffer; entry < buffer + size; entry += *(ushort*)(entry + LengthOffset))
                {
                    ReadOnlySpan<byte> name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(entry + NameOffset);
                    if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                        names.Add((name.ToArray(), entry[TypeOffset]));
                }
            }
        }
        finally
        {
            NativeMemory.Free(buffer);
        }
        return names;
    }

    /// <summary>Runs an ioctl on a handle; the argument is a struct laid out as the kernel's header says.</summary>
    internal static int Ioctl(SafeFileHandle fd, nuint request, void* argument, string call, string path) =>
        PosixException.Check(Libc.ioctl(fd, request, argument), call, path);

    /// <inheritdoc cref="Ioctl(SafeFileHandle, nuint, void*, string, string)"/>
    public static int Ioctl<T>(SafeFileHandle fd, nuint request, ref T argument, string call, string path) where T : unmanaged
    {
        fixed (T* p = &argument)
            return Ioctl(fd, request, p, call, path);
    }
}
