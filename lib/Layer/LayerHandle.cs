using System.Text.Json;
using System.Text.Json.Serialization;
using Layerbox.Posix;

namespace Layerbox.Layer;

/// <summary>
/// Names a built layer: one JSON line in a plain file, without host paths, small enough to be a build rule's output. It says where on
/// which volume the subvolume is, which one it is, and what is in it.
/// </summary>
/// <param name="Layer">The name from the specification.</param>
/// <param name="VolumeUuid">The btrfs filesystem.</param>
/// <param name="Subvolume">Path below the volume's root, "layers/ID/volume".</param>
/// <param name="Uuid">The subvolume's own uuid: no other build ever has it.</param>
/// <param name="ParentUuid">The subvolume it was snapshotted from; null for a layer that started empty.</param>
/// <param name="Digest">"sha256:…" of the canonical state: equal for equal content, on any machine.</param>
/// <param name="Recipe">"sha256:…" of all that the content is a function of.</param>
public sealed record LayerHandle(
    [property: JsonRequired] string Layer,
    [property: JsonRequired] string VolumeUuid,
    [property: JsonRequired] string Subvolume,
    [property: JsonRequired] string Uuid,
    string? ParentUuid,
    [property: JsonRequired] string Digest,
    [property: JsonRequired] string Recipe)
{
    /// <exception cref="LayerException">This is no handle; the message says what is wrong with it.</exception>
    public static LayerHandle Parse(ReadOnlySpan<byte> bytes, string place)
    {
        string? layer = null, volumeUuid = null, subvolume = null, uuid = null, parentUuid = null, digest = null, recipe = null;
        int found = 0;
        try
        {
            bool isObject = PlainJson.ReadObject(bytes, (string name, ref Utf8JsonReader value) =>
            {
                switch (name)
                {
                    case "layer": Take(0, out layer, ref value); break;
                    case "volume_uuid": Take(1, out volumeUuid, ref value); break;
                    case "subvolume": Take(2, out subvolume, ref value); break;
                    case "uuid": Take(3, out uuid, ref value); break;
                    case "parent_uuid": parentUuid = PlainJson.Text(ref value); break;
                    case "digest": Take(4, out digest, ref value); break;
                    case "recipe": Take(5, out recipe, ref value); break;
                    default: value.Skip(); break;
                }
            });
            if (!isObject)
                throw new LayerException($"{place}: no layer handle: null");
        }
        catch (JsonException)
        {
            throw new LayerException($"{place}: no layer handle: not the JSON of one");
        }
        const int All = (1 << 6) - 1;
        if (found != All)
            throw new LayerException($"{place}: no layer handle: a member is missing");
        if (layer is null || volumeUuid is null || subvolume is null || uuid is null || digest is null || recipe is null)
            throw new LayerException($"{place}: no layer handle: a member is null");
        LayerHandle handle = new(layer, volumeUuid, subvolume, uuid, parentUuid, digest, recipe);
        if (handle.Subvolume.Split('/') is not ["layers", { Length: > 0 } id, "volume"] || id is "." or "..")
            throw new LayerException($"{place}: no layer handle: subvolume '{handle.Subvolume}' is not of the form layers/ID/volume");
        if (!Guid.TryParseExact(handle.Uuid, "D", out _) || !Guid.TryParseExact(handle.VolumeUuid, "D", out _))
            throw new LayerException($"{place}: no layer handle: a uuid is not of the form 8-4-4-4-12");
        if (!IsDigest(handle.Digest) || !IsDigest(handle.Recipe))
            throw new LayerException($"{place}: no layer handle: a digest is not of the form sha256:HEX");
        return handle;

        void Take(int member, out string? text, ref Utf8JsonReader value)
        {
            text = PlainJson.Text(ref value);
            found |= 1 << member;
        }
    }

    private static bool IsDigest(string text) =>
        text.StartsWith(DigestPrefix, StringComparison.Ordinal) && text.Length == DigestPrefix.Length + 64 && text.AsSpan(DigestPrefix.Length).IndexOfAnyExcept(s_hexDigits) < 0;

    private const string DigestPrefix = "sha256:";
    private static readonly System.Buffers.SearchValues<char> s_hexDigits = System.Buffers.SearchValues.Create("0123456789abcdef");

    /// <summary>A handle is one short line; what is larger is something else, and need not be read to its end to know that.</summary>
    public const int MaxBytes = 64 * 1024;

    public static LayerHandle Read(string path) => Parse(WholeFile.Read(path, MaxBytes), path);

    /// <summary>The line with its newline.</summary>
    public byte[] ToBytes() => [.. JsonSerializer.SerializeToUtf8Bytes(this, HandleJson.Default.LayerHandle), (byte)'\n'];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LayerHandle))]
internal sealed partial class HandleJson : JsonSerializerContext;
