using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// A snapshot's file. Its digest is the snapshot's id: what is absent is not written, so that a member of a later version changes no id of an
/// earlier one.
/// </summary>
internal static class SnapshotJson
{
    private const int Format = 1;

    public static byte[] Write(Snapshot snapshot)
    {
        ArrayBufferWriter<byte> buffer = new();
        using Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteNumber("format", Format);
        WriteText(json, "view_of", snapshot.ViewOf);
        WriteText(json, "policy", snapshot.Policy);
        json.WriteStartArray("repos");
        foreach (SnapshotRepo repo in snapshot.Repos)
            WriteRepo(json, repo);
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteRepo(Utf8JsonWriter json, SnapshotRepo repo)
    {
        json.WriteStartObject();
        json.WriteString("name", repo.Name);
        WriteText(json, "universe", repo.Universe);
        WriteText(json, "revision", repo.Revision);
        json.WriteString("repomd", repo.Repomd);
        WriteText(json, "repomd_signature", repo.RepomdSignature);
        if (repo.Keys.Count > 0)
        {
            json.WriteStartArray("keys");
            foreach (string key in repo.Keys)
                json.WriteStringValue(key);
            json.WriteEndArray();
        }
        json.WriteStartArray("files");
        foreach (SnapshotFile file in repo.Files)
        {
            json.WriteStartObject();
            json.WriteString("type", file.Type);
            json.WriteString("location", file.Location);
            json.WriteString("object", file.Object);
            json.WriteNumber("size", file.Size);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (repo.Extra.Count > 0)
        {
            json.WriteStartArray("extra");
            foreach (SnapshotExtra file in repo.Extra)
            {
                json.WriteStartObject();
                json.WriteString("path", file.Path);
                json.WriteString("object", file.Object);
                json.WriteNumber("size", file.Size);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteNumber("packages", repo.Packages);
        json.WriteNumber("package_bytes", repo.PackageBytes);
        if (repo.Missing.Count > 0)
        {
            json.WriteStartArray("missing");
            foreach (SnapshotHole hole in repo.Missing)
            {
                json.WriteStartObject();
                json.WriteString("nevra", hole.Nevra);
                json.WriteString("location", hole.Location);
                json.WriteString("checksum", hole.Checksum);
                json.WriteString("reason", hole.Reason);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter json, string name, string? text)
    {
        if (text is not null)
            json.WriteString(name, text);
    }

    public static Snapshot Read(ReadOnlySpan<byte> bytes)
    {
        try
        {
            Utf8JsonReader reader = new(bytes);
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            JsonElement root = document.RootElement;
            if (root.GetProperty("format").GetInt32() is var format and not Format)
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"a snapshot of format {format}, which this version does not know"));
            return new Snapshot(List(root, "repos", Repo)) { ViewOf = OptionalDigest(root, "view_of"), Policy = OptionalDigest(root, "policy") };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"is no snapshot: {e.Message}", e);
        }
    }

    private static SnapshotRepo Repo(JsonElement json) => new(
        Text(json, "name"),
        OptionalText(json, "revision"),
        Digest(json, "repomd"),
        List(json, "files", file => new SnapshotFile(Text(file, "type"), Text(file, "location"), Digest(file, "object"), file.GetProperty("size").GetInt64())),
        json.GetProperty("packages").GetInt64(),
        json.GetProperty("package_bytes").GetInt64())
    {
        Universe = OptionalText(json, "universe"),
        RepomdSignature = OptionalDigest(json, "repomd_signature"),
        Keys = OptionalList(json, "keys", Digest),
        Extra = OptionalList(json, "extra", file => new SnapshotExtra(Text(file, "path"), Digest(file, "object"), file.GetProperty("size").GetInt64())),
        Missing = OptionalList(json, "missing", hole => new SnapshotHole(Text(hole, "nevra"), Text(hole, "location"), Text(hole, "checksum"), Text(hole, "reason"))),
    };

    private static List<T> List<T>(JsonElement json, string name, Func<JsonElement, T> read) => [.. json.GetProperty(name).EnumerateArray().Select(read)];

    private static List<T> OptionalList<T>(JsonElement json, string name, Func<JsonElement, T> read) => json.TryGetProperty(name, out _) ? List(json, name, read) : [];

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString() ?? throw new FormatException($"'{name}' is null");

    private static string? OptionalText(JsonElement json, string name) => json.TryGetProperty(name, out _) ? Text(json, name) : null;

    private static string Digest(JsonElement json, string name) => Checked(Text(json, name), name);

    private static string Digest(JsonElement json) => Checked(json.GetString(), "keys");

    private static string? OptionalDigest(JsonElement json, string name) => json.TryGetProperty(name, out _) ? Digest(json, name) : null;

    // It becomes part of a path.
    private static string Checked(string? text, string name) => text is not null && SnapshotStore.IsDigest(text) ? text : throw new FormatException($"'{name}' is no sha256");
}
