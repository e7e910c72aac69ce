using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>A flock on a folder of the store, which keeps the collector away from it (shared) or everybody else (exclusive).</summary>
internal sealed class FolderHold : IDisposable
{
    private readonly SafeFileHandle _directory;

    private FolderHold(SafeFileHandle directory) => _directory = directory;

    /// <summary>The folder, however it is called by now.</summary>
    public SafeFileHandle Directory => _directory;

    /// <summary>Waits for a shared hold; null when the folder is not there, or was taken away while we waited.</summary>
    public static FolderHold? TryShare(string path) => TryLock(path, exclusive: false, wait: true, out _);

    /// <summary>Waits for an exclusive hold, for a moment's work where others hold it for a moment only; null as above.</summary>
    public static FolderHold? TryOwnSoon(string path) => TryLock(path, exclusive: true, wait: true, out _);

    /// <summary>An exclusive hold if nobody has one now; else null, and whether that is because the folder is in use.</summary>
    public static FolderHold? TryOwn(string path, out bool isBusy) => TryLock(path, exclusive: true, wait: false, out isBusy);

    /// <summary>Says that the folder was used just now, from which moment the collector counts its age. Without the right to write there, it stays as it is.</summary>
    public void Touch()
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        try
        {
            Files.SetTimes(_directory, now.ToUnixTimeSeconds(), 0);
        }
        catch (PosixException e) when (e.Errno is Errno.EPERM or Errno.EACCES or Errno.EROFS)
        {
        }
    }

    public void Dispose()
    {
        if (_directory.IsClosed)
            return;
        Files.Unlock(_directory);
        _directory.Dispose();
    }

    private static FolderHold? TryLock(string path, bool exclusive, bool wait, out bool isBusy)
    {
        isBusy = false;
        if (TryOpen(path) is not { } directory)
            return null;
        try
        {
            isBusy = !Files.Lock(directory, exclusive, wait, path);
            FolderHold? hold = isBusy ? null : new FolderHold(directory);
            if (hold is not null && IsStillAt(path, directory))
                return hold;
            hold?.Dispose();
            directory.Dispose();
            return null;
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    private static SafeFileHandle? TryOpen(string path)
    {
        try
        {
            return Files.Open(path, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
    }

    // Opened before the lock was ours, it may have been renamed or removed in between.
    private static bool IsStillAt(string path, SafeFileHandle directory)
    {
        try
        {
            FileStatus mine = Files.Status(directory), there = Files.Status(path);
            return (mine.Inode, mine.DevMajor, mine.DevMinor) == (there.Inode, there.DevMajor, there.DevMinor);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return false;
        }
    }
}
