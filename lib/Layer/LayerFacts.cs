using System.Text.Json;
using System.Text.Json.Serialization;
using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Layer;

/// <summary>
/// What is known of a layer beside its files: the walk of its tree with all digests, and which item made each path. The first line
/// says of which subvolume, in which state, it is true; the others are the tree as <see cref="TreeJson"/> writes it. Facts can be lost:
/// they are then made again from the subvolume, less who made what.
/// </summary>
/// <param name="Layer">The layer's name.</param>
/// <param name="Uuid">The subvolume these facts are about.</param>
/// <param name="Transid">The last transaction that changed it: another number, and the facts are worth nothing.</param>
/// <param name="Digest">Of the content, "sha256:…".</param>
/// <param name="Recipe">Of all that went in, "sha256:…".</param>
/// <param name="Parent">The digest of the parent layer; null when there was none.</param>
/// <param name="SourceDateEpoch">Seconds; the time of all that the layer made.</param>
internal sealed record LayerFacts(string Layer, string Uuid, ulong Transid, string Digest, string Recipe, string? Parent, long SourceDateEpoch)
{
    /// <summary>More than the first line can have: a name has 255 bytes, of which JSON makes six each at most.</summary>
    private const int HeaderMax = 4 * 1024;

    public void Write(string path, Tree tree)
    {
        using MemoryStream bytes = new();
        JsonSerializer.Serialize(bytes, this, FactsJson.Default.LayerFacts);
        bytes.WriteByte((byte)'\n');
        TreeJson.Write(bytes, tree);
        WholeFile.Write(path, bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    /// <summary>Whether the subvolume is still in the state that these facts are about, and nobody can be changing it.</summary>
    public bool IsAbout(SubvolumeInfo info) => info.IsReadOnly && info.Uuid.ToString("D") == Uuid && info.Changed.Transid == Transid;

    /// <summary>The first line, which is all that is read: the tree of a large layer has many megabytes. Null when there is none that can be read.</summary>
    public static LayerFacts? ReadHeader(string path)
    {
        byte[] start = new byte[HeaderMax];
        int length;
        try
        {
            using FdStream file = new(Files.Open(path, OpenFlags.ReadOnly), path, canWrite: false);
            length = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
        int end = Array.IndexOf(start, (byte)'\n', 0, length);
        return end < 0 ? null : Parse(start.AsSpan(0, end));
    }

    /// <summary>The facts with the tree, whose contents lie below the subvolume; null when there are none.</summary>
    public static (LayerFacts Facts, Tree Tree)? Read(string path, string subvolume)
    {
        if (Split(path) is not { } parts)
            return null;
        DiskRoot root = new(subvolume);
        try
        {
            return (parts.Facts, TreeJson.Read(parts.Bytes.AsSpan(parts.TreeStart), (at, facts) => root.Content(at, facts.Size, facts.Digest), firstLine: 2));
        }
        catch (InvalidDataException)
        {
            return null; // cut off by a crash; the tree is walked again
        }
    }

    private static (LayerFacts Facts, byte[] Bytes, int TreeStart)? Split(string path)
    {
        byte[] bytes;
        try
        {
            bytes = WholeFile.Read(path);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
        int end = Array.IndexOf(bytes, (byte)'\n');
        if (end < 0)
            return null;
        return Parse(bytes.AsSpan(0, end)) is { } facts ? (facts, bytes, end + 1) : null;
    }

    private static LayerFacts? Parse(ReadOnlySpan<byte> line)
    {
        LayerFacts facts = new("", "", 0, "", "", null, 0);
        try
        {
            return PlainJson.ReadObject(line, (string name, ref Utf8JsonReader value) =>
            {
                switch (name)
                {
                    case "layer": facts = facts with { Layer = PlainJson.Text(ref value) ?? "" }; break;
                    case "uuid": facts = facts with { Uuid = PlainJson.Text(ref value) ?? "" }; break;
                    case "transid": facts = facts with { Transid = PlainJson.Unsigned(ref value) }; break;
                    case "digest": facts = facts with { Digest = PlainJson.Text(ref value) ?? "" }; break;
                    case "recipe": facts = facts with { Recipe = PlainJson.Text(ref value) ?? "" }; break;
                    case "parent": facts = facts with { Parent = PlainJson.Text(ref value) }; break;
                    case "source_date_epoch": facts = facts with { SourceDateEpoch = PlainJson.Signed(ref value) }; break;
                    default: value.Skip(); break;
                }
            }) ? facts : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LayerFacts))]
internal sealed partial class FactsJson : JsonSerializerContext;
