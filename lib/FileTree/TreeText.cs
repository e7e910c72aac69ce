namespace Layerbox.FileTree;

/// <summary>What a rendering shows beside what is always shown.</summary>
public sealed record TreeTextOptions
{
    /// <summary>The time that all paths are expected to have: others are shown.</summary>
    public Timestamp Epoch { get; init; }

    /// <summary>Whether times other than <see cref="Epoch"/> are shown.</summary>
    public bool ShowTimes { get; init; } = true;

    /// <summary>Whether modes, owners and times are shown where they are the usual ones.</summary>
    public bool ShowDefaults { get; init; }

    /// <summary>Whether the digests of files are shown; contents whose digest is not known yet are then read.</summary>
    public bool ShowDigests { get; init; }

    /// <summary>Says which data files share; then it is shown with who shares it. Null: not shown.</summary>
    public SharedStorage? Shared { get; init; }

    /// <summary>Says which aspects of an inode are known; null for one of which all is known. Null: all is known of all.</summary>
    public Func<Inode, TreeAspects?>? Known { get; init; }

    /// <summary>Names of extended attributes that are left out, such as "security.selinux".</summary>
    public IReadOnlyCollection<string> HiddenXattrs { get; init; } = [];
}

/// <summary>
/// A tree as JSON for people and for literals in tests: what is usual is left out, so the whole state of a filesystem, nothing
/// more and nothing less, is said in a few lines. The grammar is in docs/tree-format.md.
/// </summary>
public static class TreeText
{
    /// <summary>The rendering, one line a directory entry, without a line feed at the end.</summary>
    public static string Render(Tree tree, TreeTextOptions? options = null)
    {
        using MemoryStream text = new();
        Write(text, tree, options);
        return System.Text.Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    /// <summary>Writes the rendering as UTF-8, without a line feed at the end.</summary>
    public static void Write(Stream stream, Tree tree, TreeTextOptions? options = null)
    {
        using ByteText text = new(stream);
        Dictionary<Inode, int> numbers = NumberSharedInodes(tree);
        InodeText inodes = new(text, tree, options ?? new TreeTextOptions());
        int open = 0; // how many directories still want their bracket
        bool isFirst = true;
        for (TreeCursor at = new(tree); at.MoveNext();)
        {
            isFirst &= open == at.Depth;
            Close(text, ref open, at.Depth);
            if (at.Depth > 0)
            {
                if (!isFirst)
                    text.Add((byte)',');
                StartLine(text, at.Depth);
                text.Add((byte)'"');
                text.AddEscaped(at.Name);
                text.Add("\": "u8);
            }
            bool isNumbered = numbers.TryGetValue(at.Inode, out int number);
            text.Add(isNumbered ? "[[\""u8 : "[\""u8);
            inodes.Write(at.Inode);
            text.Add((byte)'"');
            if (isNumbered)
            {
                text.Add(", "u8);
                text.Add(number);
                text.Add((byte)']');
            }
            isFirst = at.Inode.ChildCount > 0;
            if (isFirst)
            {
                text.Add(", {"u8);
                open = at.Depth + 1;
            }
            else
            {
                text.Add(at.Inode.IsDirectory ? ", {}]"u8 : "]"u8);
            }
        }
        Close(text, ref open, 0);
        text.Flush();
    }

    /// <summary>
    /// Takes a path and all below it out of a tree and gives its rendering: for what differs from run to run and is checked apart
    /// from the rest.
    /// </summary>
    /// <exception cref="InvalidDataException">There is no such path, or it is the root.</exception>
    public static string Pop(Tree tree, string path, TreeTextOptions? options = null)
    {
        TreePath at = TreePath.Parse(path);
        Inode inode = tree.Find(at) is { } found && !at.IsRoot ? found : throw new InvalidDataException($"{at} cannot be taken out: it is not there");
        tree.Find(at.Parent)!.Remove(at.Name);
        return Render(new Tree(inode), options);
    }

    /// <summary>Inodes with several names in this tree, numbered bottom-up with children in canonical order: as files have no children, in the order of the walk.</summary>
    private static Dictionary<Inode, int> NumberSharedInodes(Tree tree)
    {
        Dictionary<Inode, int> numbers = new(ReferenceEqualityComparer.Instance);
        HashSet<Inode> once = new(ReferenceEqualityComparer.Instance), shared = new(ReferenceEqualityComparer.Instance);
        for (TreeCursor at = new(tree); at.MoveNext();)
            if (at.Inode.Links > 1 && !once.Add(at.Inode))
                shared.Add(at.Inode);
        if (shared.Count > 0)
            for (TreeCursor at = new(tree); at.MoveNext();)
                if (shared.Contains(at.Inode))
                    numbers.TryAdd(at.Inode, numbers.Count);
        return numbers;
    }

    private static void Close(ByteText text, ref int open, int depth)
    {
        while (open > depth)
        {
            StartLine(text, --open);
            text.Add("}]"u8);
        }
    }

    private static void StartLine(ByteText text, int depth)
    {
        text.Add((byte)'\n');
        for (; depth > 0; depth--)
            text.Add("  "u8);
    }
}
