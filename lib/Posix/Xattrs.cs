using System.Buffers;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>
/// Extended attributes of a handle, or of a name below a directory handle (a link is not followed). For names the *at calls of
/// Linux 6.13 are used; older kernels are reached through /proc/self/fd.
/// </summary>
public static unsafe class Xattrs
{
    private const int InlineMax = 1024, ValueMax = 65536;
    private const uint NoFollow = Files.AT_SYMLINK_NOFOLLOW;

    /// <summary>ENOSYS on older kernels; EPERM in sandboxes that do not know the call. Listing "/" gives neither for another reason.</summary>
    private static readonly bool s_hasAt = ProbeAt();

    /// <summary>All attributes, sorted by the bytes of their names. Empty where the filesystem has none.</summary>
    public static List<(byte[] Name, byte[] Value)> Read(SafeFileHandle directory, ReadOnlySpan<byte> name)
    {
        if (s_hasAt)
        {
            fixed (byte* p = new CString(name, stackalloc byte[CString.Inline]))
                return Read(new Place(directory, p, isPath: false), name);
        }
        fixed (byte* p = new CString(PathOf(directory, name), stackalloc byte[CString.Inline]))
            return Read(new Place(directory, p, isPath: true), name);
    }

    /// <inheritdoc cref="Read(SafeFileHandle, ReadOnlySpan{byte})"/>
    public static List<(byte[] Name, byte[] Value)> Read(SafeFileHandle file) => Read(new Place(file, null, isPath: false), default);

    public static void Set(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        fixed (byte* p = new CString(s_hasAt ? name : PathOf(directory, name), stackalloc byte[CString.Inline]))
        fixed (byte* k = new CString(key, stackalloc byte[CString.Inline]), v = value)
        {
            Libc.XattrArgs args = new() { Value = (ulong)v, Size = (uint)value.Length };
            nint result = s_hasAt
                ? Libc.xattrat(Libc.SYS_setxattrat, directory, p, NoFollow, k, &args, (nuint)sizeof(Libc.XattrArgs))
                : Libc.lsetxattr(p, k, v, (nuint)value.Length, 0);
            PosixException.Check((int)result, Call("setxattr", key), name);
        }
    }

    public static void Set(SafeFileHandle file, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, string? path = null)
    {
        fixed (byte* k = new CString(key, stackalloc byte[CString.Inline]), v = value)
            PosixException.Check(Libc.fsetxattr(file, k, v, (nuint)value.Length, 0), Call("setxattr", key), path);
    }

    public static void Remove(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> key)
    {
        fixed (byte* p = new CString(s_hasAt ? name : PathOf(directory, name), stackalloc byte[CString.Inline]))
        fixed (byte* k = new CString(key, stackalloc byte[CString.Inline]))
        {
            nint result = s_hasAt
                ? Libc.listxattrat(Libc.SYS_removexattrat, directory, p, NoFollow, k, 0)
                : Libc.lremovexattr(p, k);
            PosixException.Check((int)result, Call("removexattr", key), name);
        }
    }

    public static void Remove(SafeFileHandle file, ReadOnlySpan<byte> key, string? path = null)
    {
        fixed (byte* k = new CString(key, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.fremovexattr(file, k), Call("removexattr", key), path);
    }

    /// <summary>Where attributes are read: a name below a handle, a path, or (name null) the handle itself.</summary>
    private readonly ref struct Place(SafeFileHandle handle, byte* name, bool isPath)
    {
        public nint List(byte* list, nuint size) =>
            name is null ? Libc.flistxattr(handle, list, size)
            : isPath ? Libc.llistxattr(name, list, size)
            : Libc.listxattrat(Libc.SYS_listxattrat, handle, name, NoFollow, list, size);

        public nint Get(byte* key, byte* value, nuint size)
        {
            if (name is null)
                return Libc.fgetxattr(handle, key, value, size);
            if (isPath)
                return Libc.lgetxattr(name, key, value, size);
            Libc.XattrArgs args = new() { Value = (ulong)value, Size = (uint)size };
            return Libc.xattrat(Libc.SYS_getxattrat, handle, name, NoFollow, key, &args, (nuint)sizeof(Libc.XattrArgs));
        }
    }

    private static List<(byte[] Name, byte[] Value)> Read(Place place, ReadOnlySpan<byte> path)
    {
        byte* inline = stackalloc byte[InlineMax];
        nint size = place.List(inline, InlineMax);
        if (size == 0)
            return [];
        if (size > 0)
            return ReadValues(place, new ReadOnlySpan<byte>(inline, (int)size), path);
        if (PosixException.Last is Errno.EOPNOTSUPP or Errno.ENOTTY)
            return [];
        byte[] names = ArrayPool<byte>.Shared.Rent(ValueMax);
        try
        {
            fixed (byte* n = names)
                size = place.List(n, ValueMax);
            return size >= 0
                ? ReadValues(place, names.AsSpan(0, (int)size), path)
                : throw new PosixException("listxattr", PosixException.Last, path.IsEmpty ? null : PathText.FromBytes(path));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(names);
        }
    }

    private static List<(byte[] Name, byte[] Value)> ReadValues(Place place, ReadOnlySpan<byte> names, ReadOnlySpan<byte> path)
    {
        List<(byte[], byte[])> found = [];
        byte[] value = ArrayPool<byte>.Shared.Rent(ValueMax);
        try
        {
            while (!names.IsEmpty)
            {
                int length = names.IndexOf((byte)0);
                nint got;
                fixed (byte* n = names, v = value)
                    got = place.Get(n, v, ValueMax);
                if (got < 0)
                    throw new PosixException(Call("getxattr", names[..length]), PosixException.Last, path.IsEmpty ? null : PathText.FromBytes(path));
                found.Add((names[..length].ToArray(), value[..(int)got]));
                names = names[(length + 1)..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(value);
        }
        found.Sort((a, b) => a.Item1.AsSpan().SequenceCompareTo(b.Item1));
        return found;
    }

    private static string Call(string call, ReadOnlySpan<byte> key) => $"{call} {PathText.FromBytes(key)}";

    private static byte[] PathOf(SafeFileHandle directory, ReadOnlySpan<byte> name) =>
        [.. Encoding.ASCII.GetBytes($"/proc/self/fd/{directory.DangerousGetHandle()}/"), .. name];

    private static bool ProbeAt()
    {
        fixed (byte* root = "/"u8)
        {
            return Libc.listxattrat(Libc.SYS_listxattrat, Directories.Current, root, NoFollow, null, 0) >= 0
                || PosixException.Last is not (Errno.ENOSYS or Errno.EPERM);
        }
    }
}
