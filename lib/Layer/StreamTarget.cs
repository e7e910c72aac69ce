using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Layer;

/// <summary>
/// The directory that a send-stream is applied to. A new one appears whole or not at all; one that was empty is emptied again when
/// something fails; one that holds an earlier state is changed in place. Nothing outside is ever reached: see <see cref="RootfsWriter"/>.
/// </summary>
public sealed class StreamTarget
{
    private readonly string _path;
    private readonly DiskRoot? _root;

    /// <exception cref="PosixException">It cannot be read, or is no directory.</exception>
    /// <exception cref="InvalidDataException">A mount or another subvolume lies in it.</exception>
    public StreamTarget(string path)
    {
        _path = path;
        if (!Files.Exists(path))
            return;
        _root = new DiskRoot(path);
        State = RootfsReader.Read(_root);
    }

    /// <summary>What it holds now; null when there is nothing at the path.</summary>
    public Tree? State { get; }

    /// <summary>Whether it is yet to be made, or to be filled.</summary>
    public bool IsEmpty => State is not { Root.ChildCount: > 0 };

    /// <summary>Makes the directory, or fills an empty one.</summary>
    /// <param name="to">Its new state.</param>
    /// <param name="asSubvolume">Whether it is made as a btrfs subvolume; nothing may be at the path yet.</param>
    /// <param name="progress">Told how far the writing is.</param>
    /// <exception cref="PosixException">A call failed: it names the path, and for EPERM the privilege that is missing.</exception>
    public void Fill(Tree to, bool asSubvolume, Action<RootfsProgress>? progress)
    {
        RootfsWriteOptions options = new() { Progress = progress };
        if (_root is not null)
        {
            if (asSubvolume)
                throw new PosixException("subvolume create", Errno.EEXIST, _path);
            FillExisting(_root, to, options);
            return;
        }
        using OutputDirectory output = OutputDirectory.Create(_path, make: asSubvolume ? Subvolume.Create : null);
        RootfsWriter.Apply(output.TemporaryPath, LayerSeal.EmptySubvolume(), to, options);
        output.Commit();
    }

    /// <summary>Changes a directory that is in state <paramref name="from"/>. Not in one step: when it fails, it is neither in the one state nor the other.</summary>
    public void Change(Tree from, Tree to, Action<RootfsProgress>? progress) => RootfsWriter.Apply(_root!, from, to, new RootfsWriteOptions { Progress = progress });

    private void FillExisting(DiskRoot root, Tree to, RootfsWriteOptions options)
    {
        try
        {
            RootfsWriter.Apply(root, State!, to, options);
        }
        catch
        {
            RootfsWriter.Apply(root, RootfsReader.Read(root), State!);
            throw;
        }
    }
}
