using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>hardlink: a second name for a file of the image.</summary>
internal sealed class HardlinkItem : Item
{
    private readonly TreePath _target, _link;

    private HardlinkItem(SpecObject spec) : base(spec.Place)
    {
        _target = spec.Path("target");
        _link = spec.NewPath("link");
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new HardlinkItem(spec);

    public override string Label => $"hardlink {_link}";
    public override string Text => TextOf("hardlink", ("link", _link.ToString()), ("target", _target.ToString()));

    public override IEnumerable<Provision> Provides(LayerDraft draft) => [Provision.File(_link)];
    public override IEnumerable<Requirement> Requires(LayerDraft draft) => [Requirement.Directory(_link.Parent), Requirement.File(_target)];

    public override void Apply(LayerDraft draft)
    {
        Inode target = draft.Follow(this, _target) ?? throw Error($"{_target} does not exist");
        if (target.IsDirectory)
            throw Error($"{_target} is a directory; directories have one name only");
        draft.CheckNotProtected(this, draft.Resolve(this, _target));
        draft.Add(this, _link, target);
    }
}
