using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Layerbox.SendStream;

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
    /// <param name="set">Where its contents come from; what they share is shared on disk, too.</param>
    /// <param name="asSubvolume">Whether it is made as a btrfs subvolume; nothing may be at the path yet.</param>
    /// <param name="progress">Told how far the writing is.</param>
    /// <exception cref="PosixException">A call failed: it names the path, and for EPERM the privilege that is missing.</exception>
    public void Fill(Tree to, SubvolumeSet set, bool asSubvolume, Action<RootfsProgress>? progress)
    {
        RootfsWriteOptions options = Options(set, progress);
        if (_root is not null)
        {
            if (asSubvolume)
                throw new PosixException("subvolume create", Errno.EEXIST, _path, "exists: a new subvolume needs a path where nothing is");
            FillExisting(_root, to, options);
            return;
        }
        using OutputDirectory output = OutputDirectory.Create(_path, make: asSubvolume ? Subvolume.Create : null);
        RootfsWriter.Apply(output.TemporaryPath, LayerSeal.EmptySubvolume(), to, options);
        output.Commit();
    }

    /// <summary>Changes a directory that is in state <paramref name="from"/>. Not in one step: when it fails, it is neither in the one state nor the other.</summary>
    public void Change(Tree from, Tree to, SubvolumeSet set, Action<RootfsProgress>? progress)
    {
        using StagedContentStore store = new(_root!);
        Stage(to, store);
        RootfsWriter.Apply(_root!, from, to, Options(set, progress));
    }

    private static RootfsWriteOptions Options(SubvolumeSet set, Action<RootfsProgress>? progress) => new()
    {
        Progress = progress,
        Runs = !set.HasClones ? null : content => set.PartsOf(content)
            .Where(part => part.Source is not Hole)
            .Select(part => new ContentRun(part.Offset, part.Length, part.Source, part.SourceOffset)),
    };

    /// <summary>Contents that take bytes from files of the directory itself are put together before the first of these changes or goes.</summary>
    private static void Stage(Tree to, StagedContentStore store)
    {
        Dictionary<FileContent, FileContent> staged = new(ReferenceEqualityComparer.Instance);
        foreach ((TreePath _, Inode inode) in to.Walk())
        {
            if (inode.Content is not ReceivedContent content || !content.Parts.Any(part => part.Source is ForeignContent))
                continue;
            if (!staged.TryGetValue(content, out FileContent? whole))
            {
                using ContentWriter writer = store.Create();
                foreach (StreamExtent part in content.Parts)
                {
                    if (part.Source is ForeignContent foreign)
                        writer.CopyFrom(foreign.Content, part.SourceOffset, part.Length, part.Offset);
                    else if (part.Source is not Hole)
                        writer.CopyFrom(content, part.Offset, part.Length, part.Offset);
                }
                writer.SetSize(content.Size);
                staged.Add(content, whole = writer.Complete());
            }
            inode.Content = whole;
        }
    }

    private void FillExisting(DiskRoot root, Tree to, RootfsWriteOptions options)
    {
        try
        {
            RootfsWriter.Apply(root, State!, to, options);
        }
        catch
        {
            Restore(root, State!);
            throw;
        }
    }

    /// <summary>Brings a directory back to a state from which nothing was changed or removed yet.</summary>
    internal static void Restore(DiskRoot root, Tree state) => RootfsWriter.Apply(root, RootfsReader.Read(root), state);
}
