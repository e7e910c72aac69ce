using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>text: a file whose bytes stand in the specification itself.</summary>
internal sealed class TextItem : Item
{
    private readonly TreePath _dest;
    private readonly byte[] _bytes;
    private readonly uint _mode;
    private readonly Ownership _owner;
    private readonly XattrSet _xattrs;

    private TextItem(SpecObject spec) : base(spec.Place)
    {
        _dest = spec.NewPath("dest");
        _bytes = spec.Bytes("text");
        _mode = spec.OptionalMode("mode") ?? InodeMode.Data;
        _owner = Ownership.Parse(spec);
        _xattrs = XattrMembers.Parse(spec);
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new TextItem(spec);

    public override string Label => $"text {_dest}";
    public override string Text => TextOf("text", ("dest", _dest.ToString()), ("bytes", Encoding.Latin1.GetString(_bytes)), ("mode", InodeMode.Text(_mode)),
        ("owner", _owner.ToString()), ("xattrs", XattrMembers.TextOf(_xattrs)));

    public override IEnumerable<Provision> Provides(LayerDraft draft) => [Provision.File(_dest)];
    public override IEnumerable<Requirement> Requires(LayerDraft draft) => [Requirement.Directory(_dest.Parent), .. _owner.Requires()];

    public override void Apply(LayerDraft draft)
    {
        (uint uid, uint gid) = _owner.Resolve(draft, this);
        draft.Add(this, _dest, Inode.File(_mode, new MemoryContent(_bytes)).Owned(uid, gid, draft.Epoch).With(_xattrs));
    }
}
