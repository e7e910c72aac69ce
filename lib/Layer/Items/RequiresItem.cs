namespace Layerbox.Layer;

/// <summary>requires: asserts what must be there when the layer is finished, and makes nothing.</summary>
internal sealed class RequiresItem : Item
{
    private readonly List<Requirement> _requirements = [];

    private RequiresItem(SpecObject spec) : base(spec.Place)
    {
        Add(spec, "files", Need.File);
        Add(spec, "directories", Need.Directory);
        Add(spec, "executables", Need.Executable);
        Add(spec, "paths", Need.Exists);
        foreach (string user in spec.OptionalTexts("users") ?? [])
            _requirements.Add(new Requirement(Key.OfUser(user), Ordered: false));
        foreach (string group in spec.OptionalTexts("groups") ?? [])
            _requirements.Add(new Requirement(Key.OfGroup(group), Ordered: false));
        if (_requirements.Count == 0)
            throw spec.Error("nothing is required; give files, directories, executables, paths, users or groups");
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new RequiresItem(spec);

    public override string Label => "requires";
    public override string Text => TextOf("requires", ("all", string.Join('\0', _requirements.Select(ItemGraph.Wanted))));
    public override IEnumerable<Requirement> Requires(LayerDraft draft) => _requirements;
    public override void Apply(LayerDraft draft) { }

    private void Add(SpecObject spec, string member, Need need)
    {
        foreach (FileTree.TreePath path in spec.Paths(member) ?? [])
            _requirements.Add(new Requirement(Key.OfPath(path), need, Ordered: false));
    }
}
