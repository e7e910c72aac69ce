using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Where a product is to appear: the folder's handle, the name in it, and a name beside it that nobody uses.</summary>
internal sealed class OutputPath : IDisposable
{
    private const int MaxLinks = 40, RoomForSuffix = 40, NameMax = 255;

    private OutputPath(string path, SafeFileHandle folder, byte[] folderPath, byte[] name)
    {
        (Path, Folder, FolderPath, Name) = (path, folder, PathText.FromBytes(folderPath), name);
        byte[] start = name.Length > NameMax - RoomForSuffix ? name[..(NameMax - RoomForSuffix)] : name;
        string suffix = string.Create(CultureInfo.InvariantCulture, $".{Environment.ProcessId}-{Random.Shared.Next():x8}.tmp");
        TemporaryName = [(byte)'.', .. start, .. PathText.ToBytes(suffix)];
    }

    public string Path { get; }
    public SafeFileHandle Folder { get; }
    public string FolderPath { get; }
    public byte[] Name { get; }
    public byte[] TemporaryName { get; }

    /// <summary>A link at the end of the path is followed, so that its target is replaced and not the link.</summary>
    public static OutputPath Open(string path)
    {
        byte[] bytes = PathText.ToBytes(path.Length > 1 ? path.TrimEnd('/') : path);
        for (int links = 0; ; links++)
        {
            (byte[] above, byte[] name) = Split(bytes);
            if (name.Length == 0 || name.AsSpan().SequenceEqual("."u8) || name.AsSpan().SequenceEqual(".."u8))
                throw new PosixException("open", Errno.EISDIR, path);
            SafeFileHandle folder = OpenFolder(above, path);
            if (!IsLink(folder, name))
                return new OutputPath(path, folder, above, name);
            byte[] target = Files.ReadLink(folder, name);
            folder.Dispose();
            if (links == MaxLinks)
                throw new PosixException("open", Errno.ELOOP, path);
            bytes = target is [(byte)'/', ..] ? target : [.. above, (byte)'/', .. target];
        }
    }

    public void Dispose() => Folder.Dispose();

    public PosixException Failure(PosixException e) => new(e.Call, e.Errno, Path);

    private static (byte[] Above, byte[] Name) Split(byte[] path)
    {
        int slash = path.AsSpan().LastIndexOf((byte)'/');
        return slash < 0 ? ("."u8.ToArray(), path) : (slash == 0 ? "/"u8.ToArray() : path[..slash], path[(slash + 1)..]);
    }

    private static SafeFileHandle OpenFolder(byte[] above, string path)
    {
        try
        {
            return Files.Open(Directories.Current, above, OpenFlags.ReadOnly | OpenFlags.Directory);
        }
        catch (PosixException e)
        {
            throw new PosixException(e.Call, e.Errno, path);
        }
    }

    private static bool IsLink(SafeFileHandle folder, byte[] name)
    {
        try
        {
            return Files.Status(folder, name).IsSymlink;
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return false;
        }
    }
}
