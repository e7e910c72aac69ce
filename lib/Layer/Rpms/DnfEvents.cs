using System.Text;
using System.Text.Json;

namespace Layerbox.Layer.Rpms;

/// <summary>What a transaction does to one package.</summary>
/// <param name="Action">install, upgrade, downgrade, reinstall: it comes; remove, replaced, obsoleted: it goes.</param>
/// <param name="Nevra">name-[epoch:]version-release.arch</param>
/// <param name="Reason">user, dependency, weak, …</param>
internal sealed record RpmStep(string Action, string Nevra, string Reason)
{
    /// <summary>Where it comes from; null of what goes, and of a file of one's own.</summary>
    public string? Repo { get; init; }

    public string? Location { get; init; }

    /// <summary>Of one's own: what the specification calls the file.</summary>
    public string? File { get; init; }

    /// <summary>Hexadecimal digits, as the metadata has them.</summary>
    public string? Checksum { get; init; }

    /// <summary>Bytes of the package file.</summary>
    public long Size { get; init; }

    /// <summary>Bytes of its files.</summary>
    public long InstalledSize { get; init; }

    public bool Comes => Action is "install" or "upgrade" or "downgrade" or "reinstall";
}

/// <summary>A file of a package.</summary>
/// <param name="Path">Absolute, as the package has it.</param>
/// <param name="Mode">With the bits of its kind.</param>
/// <param name="Time">Seconds.</param>
internal readonly record struct RpmPath(byte[] Path, uint Mode, long Time);

/// <summary>A package in the image's database.</summary>
/// <param name="Nevra">Its full name.</param>
/// <param name="HeaderDigest">Hexadecimal digits of its header's sha256; empty when it has none.</param>
/// <param name="SourceRpm">What it was built from.</param>
/// <param name="Files">Its files.</param>
internal sealed record DatabaseRpm(string Nevra, string HeaderDigest, string SourceRpm, IReadOnlyList<RpmPath> Files);

/// <summary>Reads the lines that the driver prints.</summary>
internal static class DnfEvents
{
    public static IReadOnlyList<RpmStep> Steps(JsonElement resolved) => [.. resolved.GetProperty("packages").EnumerateArray().Select(Step)];

    public static DatabaseRpm Installed(JsonElement installed) => new(
        Text(installed, "nevra")!,
        Text(installed, "header")!,
        Text(installed, "source")!,
        [.. installed.GetProperty("files").EnumerateArray().Select(file => new RpmPath(Encoding.Latin1.GetBytes(file[0].GetString()!), file[1].GetUInt32(), file[2].GetInt64()))]);

    public static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;

    private static RpmStep Step(JsonElement json) => new(Text(json, "action")!, Text(json, "nevra")!, Text(json, "reason")!)
    {
        File = Text(json, "file"),
        Repo = json.TryGetProperty("file", out _) ? null : Text(json, "repo"),
        Location = json.TryGetProperty("file", out _) ? null : Text(json, "location"),
        Checksum = Text(json, "checksum"),
        Size = Number(json, "size"),
        InstalledSize = Number(json, "install_size"),
    };

    private static long Number(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value) ? value.GetInt64() : 0;
}
