namespace Layerbox.FileTree;

/// <summary>
/// Two trees side by side: every path of either in canonical order, the root first. As <see cref="TreeCursor"/> it allocates nothing for a
/// path, and depth costs no stack. What lies below a directory of one tree comes even where the other has something else at its path.
/// </summary>
public sealed class TreePairCursor
{
    private readonly Stack<Level> _open = new();
    private readonly PathBuffer _path = new();
    private bool _started;

    /// <param name="from">The one tree; null for none, whose every path is then missing.</param>
    /// <param name="to">The other.</param>
    public TreePairCursor(Tree? from, Tree to) => (From, To) = (from?.Root, to.Root);

    /// <summary>What the first tree has at the path reached; null when it has nothing there.</summary>
    public Inode? From { get; private set; }

    /// <summary>The same of the second tree. One of the two is there.</summary>
    public Inode? To { get; private set; }

    /// <summary>The path reached, without a leading slash; the root is empty. Valid until the next move.</summary>
    public ReadOnlySpan<byte> Path => _path.Bytes;

    /// <summary>The last name of the path; none for the root.</summary>
    public FileName Name { get; private set; }

    /// <summary>How many names the path has.</summary>
    public int Depth { get; private set; }

    /// <summary>Goes on to the next path; says false after the last.</summary>
    public bool MoveNext()
    {
        if (!_started)
        {
            _started = true;
            return true;
        }
        if (From?.ChildCount > 0 || To?.ChildCount > 0)
            _open.Push(new Level(From?.Children ?? default, To?.Children ?? default, 0, 0, _path.Length));
        while (_open.TryPop(out Level level))
        {
            bool hasFrom = level.NextFrom < level.From.Count, hasTo = level.NextTo < level.To.Count;
            if (!hasFrom && !hasTo)
                continue;
            (FileName fromName, Inode fromInode) = hasFrom ? level.From[level.NextFrom] : default;
            (FileName toName, Inode toInode) = hasTo ? level.To[level.NextTo] : default;
            int order = !hasFrom ? 1 : !hasTo ? -1 : fromName.CompareTo(toName);
            _open.Push(level with { NextFrom = level.NextFrom + (order <= 0 ? 1 : 0), NextTo = level.NextTo + (order >= 0 ? 1 : 0) });
            Name = order <= 0 ? fromName : toName;
            _path.Set(level.PathLength, Name);
            From = order <= 0 ? fromInode : null;
            To = order >= 0 ? toInode : null;
            Depth = _open.Count;
            return true;
        }
        return false;
    }

    private readonly record struct Level(ChildList From, ChildList To, int NextFrom, int NextTo, int PathLength);
}
