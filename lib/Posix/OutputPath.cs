using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>
/// Where a product is to appear: the folder's handle, the name in it, and a name beside it for the time until then. That is always the same
/// one for a product, and whoever uses it holds a shared flock on what it names: so the next one finds what a killed process left, and takes it away.
/// While somebody else is at work on the same product it is a name of our own.
/// </summary>
internal sealed class OutputPath : IDisposable
{
    private const int MaxLinks = 40, RoomForSuffix = 40, NameMax = 255;

    private readonly byte[] _commonName;

    private OutputPath(string path, SafeFileHandle folder, byte[] folderPath, byte[] name)
    {
        (Path, Folder, FolderPath, Name) = (path, folder, PathText.FromBytes(folderPath), name);
        byte[] start = name.Length > NameMax - RoomForSuffix ? name[..(NameMax - RoomForSuffix)] : name;
        _commonName = [(byte)'.', .. start, .. Suffix];
        TemporaryName = _commonName;
    }

    private static ReadOnlySpan<byte> Suffix => ".layerbox-tmp"u8;

    public string Path { get; }
    public SafeFileHandle Folder { get; }
    public string FolderPath { get; }
    public byte[] Name { get; }

    /// <summary>The name that <see cref="Take"/> took.</summary>
    public byte[] TemporaryName { get; private set; }

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

    /// <summary>Makes something under the temporary name.</summary>
    /// <param name="make">Makes it under the name that it is given, or fails with EEXIST; gives a handle of it, to be kept as long as the name is used.</param>
    public SafeFileHandle Take(Func<byte[], SafeFileHandle> make)
    {
        RemoveAbandoned();
        if (TryTake(_commonName, make) is { } common)
            return common;
        string suffix = string.Create(CultureInfo.InvariantCulture, $"-{Environment.ProcessId}-{Random.Shared.Next():x8}");
        byte[] own = [.. _commonName, .. PathText.ToBytes(suffix)];
        SafeFileHandle made = make(own);
        TemporaryName = own;
        return made;
    }

    /// <summary>
    /// Holds what is, or will be, under the temporary name. Where there are no locks nobody will take it for abandoned, either. The hold is
    /// a shared one: it stays on the finished product until its last handle is closed, which a program that was just started may have a copy
    /// of, and readers that lock what they read (.NET's do) must not be turned away meanwhile.
    /// </summary>
    public static bool TryHold(SafeFileHandle made)
    {
        try
        {
            return Files.Lock(made, exclusive: false, wait: false);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOLCK or Errno.EOPNOTSUPP or Errno.ENOSYS)
        {
            return true;
        }
    }

    /// <summary>Removes what a process that died has left under the temporary name.</summary>
    public void RemoveAbandoned()
    {
        try
        {
            using SafeFileHandle found = Files.Open(Folder, _commonName, OpenFlags.ReadOnly | OpenFlags.NonBlocking | OpenFlags.NoFollow);
            if (Files.Lock(found, exclusive: true, wait: false) && IsAt(_commonName, found))
                Directories.RemoveAll(Folder, _commonName);
        }
        catch (PosixException)
        {
            // Mostly nothing is there. What cannot be removed is in nobody's way.
        }
    }

    // Null when the name is taken, or was taken away again by one who saw it before we had the lock.
    private SafeFileHandle? TryTake(byte[] name, Func<byte[], SafeFileHandle> make)
    {
        SafeFileHandle made;
        try
        {
            made = make(name);
        }
        catch (PosixException e) when (e.Errno == Errno.EEXIST)
        {
            return null;
        }
        if (TryHold(made) && IsAt(name, made))
        {
            TemporaryName = name;
            return made;
        }
        made.Dispose();
        return null;
    }

    private bool IsAt(byte[] name, SafeFileHandle file)
    {
        try
        {
            FileStatus mine = Files.Status(file), there = Files.Status(Folder, name);
            return (mine.Inode, mine.DevMajor, mine.DevMinor) == (there.Inode, there.DevMajor, there.DevMinor);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return false;
        }
    }

    public PosixException Failure(PosixException e) => new(e.Call, e.Errno, Path, e.Meaning);

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
            throw new PosixException(e.Call, e.Errno, path, e.Errno == Errno.ENOENT ? $"there is no folder {PathText.FromBytes(above)}" : null);
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
