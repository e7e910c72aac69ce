namespace Layerbox.Layer;

/// <summary>What concerns packages. All such items of a layer are one transaction, before everything else.</summary>
internal abstract class RpmItem(string place) : Item(place)
{
    public override Phase Phase => Phase.Rpms;

    /// <summary>The words by which packages are named here; messages have them in quotes.</summary>
    public abstract IReadOnlyList<string> Names { get; }

    public override void Apply(LayerDraft draft) => throw new InvalidOperationException("packages have a phase of their own");

    /// <summary>Names of packages, as dnf understands them, without what it takes for something else.</summary>
    protected static IReadOnlyList<string> NamesOf(SpecObject spec, string member)
    {
        IReadOnlyList<string> names = spec.Texts(member);
        if (names.Count == 0)
            throw spec.Error($"member '{member}' is empty");
        foreach (string name in names)
        {
            if (name.Length == 0 || name.Any(c => char.IsControl(c) || char.IsWhiteSpace(c)) && name[0] != '(' || name[0] is '-' or '@')
                throw spec.Error($"member '{member}': '{name}' is no name, pattern or capability of packages");
        }
        return [.. names.Distinct().Order(StringComparer.Ordinal)];
    }
}
