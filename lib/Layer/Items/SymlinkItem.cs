using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// symlink: always stored relative, so that the image works wherever it is mounted. The target must exist when the layer is finished,
/// unless it is /dev/null, below /run, or "allow_dangling" is set.
/// </summary>
internal sealed class SymlinkItem : Item
{
    private readonly TreePath _link, _target;
    private readonly bool _allowDangling;
    private readonly Ownership _owner;

    private SymlinkItem(SpecObject spec) : base(spec.Place)
    {
        byte[] target = spec.Bytes("target");
        if (target.Length == 0)
            throw spec.Error("member 'target' is empty");
        _link = spec.Path("link", out bool endsInSlash);
        _allowDangling = spec.Flag("allow_dangling", false);
        _owner = Ownership.Parse(spec);
        if (target is not [(byte)'/', ..])
        {
            // A relative target is meant as the link will hold it: from the folder of the link.
            TreePath folder = endsInSlash ? _link : _link.IsRoot ? _link : _link.Parent;
            target = [(byte)'/', .. folder.ToBytes(), (byte)'/', .. target];
        }
        try
        {
            _target = TreePath.Parse(target);
        }
        catch (InvalidDataException e)
        {
            throw spec.Error($"member 'target': {e.Message}");
        }
        if (endsInSlash && !_target.IsRoot)
            _link = _link.Append(_target.Name);
        if (_link.IsRoot)
            throw spec.Error("member 'link': the root of the image cannot be replaced");
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new SymlinkItem(spec);

    public override string Label => $"symlink {_link}";
    public override string Text => TextOf("symlink", ("link", _link.ToString()), ("target", _target.ToString()), ("owner", _owner.ToString()), ("allow_dangling", _allowDangling ? "true" : null));

    // The absolute form leads to the same place wherever links in the ancestors put this one.
    public override IEnumerable<Provision> Provides(LayerDraft draft) =>
        [Provision.Symlink(_link, [(byte)'/', .. _target.ToBytes()]) with { SameAs = LayerDraft.SameAs(Inode.Symlink(Stored(draft))) }];

    public override IEnumerable<Requirement> Requires(LayerDraft draft)
    {
        yield return Requirement.Directory(_link.Parent);
        foreach (Requirement owner in _owner.Requires())
            yield return owner;
        if (!_allowDangling && !MayDangle(_target))
            yield return new Requirement(Key.OfPath(_target), Need.Exists, Ordered: false);
    }

    public override void Apply(LayerDraft draft)
    {
        // An extract of this layer may have brought the very same link.
        byte[] target = Stored(draft);
        (Inode directory, FileName name) = draft.Locate(this, _link);
        if (directory.Child(name) is { Kind: FileKind.Symlink } existing && existing.Target.AsSpan().SequenceEqual(target))
            return;
        (uint uid, uint gid) = _owner.Resolve(draft, this);
        draft.Add(this, _link, Inode.Symlink(target).Owned(uid, gid, draft.Epoch));
    }

    /// <summary>Whether a path exists only in a running system, so that links to it may dangle in an image.</summary>
    internal static bool MayDangle(TreePath target) => target.StartsWith(s_run) || target.StartsWith(s_proc) || target.Equals(s_devNull);

    private static readonly TreePath s_run = TreePath.Parse("run"), s_proc = TreePath.Parse("proc"), s_devNull = TreePath.Parse("dev/null");

    // Relative to where the link really lies: ".." leaves the folder that a linked ancestor leads to, not the one that was named.
    private byte[] Stored(LayerDraft draft) => Relative(draft.Resolve(this, _link.Parent).Append(_link.Name), _target);

    private static byte[] Relative(TreePath link, TreePath target)
    {
        IReadOnlyList<FileName> from = link.Parent.Names, to = target.Names;
        int common = 0;
        while (common < from.Count && common < to.Count - 1 && from[common] == to[common])
            common++;
        List<byte> text = [];
        for (int i = common; i < from.Count; i++)
            text.AddRange("../"u8);
        for (int i = common; i < to.Count; i++)
        {
            text.AddRange(to[i].Bytes);
            text.Add((byte)'/');
        }
        return text.Count == 0 ? "."u8.ToArray() : [.. text.Take(text.Count - 1)];
    }
}
