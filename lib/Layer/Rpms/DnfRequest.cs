using System.Buffers;
using System.Text.Json;
using Layerbox.RpmSnapshot;

namespace Layerbox.Layer.Rpms;

/// <summary>A repository, as dnf is told of it.</summary>
internal sealed record DnfRepo(string Id, string Url);

/// <summary>A package that is not in a repository.</summary>
/// <param name="Name">As the specification calls it.</param>
/// <param name="Path">Where it is in the container.</param>
internal sealed record DnfFile(string Name, string Path);

/// <summary>A package that has to be this one, and why it is wanted.</summary>
internal sealed record DnfLocked(string Nevra, string Repo, string Location, string Reason);

/// <summary>All that dnf is told. It reads no configuration.</summary>
internal sealed record DnfRequest
{
    /// <summary>Places in the container.</summary>
    public const string Root = "/layer", Cache = "/cache", Scratch = "/run/dnf";

    public required string Database { get; init; }
    public IReadOnlyList<DnfRepo> Repos { get; init; } = [];
    public IReadOnlyList<string> Install { get; init; } = [];
    public IReadOnlyList<DnfFile> Files { get; init; } = [];
    public IReadOnlyList<(string Name, bool MustExist)> Remove { get; init; } = [];
    public IReadOnlyList<DnfLocked> Lock { get; init; } = [];

    /// <summary>Whether there is a lock file, which may well be empty.</summary>
    public bool IsLocked { get; init; }

    /// <summary>Full names of packages that are not to be there any more.</summary>
    public IReadOnlyList<string> LockRemoved { get; init; } = [];

    /// <summary>Public keys, and what messages call them; none: signatures are not looked at.</summary>
    public IReadOnlyList<(string Name, PublicKeys Keys)> Keys { get; init; } = [];

    public bool WeakDependencies { get; init; }
    public bool Documentation { get; init; } = true;
    public string? ModulePlatform { get; init; }

    /// <summary>One line of JSON, with its newline.</summary>
    public byte[] ToBytes()
    {
        ArrayBufferWriter<byte> buffer = new();
        using Utf8JsonWriter json = new(buffer);
        json.WriteStartObject();
        json.WriteString("root", Root);
        json.WriteString("cache", Cache);
        json.WriteString("scratch", Scratch);
        json.WriteString("dbpath", Database);
        json.WriteString("arch", "x86_64");
        json.WriteString("basearch", "x86_64");
        json.WriteBoolean("weak_deps", WeakDependencies);
        if (ModulePlatform is not null)
            json.WriteString("platform", ModulePlatform);
        json.WriteStartObject("macros");
        json.WriteString("_dbpath", Database);
        json.WriteString("_db_backend", "sqlite");
        json.WriteEndObject();
        List<string>(json, "tsflags", Documentation ? [] : ["nodocs"], json.WriteStringValue);
        Objects(json, "repos", Repos, repo => Members(json, ("id", repo.Id), ("url", repo.Url)));
        Objects(json, "install", Install, name => Members(json, ("spec", name)));
        Objects(json, "files", Files, file => Members(json, ("name", file.Name), ("path", file.Path)));
        Objects(json, "remove", Remove, entry =>
        {
            Members(json, ("spec", entry.Name));
            json.WriteBoolean("must_exist", entry.MustExist);
        });
        Objects(json, "lock", Lock, entry => Members(json, ("nevra", entry.Nevra), ("repo", entry.Repo), ("location", entry.Location), ("reason", entry.Reason)));
        json.WriteBoolean("is_locked", IsLocked);
        List(json, "lock_removed", LockRemoved, json.WriteStringValue);
        Objects(json, "keys", Keys, key =>
        {
            Members(json, ("name", key.Name));
            List(json, "certificates", key.Keys.Certificates(), certificate => json.WriteBase64StringValue(certificate));
        });
        json.WriteEndObject();
        json.Flush();
        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private static void List<T>(Utf8JsonWriter json, string name, IEnumerable<T> values, Action<T> write)
    {
        json.WriteStartArray(name);
        foreach (T value in values)
            write(value);
        json.WriteEndArray();
    }

    private static void Objects<T>(Utf8JsonWriter json, string name, IEnumerable<T> values, Action<T> write) => List(json, name, values, value =>
    {
        json.WriteStartObject();
        write(value);
        json.WriteEndObject();
    });

    private static void Members(Utf8JsonWriter json, params ReadOnlySpan<(string Name, string Value)> members)
    {
        foreach ((string name, string value) in members)
            json.WriteString(name, value);
    }
}
