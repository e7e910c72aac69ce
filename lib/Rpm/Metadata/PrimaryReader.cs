using System.Globalization;
using System.Text;

namespace Layerbox.Rpm;

/// <summary>Reads a repository's primary.xml, package by package; only one is in memory at a time.</summary>
public static class PrimaryReader
{
    private const int MaxRelations = 100_000; // of one package

    /// <summary>All packages in their order.</summary>
    /// <param name="source">The document, decompressed. It stays the caller's.</param>
    /// <param name="withRelations">Whether what packages require and so on is read, too.</param>
    /// <exception cref="InvalidDataException">Malformed: line, column, what. Thrown as the packages are read.</exception>
    public static IEnumerable<PrimaryPackage> Read(Stream source, bool withRelations = false)
    {
        using MetadataXml xml = new(source);
        xml.ReadRoot("metadata");
        foreach (PrimaryPackage package in Read(xml, withRelations))
            yield return package;
    }

    internal static IEnumerable<PrimaryPackage> Read(MetadataXml xml, bool withRelations)
    {
        Strings strings = new();
        for (MetadataXml.Childhood children = xml.Children(); children.Next();)
        {
            if (xml.Name == "package")
                yield return ReadPackage(xml, withRelations, strings);
            else
                xml.Skip();
        }
        xml.ReadEnd();
    }

    /// <summary>Texts that many packages have are kept once.</summary>
    private sealed class Strings
    {
        private string _arch = "", _version = "", _release = "", _source = "";

        public string Arch(string text) => Same(ref _arch, text);
        public string Version(string text) => Same(ref _version, text);
        public string Release(string text) => Same(ref _release, text);
        public string Source(string text) => Same(ref _source, text);

        private static string Same(ref string last, string text) => last == text ? last : last = text;
    }

    private struct Parts
    {
        public string? Name, Arch, Version, Release, SourceRpm;
        public uint Epoch;
        public RpmChecksum? Checksum;
        public RepoLocation? Location;
        public long? PackageSize, InstalledSize, ArchiveSize, FileTime, BuildTime, HeaderStart, HeaderEnd;
        public List<RpmDependency>? Relations;
    }

    private static PrimaryPackage ReadPackage(MetadataXml xml, bool withRelations, Strings strings)
    {
        Parts parts = default;
        for (MetadataXml.Childhood children = xml.Children(); children.Next();)
        {
            switch (xml.Name)
            {
                case "name":
                    parts.Name = xml.Text();
                    break;
                case "arch":
                    parts.Arch = strings.Arch(xml.Text());
                    break;
                case "version":
                    parts.Epoch = Epoch(xml);
                    parts.Version = strings.Version(xml.Attribute("ver") ?? throw xml.Fault("a version without 'ver'"));
                    parts.Release = strings.Release(xml.Attribute("rel") ?? "");
                    xml.Skip();
                    break;
                case "checksum":
                    parts.Checksum = Repomd.ReadChecksum(xml);
                    break;
                case "location":
                    parts.Location = Location(xml);
                    break;
                case "size":
                    (parts.PackageSize, parts.InstalledSize, parts.ArchiveSize) = (xml.NumberAttribute("package"), xml.NumberAttribute("installed"), xml.NumberAttribute("archive"));
                    xml.Skip();
                    break;
                case "time":
                    (parts.FileTime, parts.BuildTime) = (xml.NumberAttribute("file"), xml.NumberAttribute("build"));
                    xml.Skip();
                    break;
                case "format":
                    ReadFormat(xml, ref parts, withRelations, strings);
                    break;
                default:
                    xml.Skip();
                    break;
            }
        }
        string name = parts.Name is { Length: > 0 } known ? known : throw xml.Fault("a package without a name");
        return new PrimaryPackage(
            new Nevra(name, new Evr(parts.Epoch, parts.Version ?? throw Missing("version"), parts.Release!), parts.Arch ?? throw Missing("arch")),
            parts.Checksum ?? throw Missing("checksum"),
            parts.Location ?? throw Missing("location"))
        {
            PackageSize = parts.PackageSize,
            InstalledSize = parts.InstalledSize,
            ArchiveSize = parts.ArchiveSize,
            FileTime = parts.FileTime,
            BuildTime = parts.BuildTime,
            HeaderStart = parts.HeaderStart,
            HeaderEnd = parts.HeaderEnd,
            SourceRpm = parts.SourceRpm,
            Relations = parts.Relations ?? (IReadOnlyList<RpmDependency>)[],
        };

        InvalidDataException Missing(string what) => xml.Fault($"the package '{FileTree.BytesText.Escape(Encoding.UTF8.GetBytes(name))}' has no {what}");
    }

    private static uint Epoch(MetadataXml xml) => xml.NumberAttribute("epoch") switch
    {
        null => 0,
        <= uint.MaxValue and var epoch => (uint)epoch,
        var epoch => throw xml.Fault(string.Create(CultureInfo.InvariantCulture, $"the epoch {epoch} is not below 2^32")),
    };

    // What a package's file is called becomes a name in a store and on a server, beside that of the metadata.
    private static RepoLocation Location(MetadataXml xml)
    {
        RepoLocation location = Repomd.ReadLocation(xml);
        return location.Place == RepoPlace.Inside && location.Path.StartsWith("repodata/", StringComparison.Ordinal)
            ? throw xml.Fault($"the location '{FileTree.BytesText.Escape(Encoding.UTF8.GetBytes(location.Href))}' is among the metadata")
            : location;
    }

    private static void ReadFormat(MetadataXml xml, ref Parts parts, bool withRelations, Strings strings)
    {
        for (MetadataXml.Childhood children = xml.Children(); children.Next();)
        {
            switch (xml.Name)
            {
                case "sourcerpm":
                    parts.SourceRpm = xml.Text() is { Length: > 0 } source ? strings.Source(source) : null;
                    break;
                case "header-range":
                    (parts.HeaderStart, parts.HeaderEnd) = (xml.NumberAttribute("start"), xml.NumberAttribute("end"));
                    xml.Skip();
                    break;
                default:
                    if (withRelations && Kind(xml.Name) is { } kind)
                        ReadRelations(xml, kind, parts.Relations ??= []);
                    else
                        xml.Skip();
                    break;
            }
        }
    }

    private static void ReadRelations(MetadataXml xml, RpmDependencyKind kind, List<RpmDependency> relations)
    {
        for (MetadataXml.Childhood children = xml.Children(); children.Next(); xml.Skip())
        {
            if (xml.Name != "entry")
                continue;
            if (relations.Count == MaxRelations)
                throw xml.Fault(string.Create(CultureInfo.InvariantCulture, $"a package with more than {MaxRelations} relations"));
            RpmSense sense = xml.Attribute("flags") switch
            {
                "EQ" => RpmSense.Equal,
                "LT" => RpmSense.Less,
                "LE" => RpmSense.Less | RpmSense.Equal,
                "GT" => RpmSense.Greater,
                "GE" => RpmSense.Greater | RpmSense.Equal,
                null => RpmSense.Any,
                var flags => throw xml.Fault($"flags '{FileTree.BytesText.Escape(Encoding.UTF8.GetBytes(flags))}' are not known"),
            };
            string version = sense == RpmSense.Any ? "" : new Evr(Epoch(xml), xml.Attribute("ver") ?? "", xml.Attribute("rel") ?? "").ToString();
            if (xml.Attribute("pre") == "1")
                sense |= RpmSense.Prereq;
            relations.Add(new RpmDependency(kind, xml.Attribute("name") ?? throw xml.Fault("a relation without a name"), sense, version));
        }
    }

    private static RpmDependencyKind? Kind(string name) => name switch
    {
        "provides" => RpmDependencyKind.Provides,
        "requires" => RpmDependencyKind.Requires,
        "conflicts" => RpmDependencyKind.Conflicts,
        "obsoletes" => RpmDependencyKind.Obsoletes,
        "recommends" => RpmDependencyKind.Recommends,
        "suggests" => RpmDependencyKind.Suggests,
        "supplements" => RpmDependencyKind.Supplements,
        "enhances" => RpmDependencyKind.Enhances,
        _ => null,
    };
}
