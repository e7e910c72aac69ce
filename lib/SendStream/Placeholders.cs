using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>What is known of an inode that an absent subvolume had.</summary>
public sealed class Placeholder
{
    internal Placeholder(Inode origin) => Origin = origin;

    /// <summary>What stands for it in the tree of the absent subvolume.</summary>
    public Inode Origin { get; internal set; }

    /// <summary>
    /// The aspects that commands have set: all others are not known. Until the kind is known it looks like a regular file.
    /// </summary>
    public TreeAspects Known { get; internal set; }

    /// <summary>The aspects that the stream itself has set, not one before it.</summary>
    public TreeAspects Changed { get; internal set; }

    /// <summary>Where the absent subvolume had it; null for its root.</summary>
    internal Inode? OriginFolder { get; init; }

    internal FileName OriginName { get; init; }

    /// <summary>Of a directory: the names that were asked for, made or taken away. Whether there are others nobody knows.</summary>
    internal HashSet<FileName> Settled { get; } = [];
}

/// <summary>
/// Stands for a subvolume that a stream builds upon and nobody gave: whatever path a command takes for granted is found, and remembered as
/// one that the absent subvolume had.
/// </summary>
internal sealed class Placeholders
{
    private readonly ContentReceiver _contents;

    /// <param name="tree">The tree that is received, with nothing in it yet.</param>
    /// <param name="contents">Makes contents of which nothing is known.</param>
    public Placeholders(Tree tree, ContentReceiver contents)
    {
        _contents = contents;
        Before = new Tree();
        Inodes = new(ReferenceEqualityComparer.Instance) { [tree.Root] = new Placeholder(Before.Root) { Known = TreeAspects.Kind } };
    }

    /// <summary>The same for a tree that builds upon one with placeholders.</summary>
    /// <param name="parent">Those of the tree that it builds upon.</param>
    /// <param name="before">A copy of that tree, to which is added what commands take for granted.</param>
    /// <param name="parentOf">Which inode of that tree each inode of the copy was.</param>
    /// <param name="originOf">Which inode of the copy each inode of the received tree was.</param>
    public Placeholders(Placeholders parent, Tree before, Dictionary<Inode, Inode> parentOf, Dictionary<Inode, Inode> originOf)
    {
        (_contents, Before) = (parent._contents, before);
        Inodes = new(ReferenceEqualityComparer.Instance);
        Dictionary<Inode, (Inode Folder, FileName Name)> places = new(ReferenceEqualityComparer.Instance);
        foreach (Inode folder in parentOf.Keys)
            foreach ((FileName name, Inode inode) in folder.Children)
                places[inode] = (folder, name);
        foreach ((Inode inode, Inode origin) in originOf)
            if (parent.Inodes.TryGetValue(parentOf[origin], out Placeholder? known))
            {
                (Inode? folder, FileName name) = places.GetValueOrDefault(origin);
                Placeholder copy = new(origin) { OriginFolder = folder, OriginName = name, Known = known.Known };
                copy.Settled.UnionWith(known.Settled);
                Inodes.Add(inode, copy);
            }
    }

    /// <summary>As much of the absent subvolume as commands told.</summary>
    public Tree Before { get; }

    /// <summary>The inodes of the received tree that the absent subvolume had.</summary>
    public Dictionary<Inode, Placeholder> Inodes { get; }

    /// <summary>Takes a name in a folder of the absent subvolume for granted; null when the folder is new, or the name is known not to be there.</summary>
    public Inode? Discover(Inode folder, ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty || name.Length > FileName.MaxLength || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8) || !Inodes.TryGetValue(folder, out Placeholder? known))
            return null;
        FileName found = new(name.ToArray());
        if (!known.Settled.Add(found))
            return null;
        Inode inode = Inode.File(0, _contents.Unknown()), origin = Inode.File(0, ContentReceiver.Nothing);
        folder.Add(found, inode);
        known.Origin.Add(found, origin);
        Inodes.Add(inode, new Placeholder(origin) { OriginFolder = known.Origin, OriginName = found });
        return inode;
    }

    /// <summary>Notes that a name in a folder is no longer what the absent subvolume had there.</summary>
    public void Settle(Inode folder, FileName name)
    {
        if (Inodes.TryGetValue(folder, out Placeholder? known))
            known.Settled.Add(name);
    }

    /// <summary>Makes an inode a directory whose kind nobody had told; null when it is known to be something else.</summary>
    public Inode? AsDirectory(Inode folder, ReadOnlySpan<byte> name, Inode inode)
    {
        if (!Inodes.TryGetValue(inode, out Placeholder? known) || known.Known.HasFlag(TreeAspects.Kind) || inode.Links != 1)
            return null;
        Inode directory = Inode.Directory(inode.Mode), origin = Inode.Directory(0);
        (directory.Uid, directory.Gid, directory.ModificationTime, directory.Xattrs) = (inode.Uid, inode.Gid, inode.ModificationTime, inode.Xattrs);
        Replace(folder, new FileName(name.ToArray()), directory);
        Replace(known.OriginFolder!, known.OriginName, origin);
        (known.Origin, known.Known) = (origin, known.Known | TreeAspects.Kind);
        Inodes.Remove(inode);
        Inodes.Add(directory, known);
        return directory;
    }

    /// <summary>Notes what a command sets; with the kind that the inode is of the kind that it looks like.</summary>
    public void Note(Inode inode, TreeAspects known)
    {
        if (!Inodes.TryGetValue(inode, out Placeholder? placeholder))
            return;
        placeholder.Known |= known;
        placeholder.Changed |= known;
    }

    private static void Replace(Inode folder, FileName name, Inode by)
    {
        folder.Remove(name);
        folder.Add(name, by);
    }
}
