using System.Globalization;
using Layerbox.FileTree;
using Layerbox.RpmSnapshot;

namespace Layerbox.Layer;

/// <summary>
/// The member <c>rpm_snapshot</c> of a layer: from which snapshot packages come, which dnf installs them, and how. A tag is resolved once, when the layer is compiled;
/// what counts from then on is the snapshot's id.
/// </summary>
public sealed class RpmSource
{
    private const string Prefix = "sha256:";

    private readonly string _place;
    private readonly string? _id, _tag;
    private readonly IReadOnlyList<string>? _repos;
    private SnapshotStore? _store;
    private Snapshot? _snapshot;

    /// <param name="place">Where it stands, for messages.</param>
    /// <param name="store">The folder of the store; null: no repositories.</param>
    /// <param name="id">The snapshot's whole id; or</param>
    /// <param name="tag">its tag.</param>
    /// <param name="repos">Of which of its repositories packages may come; null: of all.</param>
    public RpmSource(string place, string? store = null, string? id = null, string? tag = null, IReadOnlyList<string>? repos = null) =>
        (_place, StorePath, _id, _tag, _repos) = (place, store, id, tag, repos);

    /// <summary>The folder of the store; null: no repositories.</summary>
    public string? StorePath { get; }

    /// <summary>The layer that has dnf; null: that of this machine is used.</summary>
    public LayerInput? Appliance { get; init; }

    /// <summary>Whether packages that others only recommend are installed too.</summary>
    public bool WeakDependencies { get; init; }

    /// <summary>Whether files that packages mark as documentation are installed.</summary>
    public bool Documentation { get; init; } = true;

    /// <summary>Where the image's rpm database is; null: where the parent has one, else <see cref="DefaultDatabase"/>.</summary>
    public TreePath? Database { get; init; }

    /// <summary>What dnf calls the platform of modules, "platform:el9"; null: there are none.</summary>
    public string? ModulePlatform { get; init; }

    /// <summary>Public keys, besides those of the snapshot.</summary>
    public IReadOnlyList<BlobInput> Keys { get; init; } = [];

    public static TreePath DefaultDatabase { get; } = TreePath.Parse("usr/lib/sysimage/rpm");

    /// <exception cref="SpecificationException">A member is not as it must be.</exception>
    internal static RpmSource Parse(SpecObject spec, Sources sources)
    {
        string? store = spec.OptionalText("store"), id = spec.OptionalText("id"), tag = spec.OptionalText("tag");
        if (store is null && (id ?? tag) is not null)
            throw spec.Error("member 'store' is missing");
        if (store is not null && (id is null) == (tag is null))
            throw spec.Error("one of 'id' and 'tag' says which snapshot of the store it is");
        if (id is not null)
        {
            id = id.StartsWith(Prefix, StringComparison.Ordinal) ? id[Prefix.Length..] : id;
            if (id.Length != 64 || !id.All(char.IsAsciiHexDigitLower))
                throw spec.Error($"member 'id': '{id}' is not the whole id of a snapshot, 64 hexadecimal digits");
        }
        IReadOnlyList<string>? repos = spec.OptionalTexts("repos");
        if (repos is { Count: 0 })
            throw spec.Error("member 'repos' is empty");
        string? appliance = spec.OptionalText("appliance");
        RpmSource source = new(spec.Place, store is null ? null : sources.Resolve(store, spec.Place), id, tag, repos)
        {
            Appliance = appliance is null ? null : sources.Layer(appliance, spec.Place),
            WeakDependencies = spec.Flag("weak_deps", false),
            Documentation = spec.Flag("docs", true),
            Database = spec.OptionalPath("dbpath"),
            ModulePlatform = spec.OptionalText("module_platform"),
            Keys = [.. (spec.OptionalTexts("keys") ?? []).Select(name => sources.Blob(name, spec.Place))],
        };
        spec.Finish();
        return source;
    }

    /// <summary>The store, opened for reading; null when there is none.</summary>
    public SnapshotStore? Store => StorePath is null ? null : _store ??= Guard(() => SnapshotStore.Open(StorePath));

    /// <summary>The snapshot that is meant; null when there is none.</summary>
    /// <exception cref="LayerException">The store has no such snapshot, or the snapshot no such repository.</exception>
    public Snapshot? Snapshot => StorePath is null ? null : _snapshot ??= Guard(() => Store!.Load(_id ?? Store.Resolve(_tag!)));

    /// <summary>The repositories that packages may come from, in the order of the snapshot.</summary>
    public IReadOnlyList<SnapshotRepo> Repos
    {
        get
        {
            if (Snapshot is not { } snapshot)
                return [];
            if (_repos?.FirstOrDefault(name => snapshot.Repos.All(repo => repo.Name != name)) is { } missing)
                throw new LayerException($"{_place}: the snapshot has no repository '{missing}'; it has {string.Join(", ", snapshot.Repos.Select(repo => repo.Name))}");
            return [.. snapshot.Repos.Where(repo => _repos?.Contains(repo.Name) != false)];
        }
    }

    /// <summary>All that of this goes into a layer's recipe, but for dnf itself.</summary>
    internal string Text => string.Create(CultureInfo.InvariantCulture, $"""
        rpm_snapshot id="{Snapshot?.Id ?? "none"}" repos="{string.Join(' ', Repos.Select(repo => repo.Name))}" weak_deps={WeakDependencies} docs={Documentation} dbpath="{Database}" module_platform="{ModulePlatform}" keys="{string.Join(' ', Keys.Select(key => key.Digest))}"
        """);

    private T Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (IOException e) when (e is not LayerException)
        {
            throw new LayerException($"{_place}: {e.Message}");
        }
        catch (InvalidDataException e)
        {
            throw new LayerException($"{_place}: {e.Message}");
        }
    }
}
