using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>
/// A file that appears at its path whole or not at all: written without a name where the filesystem can (then even SIGKILL leaves
/// nothing), else under a temporary name beside it, which the next one to write there removes; synced and put in place by <see cref="Commit"/>. Without that call nothing
/// stays. The mode follows the umask. What is no regular file (a device, a pipe) is simply written to.
/// </summary>
public sealed class OutputFile : IDisposable
{
    private const uint ReadWriteForAll = 0x1B6; // 0666, less the umask

    private readonly OutputPath? _path;
    private readonly bool _replace;
    private readonly bool _isNameless;
    private bool _isDone;

    private OutputFile(OutputPath? path, SafeFileHandle file, bool replace, bool isNameless, string shown)
    {
        (_path, _replace, _isNameless) = (path, replace, isNameless);
        Stream = new FdStream(file, shown);
    }

    /// <summary>Where the bytes go. Not to be disposed by who writes.</summary>
    public FdStream Stream { get; }

    /// <summary>The same as a handle, for seeking and for system calls.</summary>
    public SafeFileHandle Handle => Stream.Handle;

    /// <summary>Starts a file.</summary>
    /// <param name="path">Where it is to appear; the folder must exist.</param>
    /// <param name="replace">Whether a file that is there is replaced; else that is EEXIST, now or at the end.</param>
    /// <exception cref="PosixException">The folder cannot be written, or the path is that of a directory.</exception>
    public static OutputFile Create(string path, bool replace = true)
    {
        if (Existing(path) is { } existing)
        {
            if (existing.IsDirectory)
                throw new PosixException("open", Errno.EISDIR, path);
            if (!existing.IsRegular)
                return new OutputFile(null, Files.Open(path, OpenFlags.WriteOnly), replace, isNameless: false, path);
            if (!replace)
                throw new PosixException("create", Errno.EEXIST, path);
        }
        OutputPath place = OutputPath.Open(path);
        try
        {
            SafeFileHandle? nameless = TryOpenNameless(place);
            return new OutputFile(place, nameless ?? OpenNamed(place), replace, nameless is not null, path);
        }
        catch (PosixException e)
        {
            place.Dispose();
            throw place.Failure(e);
        }
    }

    /// <summary>Makes it appear, durably.</summary>
    /// <exception cref="PosixException">EEXIST: something is there and is not to be replaced; others: the bytes did not reach the disk.</exception>
    public void Commit()
    {
        if (_path is null)
        {
            _isDone = true;
            return;
        }
        try
        {
            Files.Sync(Handle);
            // Under its own name at once, if nothing is there: then there is no moment at which a temporary name could be left.
            if (!_isNameless || !TryLink(_path))
            {
                if (_isNameless)
                    LinkTemporarily(_path);
                RenameIntoPlace(_path);
            }
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
        Stream.Dispose();
        if (_path is null)
            return;
        if (!_isDone && !_isNameless)
            RemoveTemporary(_path);
        _isDone = true;
        _path.Dispose();
    }

    private void LinkTemporarily(OutputPath path) => path.Take(name =>
    {
        // Before it has a name, so that nobody can take it for abandoned.
        OutputPath.TryHold(Handle);
        Files.Link(Handle, path.Folder, name);
        return Handle;
    });

    private bool TryLink(OutputPath path)
    {
        path.RemoveAbandoned();
        try
        {
            Files.Link(Handle, path.Folder, path.Name);
            return true;
        }
        catch (PosixException e) when (e.Errno == Errno.EEXIST && _replace)
        {
            return false;
        }
    }

    private void RenameIntoPlace(OutputPath path)
    {
        try
        {
            Files.Rename(path.Folder, path.TemporaryName, path.Folder, path.Name, _replace);
        }
        catch (PosixException)
        {
            RemoveTemporary(path);
            throw;
        }
    }

    private static void RemoveTemporary(OutputPath path)
    {
        try
        {
            Files.Remove(path.Folder, path.TemporaryName);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
        }
    }

    private static FileStatus? Existing(string path)
    {
        try
        {
            return Files.Status(path, followLinks: true);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return null;
        }
    }

    /// <summary>O_TMPFILE, which not every filesystem has; to be named through /proc, which not every chroot has.</summary>
    private static SafeFileHandle? TryOpenNameless(OutputPath place)
    {
        if (!Files.Exists("/proc/self/fd"))
            return null;
        try
        {
            return Files.Open(place.Folder, "."u8, OpenFlags.ReadWrite | OpenFlags.TemporaryFile, ReadWriteForAll);
        }
        catch (PosixException e) when (e.Errno is Errno.EOPNOTSUPP or Errno.EISDIR or Errno.EINVAL)
        {
            return null;
        }
    }

    private static SafeFileHandle OpenNamed(OutputPath place) => place.Take(name => Files.Open(
        place.Folder, name, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow, ReadWriteForAll));
}
