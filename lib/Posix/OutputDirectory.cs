using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>
/// A directory that appears at its path whole or not at all: filled under a temporary name beside it, synced and renamed by
/// <see cref="Commit"/>; removed with all that is in it when that call never comes, after SIGKILL by the next one to write there.
/// </summary>
public sealed class OutputDirectory : IDisposable
{
    private const uint AllForAll = 0x1FF; // 0777, less the umask

    private readonly OutputPath _path;
    private readonly bool _replace;
    private readonly SafeFileHandle _directory;
    private bool _isDone;

    private OutputDirectory(OutputPath path, SafeFileHandle directory, bool replace)
    {
        (_path, _directory, _replace) = (path, directory, replace);
        TemporaryPath = System.IO.Path.Combine(path.FolderPath, PathText.FromBytes(path.TemporaryName));
    }

    /// <summary>Where the directory is until then.</summary>
    public string TemporaryPath { get; }

    /// <summary>Starts a directory.</summary>
    /// <param name="path">Where it is to appear; the folder above must exist.</param>
    /// <param name="replace">Whether what is there is replaced, in one step; else that is EEXIST, now or at the end.</param>
    /// <param name="make">Makes an empty directory of some other kind, such as a subvolume, at the path that it is given, or fails with EEXIST.</param>
    public static OutputDirectory Create(string path, bool replace = false, Action<string>? make = null)
    {
        if (!replace && Files.Exists(path))
            throw new PosixException("create", Errno.EEXIST, path);
        OutputPath place = OutputPath.Open(path);
        try
        {
            return new OutputDirectory(place, place.Take(name => Make(place, name, make)), replace);
        }
        catch (PosixException e)
        {
            place.Dispose();
            throw place.Failure(e);
        }
    }

    /// <summary>Makes it appear, durably.</summary>
    public void Commit()
    {
        try
        {
            Files.SyncFilesystem(_directory);
            if (_replace && Files.TryExchange(_path.Folder, _path.TemporaryName, _path.Name))
                Directories.RemoveAll(_path.Folder, _path.TemporaryName);
            else
                Files.Rename(_path.Folder, _path.TemporaryName, _path.Folder, _path.Name, replace: false);
            _isDone = true;
            Files.Sync(_path.Folder);
        }
        catch (PosixException e)
        {
            throw _path.Failure(e);
        }
    }

    /// <summary>Gives it up, unless it was committed.</summary>
    public void Dispose()
    {
        if (!_isDone)
            Directories.RemoveAll(_path.Folder, _path.TemporaryName);
        _isDone = true;
        _directory.Dispose();
        _path.Dispose();
    }

    private static SafeFileHandle Make(OutputPath place, byte[] name, Action<string>? make)
    {
        if (make is null)
            Directories.Make(place.Folder, name, AllForAll);
        else
            make(System.IO.Path.Combine(place.FolderPath, PathText.FromBytes(name)));
        return Directories.Open(place.Folder, name);
    }
}
