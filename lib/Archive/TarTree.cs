using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>How <see cref="TarTree"/> reads.</summary>
public sealed record TarTreeOptions
{
    /// <summary>Told of each member after it was put into the tree: for progress, and for those who want names of owners.</summary>
    public Action<TarEntry>? OnMember { get; init; }
}

/// <summary>What an archive unpacks to, as a tree.</summary>
public static class TarTree
{
    /// <summary>
    /// The tree that "tar x" would make in an empty directory as root. A later member replaces an earlier one of the same path; a directory
    /// named again gets the later metadata and keeps what it holds. Directories that no member names are made as 0755 root:root with
    /// time 0, the root too when there is no member "./". No symbolic link is followed.
    /// </summary>
    /// <exception cref="InvalidDataException">
    /// The archive is malformed, a member lies below something that is no directory or would replace a directory that is not empty, or
    /// a hard link's target is missing.
    /// </exception>
    public static Tree Read(Stream source, ContentStore store, TarTreeOptions? options = null)
    {
        Tree tree = new();
        foreach (TarEntry entry in TarReader.Read(source, store))
        {
            Put(tree, entry);
            options?.OnMember?.Invoke(entry);
        }
        return tree;
    }

    /// <summary>Puts one member into a tree, as unpacking it there would.</summary>
    /// <exception cref="InvalidDataException">It does not fit there; the same reasons as for <see cref="Read"/>.</exception>
    public static void Put(Tree tree, TarEntry entry)
    {
        if (entry.HardLinkTo is { } target)
            PutHardLink(tree, entry, target);
        else if (entry.Path.IsRoot)
            SetMetadata(tree.Root, entry.Inode is { IsDirectory: true } root ? root : throw Refused(entry, "the root must be a directory"));
        else
            PutInode(tree, entry, entry.Inode!);
    }

    private static void PutInode(Tree tree, TarEntry entry, Inode inode)
    {
        Inode parent = ParentOf(tree, entry);
        if (parent.Child(entry.Path.Name) is { } existing)
        {
            if (existing.IsDirectory && inode.IsDirectory)
            {
                SetMetadata(existing, inode);
                return;
            }
            Remove(parent, existing, entry);
        }
        parent.Add(entry.Path.Name, inode);
    }

    private static void PutHardLink(Tree tree, TarEntry entry, TreePath target)
    {
        if (tree.Find(target) is not { } linked)
            throw Refused(entry, $"hard link to '{target}', which is not there");
        if (linked.IsDirectory)
            throw Refused(entry, $"hard link to '{target}', which is a directory");
        if (entry.Inode?.Content is { } content)
        {
            if (linked.Kind != FileKind.File)
                throw Refused(entry, $"hard link with data to '{target}', which is no regular file");
            linked.Content = content;
        }
        if (entry.Path.IsRoot)
            throw Refused(entry, "the root must be a directory");
        Inode parent = ParentOf(tree, entry);
        Inode? existing = parent.Child(entry.Path.Name);
        if (ReferenceEquals(existing, linked))
            return;
        if (existing is not null)
            Remove(parent, existing, entry);
        parent.Add(entry.Path.Name, linked);
    }

    private static Inode ParentOf(Tree tree, TarEntry entry)
    {
        Inode at = tree.Root;
        for (int i = 0; i < entry.Path.Depth - 1; i++)
        {
            FileName name = entry.Path.Names[i];
            Inode? next = at.Child(name);
            if (next is null)
                at.Add(name, next = Inode.Directory(0x1ED /* 0755 */));
            else if (!next.IsDirectory)
                throw Refused(entry, $"'{TreePath.Of(entry.Path.Names.Take(i + 1))}' is {(next.Kind == FileKind.Symlink ? "a symbolic link" : "no directory")}");
            at = next;
        }
        return at;
    }

    private static void Remove(Inode parent, Inode existing, TarEntry entry)
    {
        if (existing.ChildCount > 0)
            throw Refused(entry, "a directory that is not empty is there already");
        parent.Remove(entry.Path.Name);
    }

    private static void SetMetadata(Inode existing, Inode from)
    {
        existing.Mode = from.Mode;
        existing.Uid = from.Uid;
        existing.Gid = from.Gid;
        existing.ModificationTime = from.ModificationTime;
        existing.Xattrs = from.Xattrs;
    }

    private static InvalidDataException Refused(TarEntry entry, string reason) =>
        new($"tar: offset {entry.Offset}: member '{entry.Path}': {reason}");
}
