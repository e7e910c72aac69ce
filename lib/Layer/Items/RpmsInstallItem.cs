namespace Layerbox.Layer;

/// <summary>
/// rpms_install: packages by names, full names, patterns or what they provide; or a package of one's own; or exactly those of a lock file. What of it is there in that
/// version already stays as it is.
/// </summary>
internal sealed class RpmsInstallItem : RpmItem
{
    private readonly string? _sha256;

    private RpmsInstallItem(SpecObject spec, SpecContext context) : base(spec.Place)
    {
        string[] given = [.. ((string[])["names", "source", "lock"]).Where(spec.Has)];
        if (given.Length != 1)
            throw spec.Error("one of 'names', 'source' and 'lock' says what is installed");
        Names = spec.Has("names") ? NamesOf(spec, "names") : [];
        File = spec.OptionalText("source") is { } source ? context.Sources.Blob(source, spec.Place) : null;
        LockFile = spec.OptionalText("lock") is { } lockFile ? context.Sources.Blob(lockFile, spec.Place) : null;
        _sha256 = spec.OptionalSha256("sha256");
        if (_sha256 is not null && File is null)
            throw spec.Error("'sha256' goes with 'source'");
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new RpmsInstallItem(spec, context);

    public override IReadOnlyList<string> Names { get; }

    /// <summary>A package file.</summary>
    public BlobInput? File { get; }

    /// <summary>What rpm-resolve wrote.</summary>
    public BlobInput? LockFile { get; }

    public override string Label => $"rpms_install {File?.Name ?? LockFile?.Name ?? (Names.Count == 1 ? Names[0] : $"{Names[0]} …")}";

    public override string Text
    {
        get
        {
            if (_sha256 is not null && File!.Digest != _sha256)
                throw Error($"its digest is {File.Digest}, not {_sha256}");
            return TextOf("rpms_install", ("names", Names.Count == 0 ? null : string.Join(' ', Names)), ("file", File?.Digest), ("lock", LockFile?.Digest));
        }
    }

    public override IEnumerable<Input> Inputs => new Input?[] { File, LockFile }.OfType<Input>();
}
