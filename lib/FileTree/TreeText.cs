using System.Globalization;
using System.Text;

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

    /// <summary>Says where the data of a file is stored; then data that files share is shown with who shares it. Null: not shown.</summary>
    public Func<FileContent, IReadOnlyList<StoredRun>>? Storage { get; init; }

    /// <summary>Names of extended attributes that are left out, such as "security.selinux".</summary>
    public IReadOnlyCollection<string> HiddenXattrs { get; init; } = [];
}

/// <summary>
/// A tree as JSON for people and for literals in tests: what is usual is left out, so the whole state of a filesystem, nothing
/// more and nothing less, is said in a few lines. The grammar is in docs/tree-format.md.
/// </summary>
public static class TreeText
{
    private const uint DirectoryMode = 0x1ED /* 0755 */, SymlinkMode = 0x1FF /* 0777 */, OtherMode = 0x1A4 /* 0644 */;

    /// <summary>The rendering, one line a directory entry, without a line feed at the end.</summary>
    public static string Render(Tree tree, TreeTextOptions? options = null)
    {
        options ??= new TreeTextOptions();
        Dictionary<Inode, int> numbers = NumberSharedInodes(tree);
        SharedStorage? shared = options.Storage is { } storage ? new SharedStorage(tree, storage) : null;
        StringBuilder text = new();
        int open = 0; // how many directories still want their bracket
        bool isFirst = true;
        for (TreeCursor at = new(tree); at.MoveNext();)
        {
            isFirst &= open == at.Depth;
            Close(text, ref open, at.Depth);
            if (at.Depth > 0)
            {
                StartLine(text, isFirst ? "" : ",", at.Depth);
                AppendQuoted(text, BytesText.Escape(at.Name)).Append(": ");
            }
            string state = Describe(at.Inode, options, shared);
            if (numbers.TryGetValue(at.Inode, out int number))
                AppendQuoted(text.Append("[["), state).Append(CultureInfo.InvariantCulture, $", {number}]");
            else
                AppendQuoted(text.Append('['), state);
            isFirst = at.Inode.ChildCount > 0;
            if (isFirst)
            {
                text.Append(", {");
                open = at.Depth + 1;
            }
            else
            {
                text.Append(at.Inode.IsDirectory ? ", {}]" : "]");
            }
        }
        Close(text, ref open, 0);
        return text.ToString();
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

    private static void Close(StringBuilder text, ref int open, int depth)
    {
        while (open > depth)
        {
            StartLine(text, "", --open);
            text.Append("}]");
        }
    }

    private static void StartLine(StringBuilder text, string separator, int depth) =>
        text.Append(separator).Append('\n').Append(' ', 2 * depth);

    private static StringBuilder AppendQuoted(StringBuilder text, string escaped)
    {
        text.Append('"');
        foreach (char c in escaped)
        {
            if (c is '"' or '\\')
                text.Append('\\');
            text.Append(c);
        }
        return text.Append('"');
    }

    private static string Describe(Inode inode, TreeTextOptions options, SharedStorage? shared)
    {
        StringBuilder text = new("(");
        text.Append(inode.Kind switch
        {
            FileKind.Directory => "Dir",
            FileKind.CharDevice => "Char",
            FileKind.BlockDevice => "Block",
            FileKind.Fifo => "FIFO",
            FileKind.Socket => "Sock",
            _ => inode.Kind.ToString(),
        });
        if (options.ShowDefaults || inode.Mode != UsualMode(inode.Kind))
            text.Append(" m").Append(Convert.ToString((int)inode.Mode, 8));
        if (options.ShowDefaults || inode.Uid != 0 || inode.Gid != 0)
            text.Append(CultureInfo.InvariantCulture, $" o{inode.Uid}:{inode.Gid}");
        if (options.ShowTimes && (options.ShowDefaults || inode.ModificationTime != options.Epoch))
            text.Append(" t").Append(Describe(inode.ModificationTime));
        AppendXattrs(text, inode.Xattrs, options);
        AppendPayload(text, inode, options, shared);
        return text.Append(')').ToString();
    }

    private static uint UsualMode(FileKind kind) =>
        kind switch { FileKind.Directory => DirectoryMode, FileKind.Symlink => SymlinkMode, _ => OtherMode };

    private static string Describe(Timestamp time)
    {
        string fraction = time.Nanoseconds == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $".{time.Nanoseconds:d9}").TrimEnd('0');
        bool hasDate = time.Seconds >= DateTimeOffset.MinValue.ToUnixTimeSeconds() && time.Seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds();
        return hasDate
            ? DateTimeOffset.FromUnixTimeSeconds(time.Seconds).ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture) + fraction + "Z"
            : string.Create(CultureInfo.InvariantCulture, $"@{time.Seconds}{fraction}");
    }

    private static void AppendXattrs(StringBuilder text, XattrSet xattrs, TreeTextOptions options)
    {
        char separator = ' ';
        foreach (Xattr xattr in xattrs.Items)
        {
            if (options.HiddenXattrs.Contains(Encoding.UTF8.GetString(xattr.Name)))
                continue;
            text.Append(separator).Append('\'').Append(Escape(xattr.Name)).Append("'='").Append(Escape(xattr.Value)).Append('\'');
            separator = ',';
        }
    }

    private static string Escape(byte[] bytes) => BytesText.Escape(bytes).Replace("'", "\\x27", StringComparison.Ordinal);

    private static void AppendPayload(StringBuilder text, Inode inode, TreeTextOptions options, SharedStorage? shared)
    {
        if (inode.Kind == FileKind.Symlink)
            text.Append(' ').Append(BytesText.Escape(inode.Target));
        else if (inode.IsDevice)
            text.Append(CultureInfo.InvariantCulture, $" {inode.DeviceMajor}:{inode.DeviceMinor}");
        if (inode.Content is not { } content)
            return;
        AppendChunks(text, inode, content.Extents, shared);
        if (options.ShowDigests)
            text.Append(" sha256:").Append(Convert.ToHexStringLower(content.Digest));
    }

    private static void AppendChunks(StringBuilder text, Inode inode, IReadOnlyList<Extent> extents, SharedStorage? shared)
    {
        for (int i = 0; i < extents.Count;)
        {
            (int first, long length) = (i, 0);
            for (; i < extents.Count && extents[i].IsHole == extents[first].IsHole; i++)
                length += extents[i].Length;
            text.Append(first == 0 ? " " : "").Append(extents[first].IsHole ? 'h' : 'd').Append(length);
            if (!extents[first].IsHole)
                text.Append(shared?.Describe(inode, extents[first].Offset, length));
        }
    }
}
