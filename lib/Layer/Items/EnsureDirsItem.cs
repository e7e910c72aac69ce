using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// ensure_dirs: a directory with a mode and an owner, made if it is missing, else checked. Ancestors that nobody makes come with
/// it, as 0755 root:root; with "into" the directories below that one all get the mode and owner, and "into" itself must exist.
/// </summary>
internal sealed class EnsureDirsItem : Item
{
    private readonly TreePath _path;
    private readonly TreePath? _into;
    private readonly uint _mode;
    private readonly Ownership _owner;

    private EnsureDirsItem(string place, TreePath path, TreePath? into, uint mode, Ownership owner) : base(place)
    {
        _path = path;
        _into = into;
        _mode = mode;
        _owner = owner;
    }

    public static Item Parse(SpecObject spec, SpecContext context)
    {
        TreePath path = spec.Path("path");
        TreePath? into = spec.OptionalPath("into");
        if (path.IsRoot)
            throw spec.Error("member 'path': the root of the image is always there");
        return new EnsureDirsItem(spec.Place, into is null ? path : into.Append(path), into, spec.OptionalMode("mode") ?? InodeMode.Directory, Ownership.Parse(spec));
    }

    /// <summary>A plain directory, 0755 root:root, with its ancestors: for items that stand for several.</summary>
    public static EnsureDirsItem Of(string place, TreePath path) => new(place, path, null, InodeMode.Directory, new Ownership("root", "root"));

    public override string Text => TextOf("ensure_dirs", ("path", _path.ToString()), ("into", _into?.ToString()), ("mode", InodeMode.Text(_mode)), ("owner", _owner.ToString()));
    public override string Label => $"ensure_dirs {_path}";

    public override IEnumerable<Item> Expand()
    {
        yield return new One(Place, _path, _mode, _owner);
        if (_into is null)
            foreach (Item ancestor in ImpliedDirectory.AboveAll(Place, [_path]))
                yield return ancestor;
        for (TreePath path = _path.Parent; path.Depth > _into?.Depth; path = path.Parent)
            yield return new One(Place, path, _mode, _owner);
    }

    public override void Apply(LayerDraft draft) => throw new InvalidOperationException("ensure_dirs is expanded before it runs");

    /// <summary>One directory that is made or must be exactly so.</summary>
    private sealed class One(string place, TreePath path, uint mode, Ownership owner) : Item(place)
    {
        public override string Text => TextOf("ensure_dir", ("path", path.ToString()), ("mode", InodeMode.Text(mode)), ("owner", owner.ToString()));
        public override string Label => $"ensure_dirs {path}";
        public override IEnumerable<Provision> Provides(LayerDraft draft) => [Provision.Directory(path) with { Strength = Strength.Ensures }];
        public override IEnumerable<Requirement> Requires(LayerDraft draft) => [Requirement.Directory(path.Parent), .. owner.Requires()];

        public override void Apply(LayerDraft draft)
        {
            (uint uid, uint gid) = owner.Resolve(draft, this);
            if (draft.Follow(this, path) is not { } existing)
            {
                draft.Add(this, path, Inodes.Directory(mode, uid, gid, draft.Epoch));
                return;
            }
            if (!existing.IsDirectory)
                throw Error($"{path} is there, but is no directory");
            if (existing.Mode != mode)
                throw Error($"{path} is there with mode {InodeMode.Text(existing.Mode)}; {InodeMode.Text(mode)} is wanted");
            if ((existing.Uid, existing.Gid) != (uid, gid))
                throw Error($"{path} is there, owned by {existing.Uid}:{existing.Gid}; {uid}:{gid} is wanted");
            // A label of the host's security module is not part of what anybody declared.
            if (existing.Xattrs.Without("security.selinux"u8.ToArray()).Items is [var xattr, ..])
                throw Error($"{path} is there with the extended attribute '{BytesText.Escape(xattr.Name)}'; none is wanted");
        }
    }
}
