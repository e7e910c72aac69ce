namespace Layerbox.Layer;

/// <summary>rpms_remove: packages that the parent has. Nothing else goes with them: whoever needs them must be named too.</summary>
internal sealed class RpmsRemoveItem : RpmItem
{
    private RpmsRemoveItem(SpecObject spec) : base(spec.Place)
    {
        Names = NamesOf(spec, "names");
        MustExist = spec.Flag("must_exist", true);
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new RpmsRemoveItem(spec);

    public override IReadOnlyList<string> Names { get; }

    /// <summary>Whether it is an error when none is installed.</summary>
    public bool MustExist { get; }

    public override string Label => $"rpms_remove {(Names.Count == 1 ? Names[0] : $"{Names[0]} …")}";
    public override string Text => TextOf("rpms_remove", ("names", string.Join(' ', Names)), ("must_exist", MustExist ? "true" : "false"));
}
