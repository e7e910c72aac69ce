using Layerbox.Posix;

namespace Layerbox.Btrfs;

/// <summary>A folder under <c>tmp/</c> that is ours until disposed; then it goes with all that is in it, subvolumes included.</summary>
public sealed class TemporaryFolder : IDisposable
{
    private readonly FolderHold _hold;
    private bool _isKept;

    internal TemporaryFolder(string path, FolderHold hold) => (Directory, _hold) = (path, hold);

    /// <summary>The folder, absolute.</summary>
    public string Directory { get; }

    internal FolderHold Hold => _hold;

    /// <summary>Disposing shall only let go of the folder, which has another place now.</summary>
    internal void Keep() => _isKept = true;

    public void Dispose()
    {
        if (_hold.Directory.IsClosed)
            return;
        using (_hold)
        {
            if (!_isKept)
                TryRemove();
        }
    }

    // Mostly we come here by an exception, which this one must not hide; the collector removes what is left, and says so when it cannot.
    private void TryRemove()
    {
        try
        {
            StoreFolder.Remove(Directory);
        }
        catch (PosixException)
        {
        }
    }
}
