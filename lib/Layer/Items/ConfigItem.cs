using System.Text.Json;

namespace Layerbox.Layer;

/// <summary>
/// config: how the image is to be run. What the parent recorded is kept where this layer says nothing; "env" and "labels" are merged
/// name by name; a new entrypoint drops the parent's cmd, which was made for the old one.
/// </summary>
internal sealed class ConfigItem : Item
{
    private readonly RunConfig _config;

    private ConfigItem(SpecObject spec) : base(spec.Place) => _config = new RunConfig
    {
        Entrypoint = spec.OptionalTexts("entrypoint"),
        Cmd = spec.OptionalTexts("cmd"),
        Env = EnvironmentMembers.Parse(spec),
        User = spec.OptionalUserAndGroup("user"),
        WorkingDir = spec.OptionalPath("working_dir")?.ToString(),
        StopSignal = spec.OptionalText("stop_signal"),
        ExposedPorts = Sorted(spec.OptionalTexts("exposed_ports")),
        Volumes = Sorted(spec.OptionalTexts("volumes")),
        Labels = spec.OptionalTextMap("labels"),
    };

    public static Item Parse(SpecObject spec, SpecContext context) => new ConfigItem(spec);

    public override string Label => "config";
    public override string Text => TextOf("config", ("config", JsonSerializer.Serialize(_config, MetadataJson.Default.RunConfig)));

    public override IEnumerable<Requirement> Requires(LayerDraft draft)
    {
        if (_config.User is { } user && user.Split(':') is var parts)
        {
            if (!Accounts.TryNumber(parts[0], out _))
                yield return new Requirement(Key.OfUser(parts[0]), Ordered: false);
            if (parts.Length > 1 && !Accounts.TryNumber(parts[1], out _))
                yield return new Requirement(Key.OfGroup(parts[1]), Ordered: false);
        }
        if (_config.WorkingDir is { } folder)
            yield return new Requirement(Key.OfPath(FileTree.TreePath.Parse(folder)), Need.Directory, Ordered: false);
        if (_config.Entrypoint is [var program, ..] && program.StartsWith('/'))
            yield return new Requirement(Key.OfPath(FileTree.TreePath.Parse(program)), Need.Executable, Ordered: false);
    }

    public override void Apply(LayerDraft draft)
    {
        RunConfig was = draft.Metadata.Config ?? new RunConfig();
        draft.Metadata.Config = new RunConfig
        {
            Entrypoint = Once(draft, "entrypoint", _config.Entrypoint) ?? was.Entrypoint,
            Cmd = Once(draft, "cmd", _config.Cmd) ?? (_config.Entrypoint is null || draft.ConfigMembersSet.Contains("cmd") ? was.Cmd : null),
            Env = Merge(draft, "env", was.Env, _config.Env),
            User = Once(draft, "user", _config.User) ?? was.User,
            WorkingDir = Once(draft, "working_dir", _config.WorkingDir) ?? was.WorkingDir,
            StopSignal = Once(draft, "stop_signal", _config.StopSignal) ?? was.StopSignal,
            ExposedPorts = Once(draft, "exposed_ports", _config.ExposedPorts) ?? was.ExposedPorts,
            Volumes = Once(draft, "volumes", _config.Volumes) ?? was.Volumes,
            Labels = Merge(draft, "labels", was.Labels, _config.Labels),
        };
    }

    // Two config items of one layer may complement, not contradict each other.
    private T? Once<T>(LayerDraft draft, string member, T? value) where T : class
    {
        if (value is not null && !draft.ConfigMembersSet.Add(member))
            throw Error($"'{member}' is set by another config item of this layer");
        return value;
    }

    private SortedDictionary<string, string>? Merge(LayerDraft draft, string member, SortedDictionary<string, string>? was, SortedDictionary<string, string>? now)
    {
        if (now is null)
            return was;
        SortedDictionary<string, string> merged = new(was ?? [], StringComparer.Ordinal);
        foreach ((string name, string value) in now)
        {
            Once(draft, $"{member}: {name}", value);
            merged[name] = value;
        }
        return merged;
    }

    private static List<string>? Sorted(IReadOnlyList<string>? values) => values?.Order(StringComparer.Ordinal).ToList();
}
