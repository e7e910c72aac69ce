using System.Text.Json;
using Layerbox.Posix;

namespace Layerbox.Layer;

/// <summary>
/// Where the names in a specification lead: into the map that a build system gave (name → path), else relative to the folder of the
/// file that names them. One name read twice is one input.
/// </summary>
public sealed class Sources
{
    private readonly string _folder;
    private readonly IReadOnlyDictionary<string, string> _map;
    private readonly Dictionary<string, Input> _inputs;

    private Sources(string folder, IReadOnlyDictionary<string, string> map, Dictionary<string, Input> inputs)
    {
        _folder = folder;
        _map = map;
        _inputs = inputs;
    }

    /// <param name="folder">The folder of the specification.</param>
    /// <param name="map">Names and paths; the paths are relative to the current folder or absolute.</param>
    public Sources(string folder, IReadOnlyDictionary<string, string>? map = null) : this(folder, map ?? new Dictionary<string, string>(), new(StringComparer.Ordinal)) { }

    /// <summary>The same map and inputs seen from another file's folder.</summary>
    public Sources In(string folder) => new(folder, _map, _inputs);

    /// <summary>Reads a map from a JSON file: an object of name → path, relative to the file's folder.</summary>
    public static IReadOnlyDictionary<string, string> ReadMap(string path)
    {
        using JsonDocument json = SpecObject.Parse(WholeFile.Read(path), path);
        SpecObject map = new(json.RootElement, path);
        string folder = Path.GetDirectoryName(path) ?? "";
        SortedDictionary<string, string> result = new(StringComparer.Ordinal);
        foreach (string name in map.Names)
        {
            string target = map.Text(name);
            if (target.Length == 0 || target.Contains('\0', StringComparison.Ordinal))
                throw map.Error($"member '{name}': '{target}' is no path");
            result[name] = Path.Combine(folder, target);
        }
        return result;
    }

    /// <summary>The host path of a name. Names from a map may be links, which is how build systems lay out inputs; they are followed.</summary>
    public string Resolve(string name, string place)
    {
        if (name.Length == 0)
            throw new SpecificationException(place, "an empty name leads nowhere");
        if (name.Contains('\0', StringComparison.Ordinal))
            throw new SpecificationException(place, $"'{name}' holds a NUL, which no path does");
        return _map.TryGetValue(name, out string? mapped) ? mapped : Path.Combine(_folder, name);
    }

    public FileInput File(string name, string place) => Shared(name, place, path => new FileInput(name, path, followLink: _map.ContainsKey(name), place));

    /// <summary>A file that is taken as it is, byte for byte: an archive, a stream.</summary>
    public BlobInput Blob(string name, string place) => Shared(name, place, path => new BlobInput(name, path));

    public LayerInput Layer(string name, string place) => Shared(name, place, path => new LayerInput(name, path));

    private T Shared<T>(string name, string place, Func<string, T> make) where T : Input
    {
        string path = Resolve(name, place);
        // A mapped name and one that is not read links differently.
        string key = $"{typeof(T).Name} {_map.ContainsKey(name)} {RealPath.Textually(path)}";
        if (!_inputs.TryGetValue(key, out Input? input))
            _inputs.Add(key, input = make(path));
        return (T)input;
    }
}
