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
        _programs = [.. spec.Paths("programs")?.Distinct().Order() ?? throw spec.Error("member 'programs' is missing")];
        if (_programs.Count == 0)
            throw spec.Error("member 'programs' is empty");
        string? layer = spec.OptionalText("layer"), root = spec.OptionalText("root");
        if (layer is null == root is null)
            throw spec.Error("exactly one of 'layer' and 'root' says where the programs come from");
        _layer = layer is null ? null : context.Sources.Layer(layer, spec.Place);
        _host = root is null ? null : new ProgramsInput(root, context.Sources.Resolve(root, spec.Place), _programs, Error);
        _source = (Input?)_layer ?? _host!;
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new ExtractItem(spec, context);

    public override string Label => $"extract {_programs[0]}{(_programs.Count > 1 ? " …" : "")}";
    public override string Text => TextOf("extract", ("programs", string.Join('\0', _programs)), ("source", _source.Digest));
    public override IEnumerable<Input> Inputs => [_source];

    public override void Prepare(LayerDraft draft)
    {
        _closure = _host?.Closure ?? ClosureOf(new TreeProgramSource(draft.OpenLayer(_layer!)), _programs, Error);
    }

    public override IEnumerable<Item> Expand() =>
    [
        .. ImpliedDirectory.AboveAll(Place, _closure.Keys).Where(folder => !_closure.ContainsKey(folder.Path)),
        .. _closure.Select(file => One(file.Key, file.Value)),
    ];

    public override void Apply(LayerDraft draft) => throw new InvalidOperationException("extract is expanded before it runs");

    // Times are the layer's, so the state is known before there is a draft.
    private Part One(TreePath path, Inode source)
    {
        Inode Made(Timestamp time) => source.CopyWithoutChildren().Owned(0, 0, time).With(XattrSet.Empty);
        string same = LayerDraft.SameAs(Made(default))!;
        return new Part(this, TextOf("extracted", ("path", path.ToString()), ("same", same)), [Provision.Of(path, source) with { SameAs = same, AcceptsExisting = true }], [Requirement.Directory(path.Parent)], (draft, item) =>
        {
            // The parent may have brought the same file: the graph has made sure that it is the same.
            (Inode directory, FileName name) = draft.Locate(item, path);
            if (directory.Child(name) is null)
                draft.Add(item, path, Made(draft.Epoch));
        });
    }

    private static SortedDictionary<TreePath, Inode> ClosureOf(ProgramSource source, IEnumerable<TreePath> programs, Func<string, LayerException> error)
    {
        try
        {
            return ProgramClosure.Of(source, programs);
        }
        catch (Exception e) when (e is LayerException or InvalidDataException)
        {
            throw error(e.Message);
        }
    }

    /// <summary>Programs of a host folder; their digest is that of all that they need.</summary>
    private sealed class ProgramsInput(string name, string root, IReadOnlyList<TreePath> programs, Func<string, LayerException> error) : Input
    {
        private SortedDictionary<TreePath, Inode>? _closure;

        public override string Name => name;
        public SortedDictionary<TreePath, Inode> Closure => _closure ??= ClosureOf(new HostProgramSource(root), programs, error);

        protected override string ComputeDigest()
        {
            StringBuilder text = new();
            foreach ((TreePath path, Inode inode) in Closure)
                text.Append(path).Append('\0').Append(InodeMode.Text(inode.Mode)).Append(' ').Append(Convert.ToHexStringLower(inode.Content?.Digest ?? inode.Target)).Append('\n');
            return $"tree-sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))}";
        }
    }
}
