using System.Runtime.InteropServices;

namespace Layerbox.Posix;

/// <summary>
/// A failed system call: which call, on which path, and why. The message is "path: call: reason"; the reason is the C
/// library's wording unless the caller knows better what the number means here, and what to do about it.
/// </summary>
public sealed class PosixException(string call, Errno errno, string? path = null, string? reason = null)
    : IOException(Describe(call, reason ?? Reason(errno), path), (int)errno)
{
    public string Call { get; } = call;
    public Errno Errno { get; } = errno;
    public string? Path { get; } = path;

    /// <summary>What the caller knew better than the C library; null when nothing.</summary>
    public string? Meaning { get; } = reason;

    /// <summary>The C library's wording for an error number.</summary>
    public static unsafe string Reason(Errno errno) => Marshal.PtrToStringUTF8((nint)Libc.strerror((int)errno))!;

    /// <summary>Errno of the last failed call; read it before any other call is made.</summary>
    internal static Errno Last => (Errno)Marshal.GetLastPInvokeError();

    internal static int Check(int result, string call, string? path = null) =>
        result >= 0 ? result : throw new PosixException(call, Last, path);

    internal static nint Check(nint result, string call, string? path = null) =>
        result >= 0 ? result : throw new PosixException(call, Last, path);

    internal static int Check(int result, string call, ReadOnlySpan<byte> path) =>
        result >= 0 ? result : throw new PosixException(call, Last, PathText.FromBytes(path));

    private static string Describe(string call, string reason, string? path) =>
        path is null ? $"{call}: {reason}" : $"{path}: {call}: {reason}";
}
