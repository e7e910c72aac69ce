using Layerbox.FileTree;

namespace Layerbox.Rootfs;

/// <summary>
/// What must be known before the first change: which inodes with several names stay (each inode of the one tree can become one of
/// the other), and which bytes lie in the target itself where they are about to be removed or overwritten.
/// </summary>
internal sealed class WritePlan : IDisposable
{
    private const string FolderName = StagedContentStore.FolderName + "-kept";

    private readonly Dictionary<Inode, (Inode From, DiskDirectory Directory, FileName Name)> _kept = [];
    private readonly HashSet<Inode> _claimed = [];
    private readonly Dictionary<FileContent, StagedContent> _saved = [];
    private readonly DiskRoot _root;
    private StagedContentStore? _store;

    public WritePlan(DiskRoot root, Tree from, Tree to)
    {
        _root = root;
        bool someInside = false;
        foreach ((DiskDirectory directory, FileName name, Inode? before, Inode inode) in Files(from, to))
        {
            bool hasNames = before is not null && (before.Links > 1 || inode.Links > 1);
            if (hasNames && TreeMerge.CanBecome(before!, inode) && !_kept.ContainsKey(inode) && _claimed.Add(before!))
                _kept.Add(inode, (before!, directory, name));
            someInside |= LiesInside(inode.Content);
        }
        if (someInside)
            Save(from, to);
    }

    /// <summary>Whether what is on disk under a name stays and is changed in place.</summary>
    public bool Keeps(Inode from, Inode to) =>
        from.IsDirectory || (from.Links <= 1 && to.Links <= 1)
            ? TreeMerge.CanBecome(from, to)
            : _kept.TryGetValue(to, out (Inode From, DiskDirectory, FileName) kept) && kept.From == from;

    /// <summary>A name under which an inode with several names is on disk from the beginning and to the end; null when it is made anew.</summary>
    public (DiskDirectory Directory, FileName Name)? KeptName(Inode to) =>
        _kept.TryGetValue(to, out (Inode, DiskDirectory Directory, FileName Name) kept) ? (kept.Directory, kept.Name) : null;

    /// <summary>Where the bytes are to be taken from.</summary>
    public FileContent Source(FileContent content) => _saved.TryGetValue(content, out StagedContent? saved) ? saved : content;

    /// <summary>Whether bytes lie in the target, at a place of the tree.</summary>
    public bool LiesInside(FileContent? content) =>
        content is DiskContent disk and not StagedContent { IsStaged: true } && disk.Directory.Root.IsSameAs(_root);

    /// <summary>Whether a staged content can be renamed into this target.</summary>
    public bool CanMove(StagedContent staged) => staged.Directory.Root.IsSameAs(_root);

    public void Dispose() => _store?.Dispose();

    private void Save(Tree from, Tree to)
    {
        foreach ((_, _, Inode? before, Inode inode) in Files(from, to))
        {
            if (!LiesInside(inode.Content))
                continue;
            if (_kept.TryGetValue(inode, out (Inode From, DiskDirectory Directory, FileName Name) kept) && kept.From.Content == inode.Content)
                ((DiskContent)inode.Content!).MoveTo(kept.Directory, kept.Name.Bytes);
            else if (before is not null && Keeps(before, inode) && before.Content == inode.Content)
                continue;
            else if (!_saved.ContainsKey(inode.Content!))
            {
                _store ??= new StagedContentStore(_root, FolderName);
                using ContentWriter copy = _store.Create(inode.Content);
                _saved.Add(inode.Content!, (StagedContent)copy.Complete());
            }
        }
    }

    /// <summary>Every name in <paramref name="to"/> that is no directory's, with what is there before.</summary>
    private IEnumerable<(DiskDirectory Directory, FileName Name, Inode? From, Inode To)> Files(Tree from, Tree to)
    {
        Stack<(DiskDirectory Place, Inode? From, Inode To)> pending = new();
        pending.Push((_root.Directory, from.Root, to.Root));
        while (pending.TryPop(out (DiskDirectory Place, Inode? From, Inode To) directory))
        {
            foreach ((FileName name, Inode? before, Inode? inode) in TreeMerge.Children(directory.From, directory.To))
            {
                if (inode is null)
                    continue;
                if (!inode.IsDirectory)
                    yield return (directory.Place, name, before, inode);
                else if (inode.ChildCount > 0)
                    pending.Push((directory.Place.Below(name), before, inode));
            }
        }
    }
}
