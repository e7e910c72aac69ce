using System.Globalization;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>mknod: a character or block device, or a fifo.</summary>
internal sealed class MknodItem : Item
{
    private const string Char = "char", Block = "block", Fifo = "fifo";

    private readonly TreePath _path;
    private readonly string _type;
    private readonly uint _major, _minor, _mode;
    private readonly Ownership _owner;

    private MknodItem(SpecObject spec) : base(spec.Place)
    {
        _path = spec.NewPath("path");
        _type = spec.Text("type");
        if (_type is not (Char or Block or Fifo))
            throw spec.Error($"member 'type': '{_type}' is none of char, block, fifo");
        // As many bits as the kernel's dev_t has for each.
        long? major = spec.OptionalNumber("major", 0, 0xFFF), minor = spec.OptionalNumber("minor", 0, 0xFFFFF);
        if (_type == Fifo ? (major ?? minor) is not null : major is null || minor is null)
            throw spec.Error(_type == Fifo ? "a fifo has no 'major' and 'minor'" : "a device needs 'major' and 'minor'");
        (_major, _minor) = ((uint)(major ?? 0), (uint)(minor ?? 0));
        _mode = spec.OptionalMode("mode") ?? 0x1A4; // 0644
        _owner = Ownership.Parse(spec);
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new MknodItem(spec);

    public override string Label => $"mknod {_path}";
    public override string Text => TextOf("mknod", ("path", _path.ToString()), ("type", _type), ("device", string.Create(CultureInfo.InvariantCulture, $"{_major}:{_minor}")),
        ("mode", InodeMode.Text(_mode)), ("owner", _owner.ToString()));

    public override IEnumerable<Provision> Provides(LayerDraft draft) => [Provision.File(_path)];
    public override IEnumerable<Requirement> Requires(LayerDraft draft) => [Requirement.Directory(_path.Parent), .. _owner.Requires()];

    public override void Apply(LayerDraft draft)
    {
        (uint uid, uint gid) = _owner.Resolve(draft, this);
        Inode inode = _type == Fifo ? Inode.Fifo(_mode) : Inode.Device(_type == Block, _mode, _major, _minor);
        draft.Add(this, _path, inode.Owned(uid, gid, draft.Epoch));
    }
}
