namespace Layerbox.FileTree;

/// <summary>
/// What must be done to one tree to make it another, path by path in canonical order. Empty exactly when both have the same
/// <see cref="TreeDigest"/>; contents are compared by identity and size before anything is read.
/// </summary>
public static class TreeDifference
{
    /// <summary>
    /// The paths that differ. A path whose kind changed is one change; what stood below a directory that is none any more is removed
    /// after it in the list, what is new below one added after it.
    /// </summary>
    public static IReadOnlyList<TreeChange> Compare(Tree from, Tree to)
    {
        Comparison comparison = new();
        for (TreePairCursor at = new(from, to); at.MoveNext();)
            comparison.Visit(at);
        return comparison.Changes;
    }

    /// <summary>The contents that <see cref="Compare"/> has to read, since they may be equal: two for each path, for those who can read several at once.</summary>
    public static IEnumerable<FileContent> ContentsToRead(Tree from, Tree to)
    {
        TreePath? folder = null;
        Inode? folderFrom = null;
        foreach ((TreePath path, Inode inode) in to.Walk())
        {
            if (inode.Content is not { Size: > 0 } content)
                continue;
            if (!ReferenceEquals(folder, path.Parent))
                (folder, folderFrom) = (path.Parent, from.Find(path.Parent));
            if (folderFrom?.Child(path.Name)?.Content is { } other && other.Size == content.Size && !ReferenceEquals(other, content))
            {
                yield return other;
                yield return content;
            }
        }
    }

    private sealed class Comparison
    {
        private readonly Names _namesFrom = new(), _namesTo = new();
        private readonly List<(FileName Name, TreePath? Path)> _way = []; // from the root to where the walk is

        // Hard links are regrouped when the paths that both trees have fall into other groups. Each group is known by its first
        // such path, and two divisions of one row into groups are equal when every path has the same first one in both.
        private readonly Dictionary<Inode, int> _groupsFrom = new(ReferenceEqualityComparer.Instance);
        private readonly Dictionary<Inode, int> _groupsTo = new(ReferenceEqualityComparer.Instance);
        private int _commonPaths;

        public List<TreeChange> Changes { get; } = [];

        public void Visit(TreePairCursor at)
        {
            _way.RemoveRange(at.Depth, _way.Count - at.Depth);
            _way.Add((at.Name, null));
            (Inode? from, Inode? to) = (at.From, at.To);
            TreePath? linkFrom = from?.Links > 1 ? _namesFrom.FirstOf(from, Path()) : null;
            TreePath? linkTo = to?.Links > 1 ? _namesTo.FirstOf(to, Path()) : null;
            if (from is null)
            {
                Changes.Add(new(Path(), ChangeKind.Added, TreeAspects.None, null, to, null, linkTo));
            }
            else if (to is null)
            {
                Changes.Add(new(Path(), ChangeKind.Removed, TreeAspects.None, from, null, linkFrom));
            }
            else
            {
                TreeAspects aspects = Aspects(from, to) | (IsRegrouped(from, to) ? TreeAspects.Links : TreeAspects.None);
                if (aspects != TreeAspects.None)
                    Changes.Add(new(Path(), ChangeKind.Changed, aspects, from, to, linkFrom, linkTo));
            }
        }

        // Most paths are equal and need no path object; those below one share it.
        private TreePath Path()
        {
            int known = _way.FindLastIndex(step => step.Path is not null);
            for (int i = known + 1; i < _way.Count; i++)
                _way[i] = (_way[i].Name, i == 0 ? TreePath.Root : _way[i - 1].Path!.Append(_way[i].Name));
            return _way[^1].Path!;
        }

        private bool IsRegrouped(Inode from, Inode to)
        {
            int path = _commonPaths++;
            return Group(_groupsFrom, from, path) != Group(_groupsTo, to, path);
        }

        private static int Group(Dictionary<Inode, int> groups, Inode inode, int path) =>
            inode.Links > 1 && !groups.TryAdd(inode, path) ? groups[inode] : path;
    }

    /// <summary>How two inodes differ, apart from what is below them and from their other names.</summary>
    public static TreeAspects Aspects(Inode from, Inode to)
    {
        if (ReferenceEquals(from, to))
            return TreeAspects.None;
        TreeAspects aspects = MetadataAspects(from, to);
        if (from.Kind != to.Kind)
            return aspects | TreeAspects.Kind;
        if (from.Kind == FileKind.File && !from.Content!.HasSameBytes(to.Content!))
            aspects |= TreeAspects.Content;
        if (from.Kind == FileKind.Symlink && !from.Target.AsSpan().SequenceEqual(to.Target))
            aspects |= TreeAspects.Target;
        if (from.IsDevice && (from.DeviceMajor != to.DeviceMajor || from.DeviceMinor != to.DeviceMinor))
            aspects |= TreeAspects.Device;
        return aspects;
    }

    /// <summary>How mode, owner, modification time and extended attributes of two inodes differ.</summary>
    public static TreeAspects MetadataAspects(Inode from, Inode to)
    {
        TreeAspects aspects = TreeAspects.None;
        if (from.Mode != to.Mode)
            aspects |= TreeAspects.Mode;
        if (from.Uid != to.Uid || from.Gid != to.Gid)
            aspects |= TreeAspects.Owner;
        if (from.ModificationTime != to.ModificationTime)
            aspects |= TreeAspects.Time;
        if (!from.Xattrs.Equals(to.Xattrs))
            aspects |= TreeAspects.Xattrs;
        return aspects;
    }

    /// <summary>The first names of inodes with several, in the order of the walk.</summary>
    private sealed class Names
    {
        private readonly Dictionary<Inode, TreePath> _first = new(ReferenceEqualityComparer.Instance);

        /// <summary>The first name when it is not the path itself; else null.</summary>
        public TreePath? FirstOf(Inode inode, TreePath path) => _first.TryAdd(inode, path) ? null : _first[inode];
    }
}
