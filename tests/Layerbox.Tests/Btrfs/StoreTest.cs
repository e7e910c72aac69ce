using System.Text;
using System.Text.Json;
using Layerbox.Btrfs;

namespace Layerbox.Tests.Btrfs;

/// <summary>What tests of the store and of its collector share: a volume in a folder of its own, and layers on it.</summary>
public abstract class StoreTest : IDisposable
{
    protected const string Recipe = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    private readonly Lazy<Volume> _volume;
    private readonly TempFolder _handles = new();

    protected StoreTest(SharedVolume shared) => _volume = new(() => Volume.Open(shared.Folder()));

    internal Volume Volume => _volume.Value;
    internal LayerStore Store => Volume.Layers;

    /// <summary>A folder for handles, elsewhere.</summary>
    internal string Handles => _handles.Path;

    /// <summary>A finished layer with a file in it; no root, no hold.</summary>
    internal StoredLayer MakeLayer(string recipe = Recipe)
    {
        using LayerBuild build = Store.Begin(recipe);
        Fill(build);
        return build.Commit();
    }

    internal static void Fill(LayerBuild build)
    {
        Subvolume.Create(build.SubvolumePath);
        File.WriteAllText(Path.Combine(build.SubvolumePath, "file"), "content");
        File.WriteAllText(build.FactsPath, "{}\n");
        Subvolume.SetReadOnly(build.SubvolumePath, true);
    }

    /// <summary>The line of a handle that names the layer.</summary>
    internal static byte[] HandleOf(StoredLayer layer) =>
        Encoding.UTF8.GetBytes($$"""{"layer":"l","subvolume":"{{layer.RelativePath}}","uuid":"{{Subvolume.Info(layer.SubvolumePath).Uuid}}"}""" + "\n");

    /// <summary>A handle at a path that is a root.</summary>
    internal string MakeHandle(StoredLayer layer, string name = "h.layer")
    {
        string path = Path.Combine(Handles, name);
        Store.WriteHandle(path, HandleOf(layer));
        return path;
    }

    internal Tools.Result Collect(params string[] args) => Tools.Run(["subvol-gc", "--volume", Volume.Path, .. args]);

    /// <summary>The lines of subvol-gc as "kept layers/…: reason", ids cut to their first letters.</summary>
    internal static string[] Lines(Tools.Result result) => [.. result.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
    {
        using JsonDocument document = JsonDocument.Parse(line);
        JsonProperty what = document.RootElement.EnumerateObject().First();
        return $"{what.Name} {what.Value.GetString()}: {document.RootElement.GetProperty("reason").GetString()}";
    })];

    /// <summary>All that is in a folder of the volume.</summary>
    internal string[] Names(string folder) => [.. Directory.GetFileSystemEntries(Path.Combine(Volume.Path, folder)).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal)];

    /// <summary>The subvolumes on this volume, as btrfs-progs list them.</summary>
    internal string[] Subvolumes() => [.. Programs.Run("btrfs", "subvolume", "list", "-o", Volume.Path).Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => line[(line.IndexOf(" path ", StringComparison.Ordinal) + 6)..])
        .Where(path => path.Contains(Path.GetFileName(Volume.Path)!, StringComparison.Ordinal))];

    public void Dispose()
    {
        _handles.Dispose();
        GC.SuppressFinalize(this);
    }
}
