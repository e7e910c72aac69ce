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
        comparison.Compare(from.Root, to.Root);
        return comparison.Changes;
    }

    private sealed class Comparison
    {
        private readonly Stack<Level> _open = new();
        private readonly Names _namesFrom = new(), _namesTo = new();

        // Hard links are regrouped when the paths that both trees have fall into other groups. Each group is known by its first
        // such path, and two divisions of one row into groups are equal when every path has the same first one in both.
        private readonly Dictionary<Inode, int> _groupsFrom = new(ReferenceEqualityComparer.Instance);
        private readonly Dictionary<Inode, int> _groupsTo = new(ReferenceEqualityComparer.Instance);
        private int _commonPaths;

        public List<TreeChange> Changes { get; } = [];

        public void Compare(Inode fromRoot, Inode toRoot)
        {
            Visit(null, default, fromRoot, toRoot);
            while (_open.TryPop(out Level level))
            {
                bool hasFrom = level.NextFrom < level.From.Count, hasTo = level.NextTo < level.To.Count;
                if (!hasFrom && !hasTo)
                    continue;
                (FileName fromName, Inode fromInode) = hasFrom ? level.From[level.NextFrom] : default;
                (FileName toName, Inode toInode) = hasTo ? level.To[level.NextTo] : default;
                int order = !hasFrom ? 1 : !hasTo ? -1 : fromName.CompareTo(toName);
                _open.Push(level with { NextFrom = level.NextFrom + (order <= 0 ? 1 : 0), NextTo = level.NextTo + (order >= 0 ? 1 : 0) });
                Visit(level.Path, order <= 0 ? fromName : toName, order <= 0 ? fromInode : null, order >= 0 ? toInode : null);
            }
        }

        private void Visit(TreePath? above, FileName name, Inode? from, Inode? to)
        {
            // Most paths are equal leaves and need no path object.
            TreePath? path = null;
            TreePath Path() => path ??= above?.Append(name) ?? TreePath.Root;

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
            if (from?.ChildCount > 0 || to?.ChildCount > 0)
                _open.Push(new Level(Path(), from?.Children ?? default, to?.Children ?? default, 0, 0));
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
        TreeAspects aspects = TreeAspects.None;
        if (from.Mode != to.Mode)
            aspects |= TreeAspects.Mode;
        if (from.Uid != to.Uid || from.Gid != to.Gid)
            aspects |= TreeAspects.Owner;
        if (from.ModificationTime != to.ModificationTime)
            aspects |= TreeAspects.Time;
        if (!from.Xattrs.Equals(to.Xattrs))
            aspects |= TreeAspects.Xattrs;
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

    /// <summary>The first names of inodes with several, in the order of the walk.</summary>
    private sealed class Names
    {
        private readonly Dictionary<Inode, TreePath> _first = new(ReferenceEqualityComparer.Instance);

        /// <summary>The first name when it is not the path itself; else null.</summary>
        public TreePath? FirstOf(Inode inode, TreePath path) => _first.TryAdd(inode, path) ? null : _first[inode];
    }

    private readonly record struct Level(TreePath Path, ChildList From, ChildList To, int NextFrom, int NextTo);
}
