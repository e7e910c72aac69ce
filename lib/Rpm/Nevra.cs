namespace Layerbox.Rpm;

/// <summary>Name, epoch, version, release and architecture: what a package is called. Sources have the architecture "src".</summary>
public sealed record Nevra(string Name, Evr Evr, string Arch)
{
    // Of source packages that lack some of their sources.
    private const RpmTag NoSource = (RpmTag)1051, NoPatch = (RpmTag)1052;

    /// <summary>What a package calls itself.</summary>
    public static Nevra Of(RpmPackage package)
    {
        RpmHeader header = package.Header;
        return new Nevra(
            header.Text(RpmTag.Name)!,
            new Evr((uint)(header.Number(RpmTag.Epoch) ?? 0), header.Text(RpmTag.Version)!, header.Text(RpmTag.Release)!),
            package.IsSource ? (header.Has(NoSource) || header.Has(NoPatch) ? "nosrc" : "src") : header.Text(RpmTag.Arch) ?? "(none)");
    }

    /// <summary>
    /// Reads "name-[epoch:]version-release.arch". The epoch may also stand in front of the name, as yum prints it. A name may have dashes,
    /// version and release have none; the architecture has no dot.
    /// </summary>
    /// <exception cref="FormatException">It is not of that form.</exception>
    public static Nevra Parse(string text)
    {
        ReadOnlySpan<char> rest = text;
        int colon = rest.IndexOf(':');
        ReadOnlySpan<char> epoch = default;
        if (colon > 0 && !rest[..colon].ContainsAnyExceptInRange('0', '9'))
        {
            epoch = rest[..(colon + 1)];
            rest = rest[(colon + 1)..];
        }
        int dot = rest.LastIndexOf('.');
        int release = dot < 0 ? -1 : rest[..dot].LastIndexOf('-');
        int version = release < 0 ? -1 : rest[..release].LastIndexOf('-');
        if (version <= 0 || release == version + 1 || dot == release + 1 || dot == rest.Length - 1)
            throw new FormatException($"'{text}' is not of the form name-[epoch:]version-release.arch");
        Evr evr = Evr.Parse($"{epoch}{rest[(version + 1)..dot]}");
        return new Nevra(rest[..version].ToString(), evr, rest[(dot + 1)..].ToString());
    }

    /// <summary>"name-version-release.arch", with "epoch:" before the version unless that is 0.</summary>
    public override string ToString() => $"{Name}-{Evr}.{Arch}";
}
