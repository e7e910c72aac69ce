using System.Text.Json;
using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>The changes of a subvolume as JSON lines; the members are described in docs/tree-json.md.</summary>
public static class SubvolumeChangesJson
{
    private static readonly JsonEncodedText s_path = JsonEncodedText.Encode("path"), s_pathBase64 = JsonEncodedText.Encode("path_b64");
    private static readonly JsonEncodedText s_from = JsonEncodedText.Encode("from"), s_fromBase64 = JsonEncodedText.Encode("from_b64");
    private static readonly JsonEncodedText s_link = JsonEncodedText.Encode("link"), s_linkBase64 = JsonEncodedText.Encode("link_b64");

    /// <param name="stream">Takes the lines.</param>
    /// <param name="subvolume">What the subvolume is called.</param>
    /// <param name="changes">Its changes.</param>
    public static void Write(Stream stream, string subvolume, IEnumerable<SubvolumeChange> changes)
    {
        using JsonLineWriter lines = new(stream);
        foreach (SubvolumeChange change in changes)
        {
            lines.StartLine();
            lines.Json.WriteString("op"u8, change.Change.ToString().ToLowerInvariant());
            lines.Json.WriteString("subvolume"u8, subvolume);
            lines.WriteBytes(s_path, s_pathBase64, change.Path.ToBytes());
            if (change is { Change: PathChange.Renamed, Other: { } from })
                lines.WriteBytes(s_from, s_fromBase64, from.ToBytes());
            else if (change is { Change: PathChange.Linked, Other: { } link })
                lines.WriteBytes(s_link, s_linkBase64, link.ToBytes());
            if (change.IsKindKnown)
                lines.Json.WriteString("type"u8, TreeJson.NameOf(change.Inode.Kind));
            if (change.Change == PathChange.Rewritten)
                lines.Json.WriteNumber("bytes"u8, change.Bytes);
            if (change is { Change: PathChange.Rewritten or PathChange.Created, Inode.Content: { } content } && content is not ReceivedContent { IsSizeKnown: false })
                lines.Json.WriteNumber("size"u8, content.Size);
            if (change.Change == PathChange.Metadata)
                WriteAspects(lines.Json, change.Aspects);
            lines.EndLine();
        }
        lines.Flush();
    }

    private static void WriteAspects(Utf8JsonWriter json, TreeAspects aspects)
    {
        json.WriteStartArray("aspects"u8);
        foreach (TreeAspects aspect in Enum.GetValues<TreeAspects>())
            if (aspect != TreeAspects.None && aspects.HasFlag(aspect))
                json.WriteStringValue(aspect.ToString().ToLowerInvariant());
        json.WriteEndArray();
    }
}
