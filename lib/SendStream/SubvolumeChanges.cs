using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// What a stream did, path by path: not how, for senders go through names of their own. Inodes are followed through their names, so a rename is
/// one, even of a directory that is not empty. Without the parent what commands took for granted stands for it.
/// </summary>
public static class SubvolumeChanges
{
    private const TreeAspects Told = TreeAspects.Mode | TreeAspects.Owner | TreeAspects.Time | TreeAspects.Xattrs;

    /// <summary>The changes of a subvolume whose set keeps origins, sorted by path.</summary>
    public static IReadOnlyList<SubvolumeChange> Of(ReceivedSubvolume subvolume)
    {
        Finder finder = new(subvolume);
        finder.Find();
        return finder.Changes;
    }

    private readonly record struct Entry(TreePath Path, Inode? Folder, Inode Inode)
    {
        public FileName Name => Path.Name;
    }

    /// <summary>A name that is gone.</summary>
    private sealed class Gone(TreePath path, Inode inode)
    {
        public TreePath Path => path;

        public Inode Inode => inode;

        /// <summary>Whether a new name of the inode was told to be this one's.</summary>
        public bool IsRenamed { get; set; }
    }

    private sealed class Finder(ReceivedSubvolume subvolume)
    {
        // By inodes of the tree before: where they are now, and which of their names are gone.
        private readonly Dictionary<Inode, Inode> _now = new(ReferenceEqualityComparer.Instance);
        private readonly Dictionary<Inode, Queue<Gone>> _lost = new(ReferenceEqualityComparer.Instance);
        private readonly List<Gone> _gone = []; // all of those, in canonical order
        private readonly Dictionary<Inode, List<TreePath>> _names = new(ReferenceEqualityComparer.Instance); // of hard-linked files
        private readonly Dictionary<Inode, Placeholder> _placeholders = new(ReferenceEqualityComparer.Instance); // by what they were
        private readonly HashSet<Inode> _told = new(ReferenceEqualityComparer.Instance);

        public List<SubvolumeChange> Changes { get; private set; } = [];

        public void Find()
        {
            foreach (Entry entry in Walk(subvolume.Tree))
            {
                if (subvolume.OriginOf(entry.Inode) is { } origin)
                    _now[origin] = entry.Inode;
                if (entry.Inode.Links > 1)
                    NamesOf(entry.Inode).Add(entry.Path);
            }
            if (subvolume.Before is { } before)
                FindLost(before);
            foreach (Entry entry in Walk(subvolume.Tree))
                Visit(entry);
            Changes = WithDeleted(Changes);
        }

        // Both walks go in canonical order, so nothing has to be sorted: to compare the paths of a deep tree takes long.
        private List<SubvolumeChange> WithDeleted(List<SubvolumeChange> others)
        {
            List<SubvolumeChange> all = new(others.Count + _gone.Count);
            int next = 0;
            foreach (Gone gone in _gone)
            {
                if (gone.IsRenamed)
                    continue;
                while (next < others.Count && others[next].Path.CompareTo(gone.Path) < 0)
                    all.Add(others[next++]);
                all.Add(new(gone.Path, PathChange.Deleted, gone.Inode, IsKindOfOriginKnown(gone.Inode)));
            }
            all.AddRange(others.Skip(next));
            return all;
        }

        private void FindLost(Tree before)
        {
            foreach (Entry entry in Walk(before))
            {
                if (entry.Folder is null || (_now.TryGetValue(entry.Inode, out Inode? now) && _now.TryGetValue(entry.Folder, out Inode? folder) && folder.Child(entry.Name) == now))
                    continue;
                if (!_lost.TryGetValue(entry.Inode, out Queue<Gone>? names))
                    _lost.Add(entry.Inode, names = new Queue<Gone>());
                Gone gone = new(entry.Path, entry.Inode);
                names.Enqueue(gone);
                _gone.Add(gone);
            }
        }

        private void Visit(Entry entry)
        {
            Inode inode = entry.Inode;
            bool isFirst = inode.Links <= 1 || _told.Add(inode);
            if (subvolume.OriginOf(inode) is not { } origin)
            {
                Changes.Add(isFirst ? new(entry.Path, PathChange.Created, inode, true) : new(entry.Path, PathChange.Linked, inode, true, NamesOf(inode)[0]));
                return;
            }
            bool isKindKnown = subvolume.PlaceholderOf(inode) is not { } placeholder || placeholder.Known.HasFlag(TreeAspects.Kind);
            bool isWhereItWas = entry.Folder is null || subvolume.OriginOf(entry.Folder)?.Child(entry.Name) == origin;
            if (!isWhereItWas && _lost.TryGetValue(origin, out Queue<Gone>? lost) && lost.TryDequeue(out Gone? gone))
            {
                gone.IsRenamed = true;
                Changes.Add(new(entry.Path, PathChange.Renamed, inode, isKindKnown, gone.Path));
            }
            else if (!isWhereItWas)
                Changes.Add(new(entry.Path, PathChange.Linked, inode, isKindKnown, NamesOf(inode).Find(name => !name.Equals(entry.Path))));
            if (!isFirst)
                return;
            (TreeAspects aspects, bool isRewritten) = Compare(inode, origin);
            if (isRewritten)
                Changes.Add(new(entry.Path, PathChange.Rewritten, inode, true, Bytes: CountNew(inode.Content!, origin.Content!)));
            if (aspects != TreeAspects.None)
                Changes.Add(new(entry.Path, PathChange.Metadata, inode, isKindKnown, Aspects: aspects));
        }

        private (TreeAspects Aspects, bool IsRewritten) Compare(Inode inode, Inode origin)
        {
            if (subvolume.PlaceholderOf(inode) is { } placeholder)
                return (placeholder.Changed & Told, placeholder.Changed.HasFlag(TreeAspects.Content));
            return (TreeDifference.MetadataAspects(origin, inode), !ReferenceEquals(inode.Content, origin.Content)); // contents are copied when they are first written to
        }

        private bool IsKindOfOriginKnown(Inode origin)
        {
            if (subvolume.Placeholders is not { } placeholders)
                return true;
            if (_placeholders.Count == 0)
                foreach (Placeholder placeholder in placeholders.Inodes.Values)
                    _placeholders.Add(placeholder.Origin, placeholder);
            return !_placeholders.TryGetValue(origin, out Placeholder? known) || known.Known.HasFlag(TreeAspects.Kind);
        }

        private List<TreePath> NamesOf(Inode inode)
        {
            if (!_names.TryGetValue(inode, out List<TreePath>? names))
                _names.Add(inode, names = []);
            return names;
        }
    }

    /// <summary>How many bytes of a content do not come from where those at the same place of another do.</summary>
    private static long CountNew(FileContent content, FileContent origin)
    {
        using IEnumerator<StreamExtent> old = Parts(origin).GetEnumerator();
        bool hasOld = old.MoveNext();
        long same = 0;
        foreach (StreamExtent part in Parts(content))
        {
            if (part.Source is UnknownBytes { IsOfAbsent: true })
            {
                same += part.Length; // of the old content it is not asked again: that may know no more
                continue;
            }
            for (; hasOld && old.Current.Offset + old.Current.Length <= part.Offset; hasOld = old.MoveNext()) { }
            while (hasOld && old.Current.Offset < part.Offset + part.Length)
            {
                long start = Math.Max(part.Offset, old.Current.Offset), end = Math.Min(part.Offset + part.Length, old.Current.Offset + old.Current.Length);
                if (IsSame(part, old.Current, start))
                    same += end - start;
                if (old.Current.Offset + old.Current.Length > part.Offset + part.Length)
                    break;
                hasOld = old.MoveNext();
            }
        }
        return content.Size - same;
    }

    private static bool IsSame(StreamExtent a, StreamExtent b, long at) =>
        a.SourceOffset + (at - a.Offset) is var offset && b.SourceOffset + (at - b.Offset) == offset
            && (ReferenceEquals(a.Source, b.Source) || (a.Source is ForeignContent x && b.Source is ForeignContent y && ReferenceEquals(x.Content, y.Content)));

    private static IEnumerable<StreamExtent> Parts(FileContent content) => content switch
    {
        ReceivedContent received => received.Parts,
        { Size: > 0 } => [new StreamExtent(0, content.Size, new ForeignContent(content), 0)],
        _ => [],
    };

    /// <summary>All paths in canonical order, with the directory that each stands in.</summary>
    private static IEnumerable<Entry> Walk(Tree tree)
    {
        yield return new Entry(TreePath.Root, null, tree.Root);
        Stack<(TreePath Path, Inode Folder, ChildList Children, int Next)> open = new();
        open.Push((TreePath.Root, tree.Root, tree.Root.Children, 0));
        while (open.TryPop(out (TreePath Path, Inode Folder, ChildList Children, int Next) at))
        {
            if (at.Next == at.Children.Count)
                continue;
            (FileName name, Inode inode) = at.Children[at.Next];
            open.Push(at with { Next = at.Next + 1 });
            TreePath path = at.Path.Append(name);
            yield return new Entry(path, at.Folder, inode);
            if (inode.ChildCount > 0)
                open.Push((path, inode, inode.Children, 0));
        }
    }
}
