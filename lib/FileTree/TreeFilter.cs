namespace Layerbox.FileTree;

/// <summary>Which paths of a tree are wanted: what an include pattern matches, with all below it, less what an exclude pattern matches, with all below it.</summary>
/// <param name="includes">Patterns; with none all is included.</param>
/// <param name="excludes">Patterns; they win.</param>
public sealed class TreeFilter(IReadOnlyList<PathPattern> includes, IReadOnlyList<PathPattern> excludes)
{
    /// <summary>
    /// A tree of what is wanted. Directories above it stay, as they are; a file with several names keeps those that are wanted. Contents are shared
    /// with the tree, which is not changed.
    /// </summary>
    public Tree Apply(Tree tree)
    {
        Tree result = new(tree.Root.CopyWithoutChildren());
        Dictionary<Inode, Inode> linked = new(ReferenceEqualityComparer.Instance);
        // The directories above the cursor; what is only above something wanted is made when that is met.
        List<(Inode From, FileName Name, Inode? Made, bool IsIncluded)> above = [];
        int excludedDepth = int.MaxValue;
        for (TreeCursor at = new(tree); at.MoveNext();)
        {
            if (at.Depth == 0)
            {
                above.Add((at.Inode, default, result.Root, includes.Count == 0));
                continue;
            }
            if (at.Depth > excludedDepth)
                continue;
            excludedDepth = int.MaxValue;
            above.RemoveRange(at.Depth, above.Count - at.Depth);
            if (Any(excludes, at.Path))
            {
                excludedDepth = at.Depth;
                continue;
            }
            bool isIncluded = above[^1].IsIncluded || Any(includes, at.Path);
            FileName name = new(at.Name.ToArray());
            Inode? made = isIncluded ? Add(Folder(above), name, at.Inode, linked) : null;
            if (at.Inode.IsDirectory)
                above.Add((at.Inode, name, made, isIncluded));
        }
        return result;
    }

    private static bool Any(IReadOnlyList<PathPattern> patterns, ReadOnlySpan<byte> path)
    {
        foreach (PathPattern pattern in patterns)
            if (pattern.Matches(path))
                return true;
        return false;
    }

    private static Inode Folder(List<(Inode From, FileName Name, Inode? Made, bool IsIncluded)> above)
    {
        for (int i = 1; i < above.Count; i++)
        {
            if (above[i].Made is not null)
                continue;
            Inode made = above[i].From.CopyWithoutChildren();
            above[i - 1].Made!.Add(above[i].Name, made);
            above[i] = above[i] with { Made = made };
        }
        return above[^1].Made!;
    }

    private static Inode Add(Inode folder, FileName name, Inode inode, Dictionary<Inode, Inode> linked)
    {
        if (inode.Links < 2 || !linked.TryGetValue(inode, out Inode? copy))
        {
            copy = inode.CopyWithoutChildren();
            if (inode.Links > 1)
                linked.Add(inode, copy);
        }
        folder.Add(name, copy);
        return copy;
    }
}
