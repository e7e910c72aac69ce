using System.Text.Json;
using Layerbox.FileTree;
using Layerbox.Posix;

namespace Layerbox.Layer;

/// <summary>What items are parsed with.</summary>
public sealed record SpecContext(Sources Sources, IReadOnlySet<string> AllowedHostMounts);

/// <summary>A layer as it is declared: name, parent, items. Reading it reads no input but the specification and the features it includes.</summary>
public sealed class LayerSpec
{
    /// <summary>Every kind of item with its parser: the one place where a new kind is entered.</summary>
    private static readonly SortedDictionary<string, Func<SpecObject, SpecContext, Item>> s_items = new(StringComparer.Ordinal)
    {
        ["clone"] = CloneItem.Parse,
        ["config"] = ConfigItem.Parse,
        ["ensure_dirs"] = EnsureDirsItem.Parse,
        ["extract"] = ExtractItem.Parse,
        ["group_add"] = GroupAddItem.Parse,
        ["hardlink"] = HardlinkItem.Parse,
        ["install"] = InstallItem.Parse,
        ["mknod"] = MknodItem.Parse,
        ["mount"] = MountItem.Parse,
        ["remove"] = RemoveItem.Parse,
        ["requires"] = RequiresItem.Parse,
        ["rpms_install"] = RpmsInstallItem.Parse,
        ["rpms_remove"] = RpmsRemoveItem.Parse,
        ["run"] = RunItem.Parse,
        ["symlink"] = SymlinkItem.Parse,
        ["systemd_unit"] = SystemdUnitItem.Parse,
        ["tarball"] = TarballItem.Parse,
        ["text"] = TextItem.Parse,
        ["user_add"] = UserAddItem.Parse,
    };

    private const string Include = "include";

    /// <summary>What people or generators write stays far below; without a limit /dev/zero would fill the memory.</summary>
    private const int MaxBytes = 256 * 1024 * 1024;

    public required string Name { get; init; }

    /// <summary>The handle of the parent layer; null for a layer that starts empty.</summary>
    public LayerInput? Parent { get; init; }

    /// <summary>All items, those of included features too, in the order of reading. The order means nothing.</summary>
    public required IReadOnlyList<Item> Items { get; init; }

    /// <summary>Where packages come from; null when it does not say.</summary>
    public RpmSource? Rpms { get; init; }

    /// <summary>From the specification; null when it does not say.</summary>
    public Timestamp? SourceDateEpoch { get; init; }

    /// <summary>Whether the layer and all below it must do without mounts from the host.</summary>
    public bool SelfContained { get; init; }

    public static IEnumerable<string> ItemKinds => s_items.Keys.Append(Include).Order(StringComparer.Ordinal);

    /// <exception cref="SpecificationException">Anything in it is not as it must be; the place is named.</exception>
    public static LayerSpec Read(string path, IReadOnlyDictionary<string, string>? sourceMap = null) => Parse(WholeFile.Read(path, MaxBytes), path, sourceMap);

    /// <summary>The same from bytes; names are looked up relative to the folder of <paramref name="path"/>.</summary>
    public static LayerSpec Parse(byte[] utf8, string path, IReadOnlyDictionary<string, string>? sourceMap = null)
    {
        using JsonDocument json = SpecObject.Parse(utf8, path);
        SpecObject spec = new(json.RootElement, path);
        Sources sources = new(Path.GetDirectoryName(path) ?? "", sourceMap);
        SpecContext context = new(sources, (spec.OptionalTexts("allow_host_mounts") ?? []).ToHashSet(StringComparer.Ordinal));
        string name = spec.Text("name");
        if (!LayerName.IsGood(name))
            throw spec.Error($"member 'name': '{name}' is no name for a layer: {LayerName.Rule}");
        LayerSpec layer = new()
        {
            Name = name,
            Parent = spec.OptionalText("parent") is { } parent ? sources.Layer(parent, $"{path}: parent") : null,
            SourceDateEpoch = spec.OptionalNumber("source_date_epoch", long.MinValue, long.MaxValue) is { } epoch ? new Timestamp(epoch) : null,
            Rpms = spec.OptionalObject("rpm_snapshot") is { } rpms ? RpmSource.Parse(rpms, sources) : null,
            SelfContained = spec.Flag("self_contained", false),
            Items = [.. ReadItems(spec, context, [RealPath.Textually(path)], [])],
        };
        spec.Finish();
        return layer;
    }

    private static List<Item> ReadItems(SpecObject spec, SpecContext context, List<string> open, HashSet<string> read)
    {
        List<Item> items = [];
        foreach (SpecObject entry in spec.OptionalObjects("features") ?? [])
        {
            string kind = entry.Text("item");
            if (kind == Include)
            {
                string name = entry.Text("feature");
                entry.Finish();
                items.AddRange(ReadFeature(name, entry.Place, context, open, read));
                continue;
            }
            if (!s_items.TryGetValue(kind, out var parse))
                throw entry.Error($"unknown item '{kind}'; known are {string.Join(", ", ItemKinds)}");
            items.Add(parse(entry, context));
            entry.Finish();
        }
        return items;
    }

    private static List<Item> ReadFeature(string name, string place, SpecContext context, List<string> open, HashSet<string> read)
    {
        string path = context.Sources.Resolve(name, place);
        string full = RealPath.Textually(path);
        if (open.Contains(full))
            throw new SpecificationException(place, $"'{name}' includes itself: {string.Join(" -> ", open.Append(full).Select(Path.GetFileName))}");
        // A feature that two others include is there once, as its items are.
        if (!read.Add(full))
            return [];
        using JsonDocument json = SpecObject.Parse(WholeFile.Read(path, MaxBytes), path);
        SpecObject feature = new(json.RootElement, path);
        feature.OptionalText("name");
        List<Item> items = ReadItems(feature, context with { Sources = context.Sources.In(Path.GetDirectoryName(path) ?? "") }, [.. open, full], read);
        feature.Finish();
        return items;
    }
}
