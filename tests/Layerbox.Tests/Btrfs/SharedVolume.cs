using Layerbox.Posix;

namespace Layerbox.Tests.Btrfs;

/// <summary>One small volume for all tests of a class; each takes a folder of its own on it.</summary>
public sealed class SharedVolume : IDisposable
{
    private readonly Lazy<TempVolume> _volume = new(() => TempVolume.OrSkip(1L << 30));

    public string Root => _volume.Value.Path;

    /// <summary>A new empty folder on the volume; without privilege the test is skipped.</summary>
    public string Folder()
    {
        string folder = Path.Combine(Root, Guid.NewGuid().ToString("N"));
        Directories.MakeAll(folder);
        return folder;
    }

    public void Dispose()
    {
        if (_volume.IsValueCreated)
            _volume.Value.Dispose();
    }
}
