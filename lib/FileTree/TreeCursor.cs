namespace Layerbox.FileTree;

/// <summary>
/// A walk over every path in canonical order, parents first, the root included, that allocates nothing for a path: the way of
/// the writers, which want a path's bytes for a moment only. Depth costs no stack. The tree must not change meanwhile.
/// </summary>
public sealed class TreeCursor
{
    private readonly Stack<Level> _open = new();
    private readonly PathBuffer _path = new();
    private bool _started;

    public TreeCursor(Tree tree) => Inode = tree.Root;

    /// <summary>The inode reached; before the first <see cref="MoveNext"/> the root.</summary>
    public Inode Inode { get; private set; }

    /// <summary>The path reached, without a leading slash ("usr/bin/sh"; the root is empty). Valid until the next move.</summary>
    public ReadOnlySpan<byte> Path => _path.Bytes;

    /// <summary>The last name of the path; empty for the root.</summary>
    public ReadOnlySpan<byte> Name => Path[(Path.LastIndexOf((byte)'/') + 1)..];

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
        if (Inode.ChildCount > 0)
            _open.Push(new Level(Inode.Children, 0, _path.Length));
        while (_open.TryPop(out Level level))
        {
            if (level.Next == level.Children.Count)
                continue;
            (FileName name, Inode inode) = level.Children[level.Next];
            _open.Push(level with { Next = level.Next + 1 });
            _path.Set(level.PathLength, name);
            Inode = inode;
            Depth = _open.Count;
            return true;
        }
        return false;
    }

    private readonly record struct Level(ChildList Children, int Next, int PathLength);
}
