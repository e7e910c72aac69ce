namespace Layerbox.Layer;

/// <summary>remove: takes a path, with all below it, out of what the parent has. It runs before the layer's own items.</summary>
internal sealed class RemoveItem : Item
{
    private readonly bool _mustExist;

    private RemoveItem(SpecObject spec) : base(spec.Place)
    {
        Path = spec.Path("path");
        if (Path.IsRoot)
            throw spec.Error("member 'path': the root of the image cannot be removed");
        _mustExist = spec.Flag("must_exist", true);
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new RemoveItem(spec);

    public FileTree.TreePath Path { get; }

    /// <summary>Deepest first; at one path those that insist before those that do not.</summary>
    public static Comparison<RemoveItem> Order { get; } = (a, b) =>
        b.Path.CompareTo(a.Path) is var order and not 0 ? order : b._mustExist.CompareTo(a._mustExist);

    public override Phase Phase => Phase.RemovePaths;
    public override string Label => $"remove {Path}";
    public override string Text => TextOf("remove", ("path", Path.ToString()), ("must_exist", _mustExist ? "true" : "false"));

    public override void Apply(LayerDraft draft)
    {
        FileTree.TreePath path = draft.Resolve(this, Path.Parent).Append(Path.Name);
        draft.CheckNotProtected(this, path);
        if (draft.Metadata.Mounts.FirstOrDefault(m => m.MountPoint.StartsWith(path)) is { } mount)
            throw Error($"{mount.MountPoint} below it is a mount point");
        if (ImageMetadata.Folder.StartsWith(path))
            throw Error($"{path} is reserved for layerbox");
        if (draft.Tree.Find(path) is not null)
            draft.Remove(this, path);
        else if (_mustExist)
            throw Error($"{Path} does not exist");
    }
}
