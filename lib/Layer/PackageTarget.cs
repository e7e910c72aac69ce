using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Layerbox.Rpm;

namespace Layerbox.Layer;

/// <summary>
/// The directory that packages are unpacked into. A new one appears whole or not at all; what is in an existing one is added to, and
/// taken back when something fails. Nothing outside is ever reached: see <see cref="RootfsWriter"/>.
/// </summary>
public sealed class PackageTarget : IDisposable
{
    private readonly OutputDirectory? _output;
    private readonly DiskRoot _root;
    private readonly Tree? _state;
    private readonly StagedContentStore _store;

    /// <param name="path">Where it is, or is to be.</param>
    /// <param name="reading">Told how many bytes of a package's payload were read.</param>
    /// <exception cref="PosixException">It cannot be made, or cannot be read.</exception>
    public PackageTarget(string path, Action<long>? reading = null)
    {
        if (Files.Exists(path))
        {
            _root = new DiskRoot(path);
            _state = RootfsReader.Read(_root);
        }
        else
        {
            _output = OutputDirectory.Create(path);
            _root = new DiskRoot(_output.TemporaryPath);
        }
        _store = new StagedContentStore(_root);
        Packages = new RpmTree(_store, _state?.Copy()) { Progress = reading };
    }

    /// <summary>What is to be in the directory: packages are added to it.</summary>
    public RpmTree Packages { get; }

    /// <summary>Writes what was added.</summary>
    /// <param name="progress">Told how far the writing is.</param>
    /// <exception cref="PosixException">A call failed: it names the path, and for EPERM the privilege that is missing.</exception>
    public void Write(Action<RootfsProgress>? progress)
    {
        RootfsWriteOptions options = new() { Progress = progress };
        try
        {
            RootfsWriter.Apply(_root, _state ?? LayerSeal.EmptySubvolume(), Packages.Tree, options);
        }
        catch when (_state is not null)
        {
            _store.Dispose();
            StreamTarget.Restore(_root, _state);
            throw;
        }
        _store.Dispose();
        _output?.Commit();
    }

    public void Dispose()
    {
        _store.Dispose();
        _output?.Dispose();
    }
}
