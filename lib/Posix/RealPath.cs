using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>The one path that the kernel itself has for a file: absolute, without links and dots.</summary>
public static class RealPath
{
    /// <exception cref="PosixException">Nothing is there, or the way there is barred.</exception>
    public static string Of(string path)
    {
        using SafeFileHandle file = Files.Open(path, OpenFlags.PathOnly);
        return Of(file);
    }

    /// <summary>Made absolute, with dots and double slashes taken out as text: links stay, and nothing need be there.</summary>
    /// <exception cref="PosixException">A relative path, and the current folder is gone.</exception>
    public static string Textually(string path)
    {
        try
        {
            return Path.GetFullPath(path);
        }
        catch (FileNotFoundException)
        {
            throw new PosixException("getcwd", Errno.ENOENT, path);
        }
    }

    /// <summary>Of an open file; one that was removed ends in " (deleted)".</summary>
    public static string Of(SafeFileHandle file) =>
        PathText.FromBytes(Files.ReadLink(Directories.Current, Encoding.ASCII.GetBytes($"/proc/self/fd/{file.DangerousGetHandle().ToString(CultureInfo.InvariantCulture)}")));

    /// <summary>Of a name that need not exist, in a folder that must; a link of that name is not followed.</summary>
    public static string OfName(string path)
    {
        string trimmed = path.TrimEnd('/');
        int slash = trimmed.LastIndexOf('/');
        string name = trimmed[(slash + 1)..];
        if (name is "" or "." or "..")
            throw new PosixException("path does not end in a name", Errno.EINVAL, path);
        string folder = Of(slash < 0 ? "." : slash == 0 ? "/" : trimmed[..slash]);
        return folder == "/" ? $"/{name}" : $"{folder}/{name}";
    }
}
