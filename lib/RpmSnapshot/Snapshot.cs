using System.Buffers;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Layerbox.RpmSnapshot;

/// <summary>A file of a repository's metadata, as a snapshot keeps it.</summary>
/// <param name="Type">As repomd.xml calls it.</param>
/// <param name="Location">Where it is, from the repository's root.</param>
/// <param name="Object">Its sha256.</param>
/// <param name="Size">Bytes.</param>
public sealed record SnapshotFile(string Type, string Location, string Object, long Size);

/// <summary>One repository in a snapshot. Which packages it has is what its primary.xml says.</summary>
/// <param name="Name">What it is called here.</param>
/// <param name="Revision">As its repomd.xml says; free text.</param>
/// <param name="Repomd">The repomd.xml's sha256.</param>
/// <param name="Files">The files that it names, in its order.</param>
/// <param name="Packages">How many packages there are.</param>
/// <param name="PackageBytes">And their bytes.</param>
public sealed record SnapshotRepo(string Name, string? Revision, string Repomd, IReadOnlyList<SnapshotFile> Files, long Packages, long PackageBytes);

/// <summary>
/// What a set of repositories was at one time. It depends on their content alone, not on when and from where it was fetched: the same content is the same
/// snapshot.
/// </summary>
/// <param name="Repos">Sorted by name.</param>
public sealed record Snapshot(IReadOnlyList<SnapshotRepo> Repos)
{
    private const int Format = 1;

    /// <summary>The sha256 of its bytes.</summary>
    public string Id { get; } = Convert.ToHexStringLower(SHA256.HashData(Write(Repos)));

    /// <summary>JSON on one line, members in a fixed order.</summary>
    public byte[] ToBytes() => Write(Repos);

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is no snapshot, or one of a later format.</exception>
    public static Snapshot Parse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            Utf8JsonReader reader = new(bytes);
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            JsonElement root = document.RootElement;
            if (root.GetProperty("format").GetInt32() is var format and not Format)
                throw new InvalidDataException(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"a snapshot of format {format}, which this version does not know"));
            return new Snapshot([.. root.GetProperty("repos").EnumerateArray().Select(Repo)]);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"is no snapshot: {e.Message}", e);
        }
    }

    private static SnapshotRepo Repo(JsonElement json) => new(
        Text(json, "name"),
        json.TryGetProperty("revision", out JsonElement revision) ? revision.GetString() : null,
        Digest(json, "repomd"),
        [.. json.GetProperty("files").EnumerateArray().Select(file => new SnapshotFile(Text(file, "type"), Text(file, "location"), Digest(file, "object"), file.GetProperty("size").GetInt64()))],
        json.GetProperty("packages").GetInt64(),
        json.GetProperty("package_bytes").GetInt64());

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString() ?? throw new FormatException($"'{name}' is null");

    // It becomes part of a path.
    private static string Digest(JsonElement json, string name) =>
        Text(json, name) is var text && SnapshotStore.IsDigest(text) ? text : throw new FormatException($"'{name}' is no sha256");

    private static byte[] Write(IReadOnlyList<SnapshotRepo> repos)
    {
        ArrayBufferWriter<byte> buffer = new();
        using Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteNumber("format", Format);
        json.WriteStartArray("repos");
        foreach (SnapshotRepo repo in repos)
        {
            json.WriteStartObject();
            json.WriteString("name", repo.Name);
            if (repo.Revision is not null)
                json.WriteString("revision", repo.Revision);
            json.WriteString("repomd", repo.Repomd);
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
            json.WriteNumber("packages", repo.Packages);
            json.WriteNumber("package_bytes", repo.PackageBytes);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }
}
