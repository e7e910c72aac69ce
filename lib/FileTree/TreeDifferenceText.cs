using System.Globalization;
using System.Text;

namespace Layerbox.FileTree;

/// <summary>A difference of trees for people, one line a change, and for programs, as JSON lines (docs/tree-json.md).</summary>
public static class TreeDifferenceText
{
    /// <summary>The aspects in the order in which they are told; their names in JSON are these in lower case.</summary>
    private static readonly TreeAspects[] Aspects = Enum.GetValues<TreeAspects>()[1..];

    /// <summary>Lines like "A /usr/bin/x", "D /etc/y", "M /etc/z mode 0644 -> 0600, content", each ended by a line feed.</summary>
    public static string Render(IEnumerable<TreeChange> changes)
    {
        StringBuilder text = new();
        foreach (TreeChange change in changes)
            text.Append(Line(change)).Append('\n');
        return text.ToString();
    }

    /// <summary>One change as a line without its end.</summary>
    public static string Line(TreeChange change) => change.Op switch
    {
        ChangeKind.Added => change.LinkTo is null ? $"A {change.Path}" : $"A {change.Path} link to {change.LinkTo}",
        ChangeKind.Removed => $"D {change.Path}",
        _ => $"M {change.Path} {string.Join(", ", Aspects.Where(a => change.Aspects.HasFlag(a)).Select(a => Describe(change, a)))}",
    };

    /// <summary>Writes the changes as JSON lines. Contents whose digest is not known yet are read.</summary>
    public static void WriteJson(Stream stream, IEnumerable<TreeChange> changes)
    {
        using JsonLineWriter lines = new(stream);
        foreach (TreeChange change in changes)
        {
            lines.StartLine();
            lines.Json.WriteString("op"u8, Name(change.Op));
            TreeJsonEntry.WritePath(lines, change.Path.ToBytes());
            if (change.Op == ChangeKind.Changed)
            {
                lines.Json.WriteStartArray("aspects"u8);
                foreach (TreeAspects aspect in Aspects.Where(a => change.Aspects.HasFlag(a)))
                    lines.Json.WriteStringValue(Name(aspect));
                lines.Json.WriteEndArray();
            }
            if (change.From is not null)
                WriteSide(lines, "old"u8, change, change.From, change.LinkFrom);
            if (change.To is not null)
                WriteSide(lines, "new"u8, change, change.To, change.LinkTo);
            lines.EndLine();
        }
        lines.Flush();
    }

    private static void WriteSide(JsonLineWriter lines, ReadOnlySpan<byte> name, TreeChange change, Inode inode, TreePath? link)
    {
        lines.Json.WriteStartObject(name);
        if (change.Op != ChangeKind.Changed)
            TreeJsonEntry.WriteState(lines, inode);
        else if (change.Aspects.HasFlag(TreeAspects.Kind))
            TreeJsonEntry.WriteAspects(lines, inode, change.Aspects | TreeJsonEntry.OfKind(inode.Kind));
        else
            TreeJsonEntry.WriteAspects(lines, inode, change.Aspects);
        if (link is not null)
            TreeJsonEntry.WriteLink(lines, link.ToBytes());
        else if (change.Aspects.HasFlag(TreeAspects.Links))
            lines.Json.WriteNull("link"u8);
        lines.Json.WriteEndObject();
    }

    private static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static string Describe(TreeChange change, TreeAspects aspect)
    {
        (Inode from, Inode to) = (change.From!, change.To!);
        return aspect switch
        {
            TreeAspects.Kind => $"kind {KindName(from)} -> {KindName(to)}",
            TreeAspects.Mode => $"mode {Octal(from.Mode)} -> {Octal(to.Mode)}",
            TreeAspects.Owner => $"owner {from.Uid}:{from.Gid} -> {to.Uid}:{to.Gid}",
            TreeAspects.Time => $"time {Decimal(from.ModificationTime)} -> {Decimal(to.ModificationTime)}",
            TreeAspects.Xattrs => $"xattrs {string.Join(' ', XattrChanges(from.Xattrs, to.Xattrs))}",
            TreeAspects.Target => $"target {BytesText.Escape(from.Target)} -> {BytesText.Escape(to.Target)}",
            TreeAspects.Device => $"device {from.DeviceMajor}:{from.DeviceMinor} -> {to.DeviceMajor}:{to.DeviceMinor}",
            TreeAspects.Links => $"links {change.LinkFrom?.ToString() ?? "none"} -> {change.LinkTo?.ToString() ?? "none"}",
            _ => Name(aspect),
        };
    }

    private static string KindName(Inode inode) => TreeJsonEntry.Kinds[(int)inode.Kind].Value;

    private static string Octal(uint mode) => Convert.ToString((int)mode, 8).PadLeft(4, '0');

    private static string Decimal(Timestamp time) => string.Create(CultureInfo.InvariantCulture, $"{time.Seconds}.{time.Nanoseconds:d9}");

    /// <summary>+name, -name, and ~name for one whose value differs.</summary>
    private static IEnumerable<string> XattrChanges(XattrSet from, XattrSet to)
    {
        foreach (Xattr gone in from.Items.Where(x => to.Find(x.Name) is null))
            yield return $"-{BytesText.Escape(gone.Name)}";
        foreach (Xattr xattr in to.Items)
        {
            byte[]? before = from.Find(xattr.Name);
            if (before is null)
                yield return $"+{BytesText.Escape(xattr.Name)}";
            else if (!before.AsSpan().SequenceEqual(xattr.Value))
                yield return $"~{BytesText.Escape(xattr.Name)}";
        }
    }
}
