using System.Globalization;
using System.Text;

namespace Layerbox.Rpm;

/// <summary>A file of metadata that takes the place of the one that a repomd.xml named.</summary>
/// <param name="Location">Where it is, from the repository's root.</param>
/// <param name="Checksum">Its sha256.</param>
/// <param name="Size">Its bytes.</param>
/// <param name="OpenChecksum">The sha256 of what it is, decompressed.</param>
/// <param name="OpenSize">The bytes of that.</param>
public sealed record ReplacedData(string Location, RpmChecksum Checksum, long Size, RpmChecksum OpenChecksum, long OpenSize);

/// <summary>
/// Gives files of a repository other places in its metadata, and changes not a byte besides: what is not known of the metadata is carried, and what is known
/// is never written anew.
/// </summary>
public static class LocationRewriter
{
    private const int LocationDepth = 2; // metadata, package, location; repomd, data, location

    /// <summary>Copies a primary.xml.</summary>
    /// <param name="source">The document, decompressed; one that <see cref="PrimaryReader"/> has read to its end.</param>
    /// <param name="output">Gets the copy.</param>
    /// <param name="place">Where a file is to be, by its href and its base; null leaves it where it is.</param>
    /// <exception cref="InvalidDataException">It cannot be changed in place.</exception>
    public static void RewritePrimary(Stream source, Stream output, Func<string, string?, string?> place)
    {
        MarkupTokens tokens = new(source);
        for (int depth = 0; tokens.Next();)
        {
            if (tokens.Kind == MarkupKind.End)
                depth--;
            if (depth == LocationDepth && IsLocation(tokens))
                WriteLocation(tokens.Bytes, output, place);
            else
                output.Write(tokens.Bytes);
            if (tokens.Kind == MarkupKind.Start)
                depth++;
        }
    }

    /// <summary>Copies a repomd.xml. The files of the same packages in other formats (sqlite, zchunk) are left out when primary.xml is replaced: nobody has changed them.</summary>
    /// <param name="source">The document; one that <see cref="Repomd"/> has read.</param>
    /// <param name="output">Gets the copy.</param>
    /// <param name="primary">What takes primary.xml's place; null: it stays.</param>
    /// <param name="place">As for <see cref="RewritePrimary"/>.</param>
    /// <exception cref="InvalidDataException">It cannot be changed in place.</exception>
    public static void RewriteRepomd(Stream source, Stream output, ReplacedData? primary, Func<string, string?, string?> place)
    {
        MarkupTokens tokens = new(source);
        for (int depth = 0; tokens.Next();)
        {
            if (tokens.Kind == MarkupKind.End)
                depth--;
            if (primary is not null && depth == 1 && tokens.Kind == MarkupKind.Start && tokens.Name.SequenceEqual("data"u8) && Value(tokens.Bytes, "type"u8) is { } type && Derives(type))
            {
                bool isPrimary = type == "primary";
                if (isPrimary)
                    WriteData(tokens, output, primary);
                SkipElement(tokens, isPrimary ? output : null);
                continue;
            }
            if (depth == LocationDepth && IsLocation(tokens))
                WriteLocation(tokens.Bytes, output, place);
            else
                output.Write(tokens.Bytes);
            if (tokens.Kind == MarkupKind.Start)
                depth++;
        }
    }

    /// <summary>Whether a file of metadata says where packages are.</summary>
    public static bool Derives(string type) => type is "primary" or "primary_db" or "primary_zck";

    private static bool IsLocation(MarkupTokens tokens) => tokens.Kind is MarkupKind.Start or MarkupKind.Empty && tokens.Name.SequenceEqual("location"u8);

    private static void SkipElement(MarkupTokens tokens, Stream? endTag)
    {
        for (int depth = 1; depth > 0 && tokens.Next();)
            depth += tokens.Kind switch { MarkupKind.Start => 1, MarkupKind.End => -1, _ => 0 };
        endTag?.Write(tokens.Bytes);
    }

    // After the start tag of its own, with the prefix that it has there.
    private static void WriteData(MarkupTokens tokens, Stream output, ReplacedData data)
    {
        output.Write(tokens.Bytes);
        ReadOnlySpan<byte> name = tokens.FullName;
        string prefix = Encoding.UTF8.GetString(name[..(name.IndexOf((byte)':') + 1)]);
        Element("checksum", " type=\"sha256\"", data.Checksum.Digits);
        Element("open-checksum", " type=\"sha256\"", data.OpenChecksum.Digits);
        output.Write(Encoding.UTF8.GetBytes($"\n    <{prefix}location href=\"{Escape(data.Location)}\"/>"));
        Element("size", "", data.Size.ToString(CultureInfo.InvariantCulture));
        Element("open-size", "", data.OpenSize.ToString(CultureInfo.InvariantCulture));
        output.Write("\n  "u8);

        void Element(string element, string attributes, string text) => output.Write(Encoding.UTF8.GetBytes($"\n    <{prefix}{element}{attributes}>{text}</{prefix}{element}>"));
    }

    private static void WriteLocation(ReadOnlySpan<byte> tag, Stream output, Func<string, string?, string?> place)
    {
        if (Value(tag, "href"u8) is not { } href || place(href, Value(tag, "xml:base"u8)) is not { } placed)
        {
            output.Write(tag);
            return;
        }
        int written = 0;
        for (int at = 0; MarkupTag.Next(tag, ref at) is { } attribute;)
        {
            ReadOnlySpan<byte> name = tag[attribute.Name];
            if (name.SequenceEqual("xml:base"u8))
            {
                output.Write(tag[written..attribute.Space]);
                written = attribute.Value.End.Value + 1;
            }
            else if (name.SequenceEqual("href"u8))
            {
                output.Write(tag[written..attribute.Value.Start.Value]);
                output.Write(Encoding.UTF8.GetBytes(Escape(placed)));
                written = attribute.Value.End.Value;
            }
        }
        output.Write(tag[written..]);
    }

    private static string? Value(ReadOnlySpan<byte> tag, ReadOnlySpan<byte> name) => MarkupTag.Find(tag, name) is { } value
        ? System.Net.WebUtility.HtmlDecode(Encoding.UTF8.GetString(tag[value]).Replace('\n', ' ').Replace('\r', ' ').Replace('\t', ' '))
        : null;

    private static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal).Replace("\"", "&quot;", StringComparison.Ordinal);
}
