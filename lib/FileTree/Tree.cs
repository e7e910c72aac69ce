namespace Layerbox.FileTree;

/// <summary>The complete state of a filesystem in memory: the form in which all sources and sinks meet.</summary>
public sealed class Tree
{
    /// <summary>As many links as the kernel follows in one look-up (MAXSYMLINKS).</summary>
    private const int MaxSymlinks = 40;

    public Tree(Inode root) => Root = root;

    /// <summary>A filesystem with an empty root directory: 0755, root:root, time 0.</summary>
    public Tree() : this(Inode.Directory(0x1ED)) { }

    public Inode Root { get; }

    /// <summary>The inode at exactly this path; no link is followed. Null when there is none.</summary>
    public Inode? Find(TreePath path)
    {
        Inode? at = Root;
        for (int i = 0; i < path.Depth && at is not null; i++)
            at = at.Child(path.Names[i]);
        return at;
    }

    /// <summary>
    /// Where a path really leads when links in it are followed inside the image, as chroot would: absolute targets start at the
    /// root and ".." stops there. Names that do not exist are kept as they are, so the result may name something still to be made.
    /// </summary>
    /// <param name="path">The path to resolve.</param>
    /// <param name="followLast">Whether a link at the very end is followed too.</param>
    /// <param name="onLink">Told the path of every link that was followed.</param>
    /// <exception cref="InvalidDataException">More than 40 links: a loop.</exception>
    public TreePath Resolve(TreePath path, bool followLast, Action<TreePath>? onLink = null)
    {
        Stack<FileName?> pending = new(path.Names.Reverse().Select(name => (FileName?)name)); // null stands for ".."
        List<FileName> done = [];
        List<Inode?> inodes = [Root];
        int links = 0;
        while (pending.TryPop(out FileName? part))
        {
            if (part is not { } name)
            {
                if (done.Count > 0)
                {
                    done.RemoveAt(done.Count - 1);
                    inodes.RemoveAt(inodes.Count - 1);
                }
                continue;
            }
            Inode? next = inodes[^1]?.Child(name);
            if (next?.Kind != FileKind.Symlink || (pending.Count == 0 && !followLast))
            {
                done.Add(name);
                inodes.Add(next);
                continue;
            }
            if (++links > MaxSymlinks)
                throw new InvalidDataException($"{path}: too many levels of symbolic links");
            onLink?.Invoke(TreePath.Of([.. done, name]));
            if (next.Target is [(byte)'/', ..])
            {
                done.Clear();
                inodes.RemoveRange(1, inodes.Count - 1);
            }
            foreach (FileName? step in Enumerable.Reverse(Steps(next.Target)))
                pending.Push(step);
        }
        return TreePath.Of(done);
    }

    private static List<FileName?> Steps(ReadOnlySpan<byte> target)
    {
        List<FileName?> steps = [];
        foreach (Range range in target.Split((byte)'/'))
        {
            ReadOnlySpan<byte> part = target[range];
            if (!part.IsEmpty && !part.SequenceEqual("."u8))
                steps.Add(part.SequenceEqual(".."u8) ? null : new FileName(part.ToArray()));
        }
        return steps;
    }

    /// <summary>Every path in canonical order, parents first, the root included. The walk is iterative: depth costs no stack.</summary>
    public IEnumerable<KeyValuePair<TreePath, Inode>> Walk() => Walk(TreePath.Root);

    /// <summary>The same below and including <paramref name="start"/>; nothing when it does not exist.</summary>
    public IEnumerable<KeyValuePair<TreePath, Inode>> Walk(TreePath start)
    {
        if (Find(start) is not { } first)
            yield break;
        yield return new(start, first);
        Stack<(TreePath Path, ChildList Children, int Next)> open = new();
        if (first.ChildCount > 0)
            open.Push((start, first.Children, 0));
        while (open.TryPop(out var level))
        {
            (FileName name, Inode inode) = level.Children[level.Next];
            TreePath path = level.Path.Append(name);
            yield return new(path, inode);
            if (level.Next + 1 < level.Children.Count)
                open.Push(level with { Next = level.Next + 1 });
            if (inode.ChildCount > 0)
                open.Push((path, inode.Children, 0));
        }
    }

    /// <summary>A copy that can be changed without changing this one. Contents, targets and attribute sets are shared, inodes are not.</summary>
    /// <param name="origins">Is told for each inode of the copy which one of this tree it was.</param>
    public Tree Copy(IDictionary<Inode, Inode>? origins = null)
    {
        Dictionary<Inode, Inode> linked = [];
        Tree copy = new(Root.CopyWithoutChildren());
        origins?.Add(copy.Root, Root);
        Stack<(Inode From, Inode To)> open = new();
        open.Push((Root, copy.Root));
        while (open.TryPop(out var pair))
        {
            foreach ((FileName name, Inode child) in pair.From.Children)
            {
                if (child.Links > 1 && linked.TryGetValue(child, out Inode? known))
                {
                    pair.To.Add(name, known);
                    continue;
                }
                Inode twin = child.CopyWithoutChildren();
                origins?.Add(twin, child);
                if (child.Links > 1)
                    linked.Add(child, twin);
                pair.To.Add(name, twin);
                if (child.ChildCount > 0)
                    open.Push((child, twin));
            }
        }
        return copy;
    }
}
