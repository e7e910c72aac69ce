using System.Security.Cryptography;
using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// extract: programs with the loader and the shared libraries that they need, from another layer or from a folder of the host ("/" is the
/// machine itself), to the same paths in the image. Two extracts may bring the same library if its bytes are the same.
/// </summary>
internal sealed class ExtractItem : Item
{
    private readonly Input _source;
    private readonly LayerInput? _layer;
    private readonly ProgramsInput? _host;
    private readonly IReadOnlyList<TreePath> _programs;
    private SortedDictionary<TreePath, Inode> _closure = [];

    private ExtractItem(SpecObject spec, SpecContext context) : base(spec.Place)
    {
        _programs = [.. spec.Texts("programs").Select(p => TreePath.Parse(p)).Order()];
        if (_programs.Count == 0)
            throw spec.Error("member 'programs' is empty");
        string? layer = spec.OptionalText("layer"), root = spec.OptionalText("root");
        if (layer is null == root is null)
            throw spec.Error("exactly one of 'layer' and 'root' says where the programs come from");
        _layer = layer is null ? null : context.Sources.Layer(layer, spec.Place);
        _host = root is null ? null : new ProgramsInput(root, context.Sources.Resolve(root, spec.Place), _programs);
        _source = (Input?)_layer ?? _host!;
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new ExtractItem(spec, context);

    public override string Label => $"extract {_programs[0]}{(_programs.Count > 1 ? " …" : "")}";
    public override string Text => TextOf("extract", ("programs", string.Join(' ', _programs)), ("source", _source.Digest));
    public override IEnumerable<Input> Inputs => [_source];

    public override void Prepare(LayerDraft draft)
    {
        try
        {
            _closure = _host?.Closure ?? ProgramClosure.Of(new TreeProgramSource(draft.OpenLayer(_layer!)), _programs);
        }
        catch (LayerException e)
        {
            throw Error(e.Message);
        }
    }

    public override IEnumerable<Provision> Provides(LayerDraft draft)
    {
        foreach ((TreePath path, Inode inode) in _closure)
            yield return Provision.Of(path, inode) with { SameAs = LayerDraft.SameAs(Made(inode, draft)) };
        foreach (TreePath folder in Folders())
            yield return Provision.Directory(folder) with { Strength = Strength.Implies };
    }

    public override void Apply(LayerDraft draft)
    {
        foreach (TreePath folder in Folders())
            if (draft.Follow(folder) is null)
                draft.Add(this, folder, Inodes.Directory(InodeMode.Directory, 0, 0, draft.Epoch));
        foreach ((TreePath path, Inode inode) in _closure)
        {
            TreePath at = draft.Tree.Resolve(path.Parent, followLast: true).Append(path.Name);
            // Another extract, or the parent, has brought the same file: the graph has made sure that it is the same.
            if (draft.Tree.Find(at) is null)
                draft.Add(this, at, Made(inode, draft));
        }
    }

    private static Inode Made(Inode source, LayerDraft draft) => source.CopyWithoutChildren().Owned(0, 0, draft.Epoch).With(XattrSet.Empty);

    private IEnumerable<TreePath> Folders() =>
        _closure.Keys.SelectMany(Ancestors).Distinct().Where(f => !_closure.ContainsKey(f)).Order();

    private static IEnumerable<TreePath> Ancestors(TreePath path)
    {
        for (TreePath at = path.Parent; !at.IsRoot; at = at.Parent)
            yield return at;
    }

    /// <summary>Programs of a host folder; their digest is that of all that they need.</summary>
    private sealed class ProgramsInput(string name, string root, IReadOnlyList<TreePath> programs) : Input
    {
        private SortedDictionary<TreePath, Inode>? _closure;

        public override string Name => name;
        public SortedDictionary<TreePath, Inode> Closure => _closure ??= ProgramClosure.Of(new HostProgramSource(root), programs);

        protected override string ComputeDigest()
        {
            StringBuilder text = new();
            foreach ((TreePath path, Inode inode) in Closure)
                text.Append(path).Append('\0').Append(InodeMode.Text(inode.Mode)).Append(' ').Append(Convert.ToHexStringLower(inode.Content?.Digest ?? inode.Target)).Append('\n');
            return $"tree-sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))}";
        }
    }
}
