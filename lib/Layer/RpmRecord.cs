using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Layerbox.Posix;

namespace Layerbox.Layer;

/// <summary>A package of an image, as the list beside a layer has it.</summary>
/// <param name="Nevra">name-[epoch:]version-release.arch</param>
/// <param name="Digest">"sha256:…" of the package file; null where nobody has seen it, as of packages that came with an imported image.</param>
/// <param name="HeaderDigest">"sha256:…" of its header, which the image's own database has too; null of very old packages.</param>
/// <param name="SourceRpm">What it was built from.</param>
/// <param name="Snapshot">The id of the snapshot that it is from; null of a file of one's own.</param>
/// <param name="Repo">The repository.</param>
/// <param name="Location">Where it is there.</param>
/// <param name="Reason">user: it was named; dependency, weak: another wanted it.</param>
/// <param name="Layer">The layer that brought it.</param>
public sealed record RpmRecord(
    string Nevra, string? Digest, string? HeaderDigest, string? SourceRpm = null, string? Snapshot = null, string? Repo = null, string? Location = null, string? Reason = null, string? Layer = null)
{
    /// <summary>Beside the subvolume of a layer that has packages.</summary>
    internal const string FileName = "packages.jsonl";

    internal static void Write(string folder, IReadOnlyList<RpmRecord> packages)
    {
        using MemoryStream bytes = new();
        foreach (RpmRecord package in packages)
            bytes.Write(package.ToBytes());
        WholeFile.Write(Path.Combine(folder, FileName), bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    /// <summary>The list of a layer; null when there is none.</summary>
    internal static IReadOnlyList<RpmRecord>? Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        byte[] bytes;
        try
        {
            bytes = WholeFile.Read(path);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
        List<RpmRecord> packages = [];
        try
        {
            for (int start = 0, end; start < bytes.Length; start = end + 1)
            {
                end = Array.IndexOf(bytes, (byte)'\n', start);
                end = end < 0 ? bytes.Length : end;
                packages.Add(JsonSerializer.Deserialize(bytes.AsSpan(start, end - start), RpmRecordJson.Default.RpmRecord) ?? throw new JsonException("null"));
            }
        }
        catch (JsonException)
        {
            return null; // not as we wrote it
        }
        return packages;
    }

    /// <summary>A line of JSON.</summary>
    public byte[] ToBytes()
    {
        ArrayBufferWriter<byte> bytes = new();
        using (Utf8JsonWriter json = new(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            JsonSerializer.Serialize(json, this, RpmRecordJson.Default.RpmRecord);
        bytes.Write("\n"u8);
        return bytes.WrittenSpan.ToArray();
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RpmRecord))]
internal sealed partial class RpmRecordJson : JsonSerializerContext;
