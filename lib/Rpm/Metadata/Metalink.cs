using System.Security.Cryptography;

namespace Layerbox.Rpm;

/// <summary>A repomd.xml that a metalink vouches for.</summary>
/// <param name="Timestamp">In seconds since 1970; null when it is not said.</param>
/// <param name="Size">Bytes; null when it is not said.</param>
/// <param name="Hashes">All of a type that is known; all must agree.</param>
public sealed record MetalinkVersion(decimal? Timestamp, long? Size, IReadOnlyList<RpmChecksum> Hashes)
{
    /// <summary>Whether this is the file meant. Without a hash that can be computed nothing is.</summary>
    public bool IsOf(ReadOnlySpan<byte> file)
    {
        if (Size is { } size && size != file.Length)
            return false;
        int compared = 0;
        foreach (RpmChecksum expected in Hashes)
        {
            using IncrementalHash? hash = RpmDigest.Start(expected.Algorithm);
            if (hash is null)
                continue;
            hash.AppendData(file);
            if (Convert.ToHexStringLower(hash.GetHashAndReset()) != expected.Digits)
                return false;
            compared++;
        }
        return compared > 0;
    }
}

/// <summary>A place where a metalink says the repomd.xml is.</summary>
/// <param name="Url">Its text, of whatever protocol.</param>
/// <param name="Preference">The higher, the sooner.</param>
public sealed record MetalinkUrl(string Url, long Preference);

/// <summary>A metalink (version 3) of a repository: which repomd.xml is valid now, and where mirrors have it.</summary>
/// <param name="Versions">The newest, then its alternates: older ones that mirrors may still have.</param>
/// <param name="Urls">By preference.</param>
public sealed record Metalink(IReadOnlyList<MetalinkVersion> Versions, IReadOnlyList<MetalinkUrl> Urls)
{
    private const string Repomd = "repomd.xml";
    private const int MaxUrls = 10_000, MaxVersions = 1000;

    /// <summary>Reads a metalink.</summary>
    /// <exception cref="InvalidDataException">Malformed, or of no repomd.xml: line, column, what.</exception>
    public static Metalink Read(Stream source)
    {
        using MetadataXml xml = new(source);
        xml.ReadRoot("metalink");
        Metalink? found = null;
        for (MetadataXml.Childhood children = xml.Children(); children.Next();)
        {
            if (xml.Name != "files")
            {
                xml.Skip();
                continue;
            }
            for (MetadataXml.Childhood files = xml.Children(); files.Next();)
            {
                if (found is null && xml.Name == "file" && xml.Attribute("name") == Repomd)
                    found = ReadFile(xml);
                else
                    xml.Skip();
            }
        }
        xml.ReadEnd();
        return found ?? throw new InvalidDataException($"xml: it names no file '{Repomd}'");
    }

    private static Metalink ReadFile(MetadataXml xml)
    {
        List<MetalinkUrl> urls = [];
        List<MetalinkVersion> alternates = [];
        MetalinkVersion main = ReadVersion(xml, () =>
        {
            switch (xml.Name)
            {
                case "alternates":
                    for (MetadataXml.Childhood children = xml.Children(); children.Next();)
                    {
                        if (xml.Name != "alternate")
                            xml.Skip();
                        else if (alternates.Count == MaxVersions)
                            throw xml.Fault($"more than {MaxVersions} alternates");
                        else
                            alternates.Add(ReadVersion(xml, xml.Skip));
                    }
                    break;
                case "resources":
                    for (MetadataXml.Childhood children = xml.Children(); children.Next();)
                    {
                        if (xml.Name != "url")
                        {
                            xml.Skip();
                            continue;
                        }
                        if (urls.Count == MaxUrls)
                            throw xml.Fault($"more than {MaxUrls} URLs");
                        long preference = xml.NumberAttribute("preference") ?? 0;
                        urls.Add(new MetalinkUrl(xml.Text().Trim(), preference));
                    }
                    break;
                default:
                    xml.Skip();
                    break;
            }
        });
        return new Metalink([main, .. alternates], [.. urls.OrderByDescending(url => url.Preference)]);
    }

    private static MetalinkVersion ReadVersion(MetadataXml xml, Action readOther)
    {
        decimal? timestamp = null;
        long? size = null;
        List<RpmChecksum> hashes = [];
        for (MetadataXml.Childhood children = xml.Children(); children.Next();)
        {
            switch (xml.Name)
            {
                case "timestamp":
                    timestamp = xml.NumberText();
                    break;
                case "size":
                    size = xml.NumberText();
                    break;
                case "verification":
                    ReadHashes(xml, hashes);
                    break;
                default:
                    readOther();
                    break;
            }
        }
        return new MetalinkVersion(timestamp, size, hashes);
    }

    private static void ReadHashes(MetadataXml xml, List<RpmChecksum> hashes)
    {
        for (MetadataXml.Childhood children = xml.Children(); children.Next();)
        {
            // Types that are not known do not matter as long as there is one that is.
            if (xml.Name != "hash" || xml.Attribute("type") is not ("md5" or "sha1" or "sha224" or "sha256" or "sha384" or "sha512"))
                xml.Skip();
            else
                hashes.Add(Layerbox.Rpm.Repomd.ReadChecksum(xml));
        }
    }
}
