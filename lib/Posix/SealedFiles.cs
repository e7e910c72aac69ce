using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Files in memory that nobody can change any more (memfd_create(2)). They end with the last descriptor.</summary>
public static unsafe class SealedFiles
{
    private const uint MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2;
    private const int F_ADD_SEALS = 1033, F_GET_SEALS = 1034, F_SEAL_SEAL = 1, F_SEAL_SHRINK = 2, F_SEAL_GROW = 4, F_SEAL_WRITE = 8;
    private const int AllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

    /// <summary>What /proc/PID/fd/N of such a file leads to.</summary>
    public static string LinkOf(string name) => $"/memfd:{name} (deleted)";

    /// <summary>Makes one that holds these bytes and never others.</summary>
    public static SafeFileHandle Make(string name, ReadOnlySpan<byte> content)
    {
        fixed (byte* p = new CString(PathText.ToBytes(name), stackalloc byte[CString.Inline]))
        {
            SafeFileHandle file = new(PosixException.Check(Libc.memfd_create(p, MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create", name), ownsHandle: true);
            try
            {
                Files.Write(file, content, name);
                PosixException.Check(Libc.fcntl(file, F_ADD_SEALS, AllSeals), "seal", name);
                return file;
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }
    }

    /// <summary>Whether the file is one, and complete.</summary>
    public static bool IsSealed(SafeFileHandle file) => Libc.fcntl(file, F_GET_SEALS, 0) is var seals and >= 0 && (seals & AllSeals) == AllSeals;
}
