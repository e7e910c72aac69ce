using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Extended attributes. Names below a directory handle go through /proc/self/fd, since Linux has no *at form of these calls before 6.13.</summary>
public static unsafe class Xattrs
{
    private const int ValueMax = 65536;

    /// <summary>All attributes, sorted by the bytes of their names. Empty where the filesystem has none.</summary>
    public static List<(byte[] Name, byte[] Value)> Read(SafeFileHandle directory, ReadOnlySpan<byte> name)
    {
        fixed (byte* p = new CString(PathOf(directory, name), stackalloc byte[CString.Inline]))
        {
            byte* path = p;
            return Read((list, size) => Libc.llistxattr(path, (byte*)list, size), (key, value, size) => Libc.lgetxattr(path, (byte*)key, (byte*)value, size), PathText.FromBytes(name));
        }
    }

    public static List<(byte[] Name, byte[] Value)> Read(SafeFileHandle file) =>
        Read((list, size) => Libc.flistxattr(file, (byte*)list, size), (key, value, size) => Libc.fgetxattr(file, (byte*)key, (byte*)value, size), null);

    public static void Set(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        fixed (byte* p = new CString(PathOf(directory, name), stackalloc byte[CString.Inline]), k = new CString(key, stackalloc byte[CString.Inline]), v = value)
            PosixException.Check(Libc.lsetxattr(p, k, v, (nuint)value.Length, 0), $"setxattr {Encoding.UTF8.GetString(key)}", name);
    }

    public static void Set(SafeFileHandle file, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, string? path = null)
    {
        fixed (byte* k = new CString(key, stackalloc byte[CString.Inline]), v = value)
            PosixException.Check(Libc.fsetxattr(file, k, v, (nuint)value.Length, 0), $"setxattr {Encoding.UTF8.GetString(key)}", path);
    }

    public static void Remove(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> key)
    {
        fixed (byte* p = new CString(PathOf(directory, name), stackalloc byte[CString.Inline]), k = new CString(key, stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.lremovexattr(p, k), $"removexattr {Encoding.UTF8.GetString(key)}", name);
    }

    private delegate nint ListCall(nint list, nuint size);

    private delegate nint GetCall(nint key, nint value, nuint size);

    private static byte[] PathOf(SafeFileHandle directory, ReadOnlySpan<byte> name) =>
        [.. Encoding.ASCII.GetBytes($"/proc/self/fd/{directory.DangerousGetHandle()}/"), .. name];

    private static List<(byte[] Name, byte[] Value)> Read(ListCall list, GetCall get, string? path)
    {
        List<(byte[], byte[])> found = [];
        byte* inline = stackalloc byte[1024];
        nint size = list((nint)inline, 1024);
        if (size == 0)
            return found;
        if (size < 0 && PosixException.Last is Errno.EOPNOTSUPP or Errno.ENOTTY)
            return found;
        byte[] names;
        if (size > 0)
            names = new Span<byte>(inline, (int)size).ToArray();
        else
        {
            names = new byte[ValueMax];
            fixed (byte* n = names)
                names = names[..(int)PosixException.Check(list((nint)n, ValueMax), "listxattr", path)];
        }
        byte[] value = new byte[ValueMax];
        for (int at = 0; at < names.Length;)
        {
            int length = names.AsSpan(at).IndexOf((byte)0);
            fixed (byte* n = names, v = value)
            {
                nint got = PosixException.Check(get((nint)(n + at), (nint)v, ValueMax), "getxattr", path);
                found.Add((names[at..(at + length)], value[..(int)got]));
            }
            at += length + 1;
        }
        found.Sort((a, b) => a.Item1.AsSpan().SequenceCompareTo(b.Item1));
        return found;
    }
}
