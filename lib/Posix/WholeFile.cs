using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Small files read and written in one go.</summary>
public static class WholeFile
{
    /// <summary>All bytes of a file, which may be one of /proc or /sys that does not know its size. Links are followed.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">The most bytes that make sense.</param>
    /// <exception cref="InvalidDataException">There are more.</exception>
    [SkipLocalsInit]
    public static byte[] Read(string path, int limit = int.MaxValue)
    {
        const int Small = 4096;
        // Not blocking: a fifo where a file should be must not hang us.
        using SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NonBlocking | OpenFlags.NoControllingTerminal);
        Span<byte> start = stackalloc byte[Small];
        int length = 0;
        while (length < Small && Files.Read(file, start[length..], path) is var n and > 0)
            length += n;
        if (length > limit)
            throw TooLarge();
        if (length < Small)
            return start[..length].ToArray();
        using MemoryStream bytes = new();
        bytes.Write(start);
        byte[] buffer = new byte[16 * 1024];
        while (Files.Read(file, buffer, path) is var n and > 0)
        {
            bytes.Write(buffer, 0, n);
            if (bytes.Length > limit)
                throw TooLarge();
        }
        return bytes.ToArray();

        InvalidDataException TooLarge() => new(string.Create(CultureInfo.InvariantCulture, $"{path}: larger than {limit} bytes"));
    }

    /// <summary>Puts a file at the path, whole and on the disk, or not at all.</summary>
    /// <param name="path">Where.</param>
    /// <param name="content">All that is to be in it.</param>
    /// <param name="replace">In place of one that may be there; else that is EEXIST.</param>
    public static void Write(string path, ReadOnlySpan<byte> content, bool replace = true)
    {
        using OutputFile file = OutputFile.Create(path, replace);
        Files.Write(file.Handle, content, path);
        file.Commit();
    }
}
