using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Layerbox.Layer;

/// <summary>A package of a lock file.</summary>
/// <param name="Nevra">name-[epoch:]version-release.arch</param>
/// <param name="Digest">"sha256:…" of the package file.</param>
/// <param name="Size">Its bytes.</param>
/// <param name="Repo">The repository of the snapshot.</param>
/// <param name="Location">Where it is there.</param>
/// <param name="Reason">user, dependency, weak, …</param>
/// <param name="Action">install, upgrade or downgrade.</param>
public sealed record LockedRpm(string Nevra, string Digest, long Size, string Repo, string Location, string Reason, string Action);

/// <summary>
/// What dnf would do for a list of names, written down: all packages that come, and the full names of those that go. Readable, and the same for the same snapshot, names
/// and parent.
/// </summary>
/// <param name="Snapshot">The id of the snapshot.</param>
/// <param name="Packages">Sorted by full name.</param>
/// <param name="Removed">What would go, without what is replaced by another version.</param>
public sealed record RpmLock(string Snapshot, IReadOnlyList<LockedRpm> Packages, IReadOnlyList<string> Removed)
{
    private const int Format = 1;

    /// <summary>JSON, a package a line.</summary>
    public byte[] ToBytes()
    {
        ArrayBufferWriter<byte> buffer = new();
        buffer.Write("{\n"u8);
        Line(buffer, $"  \"format\": {Format},\n");
        Line(buffer, $"  \"snapshot\": \"sha256:{Snapshot}\",\n");
        buffer.Write("  \"packages\": ["u8);
        for (int i = 0; i < Packages.Count; i++)
        {
            Line(buffer, i == 0 ? "\n    " : ",\n    ");
            using Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
            Write(json, Packages[i]);
        }
        Line(buffer, Packages.Count == 0 ? "],\n" : "\n  ],\n");
        buffer.Write("  \"removed\": ["u8);
        for (int i = 0; i < Removed.Count; i++)
            Line(buffer, $"{(i == 0 ? "" : ", ")}\"{JsonEncodedText.Encode(Removed[i], JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"");
        buffer.Write("]\n}\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <inheritdoc cref="Parse"/>
    public static RpmLock Read(BlobInput file)
    {
        using Stream stream = file.Open();
        using MemoryStream bytes = new();
        stream.CopyTo(bytes);
        return Parse(bytes.ToArray(), file.Name);
    }

    /// <exception cref="LayerException">It is no lock file; the place says where.</exception>
    public static RpmLock Parse(byte[] bytes, string place)
    {
        using JsonDocument document = SpecObject.Parse(bytes, place);
        SpecObject json = new(document.RootElement, place);
        long format = json.OptionalNumber("format", 0, long.MaxValue) ?? throw json.Error("member 'format' is missing: this is no lock file");
        if (format != Format)
            throw json.Error($"member 'format': {format} is not {Format}, which is what this version knows");
        string snapshot = (json.OptionalSha256("snapshot") ?? throw json.Error("member 'snapshot' is missing"))["sha256:".Length..];
        List<LockedRpm> packages = [];
        foreach (SpecObject entry in json.OptionalObjects("packages") ?? [])
        {
            packages.Add(new LockedRpm(
                entry.Text("nevra"), entry.OptionalSha256("digest") ?? throw entry.Error("member 'digest' is missing"), entry.OptionalNumber("size", 0, long.MaxValue) ?? 0,
                entry.Text("repo"), entry.Text("location"), entry.OptionalText("reason") ?? "user", entry.OptionalText("action") ?? "install"));
            entry.Finish();
        }
        RpmLock result = new(snapshot, packages, [.. json.OptionalTexts("removed") ?? []]);
        json.Finish();
        return result;
    }

    private static void Write(Utf8JsonWriter json, LockedRpm package)
    {
        json.WriteStartObject();
        json.WriteString("nevra", package.Nevra);
        json.WriteString("digest", package.Digest);
        json.WriteNumber("size", package.Size);
        json.WriteString("repo", package.Repo);
        json.WriteString("location", package.Location);
        json.WriteString("reason", package.Reason);
        json.WriteString("action", package.Action);
        json.WriteEndObject();
    }

    private static void Line(ArrayBufferWriter<byte> buffer, string text) => buffer.Write(System.Text.Encoding.UTF8.GetBytes(text));
}
