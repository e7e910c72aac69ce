
namespace Layerbox.Tests.Layer.Rpms;

/// <summary>
/// What tests of layers with packages share: repositories made of this machine's Debian packages (scripts/make-rpms), their snapshots "one" and "two", and a volume
/// with a layer of more than 50 packages on it. Made once, by the first that asks.
/// </summary>
public sealed class MadeRpms : IDisposable
{
    private readonly Lazy<TempFolder> _folder = new(Make);
    private readonly Lazy<TempVolume> _volume = new(() => TempVolume.OrSkip(2L << 30));
    private readonly Lock _lock = new();
    private bool _isBuilt;

    /// <summary>Beside the specifications.</summary>
    internal string Folder => _folder.Value.Path;

    internal string Volume => _volume.Value.Path;

    internal string Store => Path.Combine(Folder, "store");

    internal static string Source(string tag, string more = "") => $$""" "rpm_snapshot": { "store": "store", "tag": "{{tag}}"{{more}} }, """;

    /// <summary>The packages of the base layer. It has the older tool and the newer engine, so that there is something to change.</summary>
    internal const string Base = """
        { "item": "rpms_install", "names": ["bash", "coreutils", "findutils", "grep", "libc-bin", "procps", "rpm", "sed", "sqlite3", "tar", "util-linux"] },
        { "item": "rpms_install", "names": ["tool-1", "engine-2-1.noarch", "extra", "manual", "rights", "scripted"] }
        """;

    /// <summary>Compiles on a volume; the handle is a file beside the specifications.</summary>
    internal Tools.Result Compile(string name, string features, string more, params string[] args)
    {
        File.WriteAllText(Path.Combine(Folder, $"{name}.layer.json"), $$"""{ "name": "{{name}}", {{more}} "features": [ {{features}} ] }""");
        return Tools.Run(["layer-compile", Path.Combine(Folder, $"{name}.layer.json"), "--output", Handle(name), "--progress", "none", .. args]);
    }

    internal string Handle(string name) => Path.Combine(Folder, $"{name}.layer");

    /// <summary>Makes sure that base.layer is there.</summary>
    internal void NeedBase()
    {
        Published.OrSkip();
        lock (_lock)
        {
            if (!_isBuilt)
                Compile("base", Base, Source("one"), "--volume", Volume).AssertSucceeded();
            _isBuilt = true;
        }
    }

    public void Dispose()
    {
        if (_volume.IsValueCreated)
            _volume.Value.Dispose();
        if (_folder.IsValueCreated)
            _folder.Value.Dispose();
    }

    private static TempFolder Make()
    {
        Privileged.OrSkip();
        string made = Repository.PathOf("artifacts", "made-rpms");
        (int status, _, string errors) = Programs.Try(Repository.PathOf("scripts", "make-rpms"), made);
        bool mayBeMissing = Environment.GetEnvironmentVariable("CI") != "true";
        Assert.SkipWhen(status == 77 && mayBeMissing, errors.TrimEnd().Split('\n')[^1]);
        Assert.True(status == 0, $"make-rpms: exit status {status}: {errors}");
        TempFolder folder = new();
        foreach (string tag in (string[])["one", "two"])
            Tools.Run("rpm-repo-snapshot", "sync", "--store", folder / "store", "--repo", $"made=file://{made}/{tag}", "--tag", tag).AssertSucceeded();
        return folder;
    }
}
