using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// clone: a path of another layer with all below it, extents shared, hard links, owners (by name), modes, attributes and times kept.
/// The slashes mean what they mean to rsync: "d" to "/n" makes /n; "d" to "/e/" makes /e/d; "d/" to "/e/" puts what is in d into /e.
/// </summary>
internal sealed class CloneItem : Item
{
    private readonly LayerInput _layer;
    private readonly TreePath _source, _dest;
    private readonly bool _contentOnly, _intoExisting;
    private Tree? _tree;
    private Accounts? _accounts;
    private TreePath? _realSource;

    private CloneItem(SpecObject spec, SpecContext context) : base(spec.Place)
    {
        _layer = context.Sources.Layer(spec.Text("layer"), spec.Place);
        _source = spec.Path("source", out _contentOnly);
        _dest = spec.Path("dest", out _intoExisting);
        if (_source.IsRoot)
            _contentOnly = true;
        if (_dest.IsRoot)
            _intoExisting = true;
        if (_contentOnly && !_intoExisting)
            throw spec.Error("a 'source' that ends in a slash needs a 'dest' that ends in one: its content goes into an existing directory");
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new CloneItem(spec, context);

    public override string Label => $"clone {(_contentOnly ? _dest.IsRoot ? "/" : $"{_dest}/" : _intoExisting ? _dest.Append(_source.Name) : _dest)}";
    public override string Text => TextOf("clone", ("dest", _dest.ToString()), ("layer", _layer.Digest), ("source", _source.ToString()),
        ("content_only", _contentOnly ? "true" : null), ("into_existing", _intoExisting ? "true" : null));
    public override IEnumerable<Input> Inputs => [_layer];

    public override void Prepare(LayerDraft draft)
    {
        _tree = draft.OpenLayer(_layer);
        _accounts = Accounts.Read(_tree);
        _realSource = _source.IsRoot ? _source : RealPath(_source, followLast: _contentOnly);
        Inode root = _tree.Find(_realSource) ?? throw Error($"layer '{_layer.LayerName}' has no {_source}");
        if (_contentOnly && !root.IsDirectory)
            throw Error($"{_source} of layer '{_layer.LayerName}' is no directory");
        ImageMetadata metadata = ImageMetadata.Read(_tree);
        if (metadata.Mounts.FirstOrDefault(m => m.MountPoint.StartsWith(_realSource) || _realSource.StartsWith(m.MountPoint)) is { } mount)
            throw Error($"{mount.MountPoint} of layer '{_layer.LayerName}' is a mount point; mounts cannot be cloned");
        if (_realSource.StartsWith(ImageMetadata.Folder))
            throw Error($"{_source} is reserved for layerbox");
    }

    public override IEnumerable<Provision> Provides(LayerDraft draft) => Members().Select(m => Provision.Of(m.To, m.Inode));

    public override IEnumerable<Requirement> Requires(LayerDraft draft)
    {
        yield return Requirement.Directory(_intoExisting ? _dest : _dest.Parent);
        foreach (string user in Members().Select(m => m.Inode.Uid).Distinct().Select(_accounts!.UserName).OfType<string>())
            yield return new Requirement(Key.OfUser(user));
        foreach (string group in Members().Select(m => m.Inode.Gid).Distinct().Select(_accounts!.GroupName).OfType<string>())
            yield return new Requirement(Key.OfGroup(group));
    }

    public override void Apply(LayerDraft draft)
    {
        Dictionary<Inode, Inode> copies = [];
        foreach ((TreePath to, Inode source) in Members())
        {
            if (!copies.TryGetValue(source, out Inode? inode))
            {
                inode = source.CopyWithoutChildren();
                inode.MadeBy = Label;
                inode.Uid = _accounts!.UserName(source.Uid) is { } user ? draft.Uid(this, user) : source.Uid;
                inode.Gid = _accounts.GroupName(source.Gid) is { } group ? draft.Gid(this, group) : source.Gid;
                copies.Add(source, inode);
            }
            draft.Add(this, to, inode);
        }
        foreach ((Inode source, Inode inode) in copies)
            inode.ModificationTime = source.ModificationTime.ClampedTo(draft.Epoch);
    }

    private TreePath RealPath(TreePath path, bool followLast)
    {
        try
        {
            return _tree!.Resolve(path, followLast);
        }
        catch (InvalidDataException e)
        {
            throw Error($"layer '{_layer.LayerName}': {e.Message}");
        }
    }

    private IEnumerable<(TreePath To, Inode Inode)> Members()
    {
        TreePath top = _contentOnly ? _dest : _intoExisting ? _dest.Append(_source.Name) : _dest;
        foreach ((TreePath path, Inode inode) in _tree!.Walk(_realSource!))
        {
            TreePath below = TreePath.Of(path.Names.Skip(_realSource!.Depth));
            // The root's own metadata folder belongs to that image.
            if ((_contentOnly && below.IsRoot) || (_realSource.IsRoot && below.StartsWith(ImageMetadata.Folder)))
                continue;
            yield return (top.Append(below), inode);
        }
    }
}
