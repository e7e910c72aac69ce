using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// A layer while it is being put together: its tree in memory, and the rules that all items obey. Nothing is overwritten, nothing
/// under a protected path is touched, and every directory whose entries change gets the layer's own time.
/// </summary>
public sealed class LayerDraft
{
    private Accounts? _accounts;
    private (FileContent? Passwd, FileContent? Group) _accountsOf;

    /// <param name="tree">What the parent has; it is changed in place.</param>
    /// <param name="epoch">The time of all that the layer makes.</param>
    /// <param name="store">Where the bytes of archive members go.</param>
    /// <param name="openLayer">The tree of another layer, for items that copy from one.</param>
    public LayerDraft(Tree tree, Timestamp epoch, ContentStore store, Func<LayerInput, Tree>? openLayer = null)
    {
        OpenLayer = openLayer ?? (layer => throw new LayerException($"{layer.Name}: other layers cannot be opened here"));
        Tree = tree;
        Epoch = epoch;
        Store = store;
        Metadata = ImageMetadata.Read(tree);
    }

    public Tree Tree { get; }

    /// <summary>SOURCE_DATE_EPOCH of this layer: the time of all that it makes.</summary>
    public Timestamp Epoch { get; }

    /// <summary>Where the bytes of archive members go.</summary>
    public ContentStore Store { get; }

    /// <summary>What the image records about itself under /.layerbox; written into the tree when the items are done.</summary>
    public ImageMetadata Metadata { get; }

    /// <summary>The tree of another layer. It must not be changed.</summary>
    public Func<LayerInput, Tree> OpenLayer { get; }

    /// <summary>Ids that items of this layer ask for by number: what is free is chosen beside them, whoever comes first.</summary>
    internal HashSet<uint> WantedUids { get; } = [];

    /// <inheritdoc cref="WantedUids"/>
    internal HashSet<uint> WantedGids { get; } = [];

    /// <summary>Members of the run configuration that items of this layer have set already.</summary>
    internal HashSet<string> ConfigMembersSet { get; } = [];

    /// <summary>Users and groups as the tree has them at this moment.</summary>
    public Accounts Accounts
    {
        get
        {
            (FileContent?, FileContent?) now = (ContentAt(Accounts.PasswdPath), ContentAt(Accounts.GroupPath));
            if (_accounts is null || now != _accountsOf)
                (_accounts, _accountsOf) = (Accounts.Read(Tree), now);
            return _accounts;
        }
    }

    /// <summary>Whether the tree, or its users and groups, already have this.</summary>
    public bool Has(Key key) => key.Kind switch
    {
        KeyKind.Path => Tree.Find(key.Path) is not null,
        KeyKind.User => Accounts.Uid(key.Name) is not null,
        _ => Accounts.Gid(key.Name) is not null,
    };

    /// <summary>The text by which equal providers of a path recognise each other; null for what never is shared.</summary>
    public static string? SameAs(Inode inode) => inode.Kind switch
    {
        FileKind.File => $"file {InodeMode.Text(inode.Mode)} {inode.Uid}:{inode.Gid} {Convert.ToHexStringLower(inode.Content!.Digest)}",
        FileKind.Symlink => $"symlink {BytesText.Escape(inode.Target)}",
        _ => null,
    };

    /// <exception cref="LayerException">The path is protected: reserved for us, or a mount point, or below one.</exception>
    public void CheckNotProtected(Item item, TreePath path)
    {
        if (path.StartsWith(ImageMetadata.Folder))
            throw item.Error($"{path} is reserved for layerbox");
        if (Metadata.Mounts.FirstOrDefault(m => path.StartsWith(m.MountPoint)) is { } mount)
            throw item.Error(path.Equals(mount.MountPoint) ? $"{path} is a mount point" : $"{path} is below the mount point {mount.MountPoint}");
    }

    /// <summary>Puts an inode at a path; links in the ancestors are followed. The inode is credited to the item.</summary>
    /// <exception cref="LayerException">The parent is missing, the path is taken or protected.</exception>
    public void Add(Item item, TreePath path, Inode inode)
    {
        (Inode directory, FileName name) = Locate(item, path);
        if (directory.Child(name) is not null)
            throw item.Error($"{path} exists already");
        inode.MadeBy ??= item.Label;
        directory.Add(name, inode);
        directory.ModificationTime = Epoch;
    }

    /// <summary>Takes a path, with all below it, out of the tree. A link goes, not what it leads to.</summary>
    public void Remove(Item item, TreePath path)
    {
        (Inode directory, FileName name) = Locate(item, path);
        if (!directory.Remove(name))
            throw item.Error($"{path} does not exist");
        directory.ModificationTime = Epoch;
    }

    /// <summary>The directory that holds a path, and the last name in it.</summary>
    public (Inode Directory, FileName Name) Locate(Item item, TreePath path)
    {
        if (path.IsRoot)
            throw item.Error("the root of the image cannot be replaced");
        TreePath parent = Resolve(item, path.Parent);
        CheckNotProtected(item, parent.Append(path.Name));
        if (Tree.Find(parent) is not { } directory)
            throw item.Error($"{parent} does not exist");
        return directory.IsDirectory ? (directory, path.Name) : throw item.Error($"{parent} is no directory");
    }

    /// <summary>Where a path leads when all links are followed.</summary>
    /// <exception cref="LayerException">They lead in a circle.</exception>
    public TreePath Resolve(Item item, TreePath path)
    {
        try
        {
            return Tree.Resolve(path, followLast: true);
        }
        catch (InvalidDataException e)
        {
            throw item.Error(e.Message);
        }
    }

    /// <summary>The inode a path leads to when all links are followed; null when there is none.</summary>
    /// <exception cref="LayerException">The links lead in a circle.</exception>
    public Inode? Follow(Item item, TreePath path) => Tree.Find(Resolve(item, path));

    public uint Uid(Item item, string nameOrNumber) =>
        Accounts.Uid(nameOrNumber) ?? throw item.Error($"the image has no user '{nameOrNumber}'");

    public uint Gid(Item item, string nameOrNumber) =>
        Accounts.Gid(nameOrNumber) ?? throw item.Error($"the image has no group '{nameOrNumber}'");

    private FileContent? ContentAt(TreePath path) => Tree.Find(Tree.Resolve(path, followLast: true))?.Content;
}
