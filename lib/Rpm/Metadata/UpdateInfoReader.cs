using System.Security.Cryptography;

namespace Layerbox.Rpm;

/// <summary>An advisory of a repository's updateinfo.xml, as far as it is looked at.</summary>
/// <param name="Id">Such as "FEDORA-2026-1a2b3c".</param>
/// <param name="Type">security, bugfix, enhancement …; null when it is not said.</param>
/// <param name="Title">One line; null when there is none.</param>
/// <param name="Severity">Such as "Important"; null when it is not said.</param>
/// <param name="Content">A digest of all that it says, so that one that was revised is known.</param>
public sealed record Advisory(string Id, string? Type, string? Title, string? Severity, string Content);

/// <summary>Reads a repository's updateinfo.xml, one advisory at a time.</summary>
public static class UpdateInfoReader
{
    /// <summary>All advisories in their order; those without an id are passed over.</summary>
    /// <param name="source">The document, decompressed. It stays the caller's.</param>
    /// <exception cref="InvalidDataException">Malformed: line, column, what. Thrown as the advisories are read.</exception>
    public static IEnumerable<Advisory> Read(Stream source)
    {
        using MetadataXml xml = new(source);
        using IncrementalHash content = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        xml.ReadRoot("updates");
        for (MetadataXml.Childhood children = xml.Children(); children.Next();)
        {
            if (xml.Name != "update")
            {
                xml.Skip();
                continue;
            }
            if (ReadUpdate(xml, content) is { } advisory)
                yield return advisory;
        }
        xml.ReadEnd();
    }

    private static Advisory? ReadUpdate(MetadataXml xml, IncrementalHash content)
    {
        xml.Witness = content;
        string? type = xml.Attribute("type"), id = null, title = null, severity = null;
        for (MetadataXml.Childhood children = xml.Children(); children.Next();)
        {
            switch (xml.Name)
            {
                case "id":
                    id = xml.Text().Trim();
                    break;
                case "title":
                    title = xml.Text().Trim();
                    break;
                case "severity":
                    severity = xml.Text().Trim();
                    break;
                default:
                    xml.Skip();
                    break;
            }
        }
        xml.Witness = null;
        string digest = Convert.ToHexStringLower(content.GetHashAndReset());
        return id is { Length: > 0 } ? new Advisory(id, type, title is { Length: > 0 } ? title : null, severity is { Length: > 0 } ? severity : null, digest) : null;
    }
}
