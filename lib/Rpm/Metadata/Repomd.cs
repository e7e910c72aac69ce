using System.Globalization;

namespace Layerbox.Rpm;

/// <summary>One of the files that a repository's repomd.xml names.</summary>
/// <param name="Type">"primary", "filelists", "group", "updateinfo", "modules", and any other name: what is not known is carried as it is.</param>
/// <param name="Checksum">Of the file as it is served.</param>
/// <param name="Location">Where it is.</param>
public sealed record RepomdData(string Type, RpmChecksum Checksum, RepoLocation Location)
{
    /// <summary>Of the file, decompressed; null of plain files, and where it is not said.</summary>
    public RpmChecksum? OpenChecksum { get; init; }

    /// <summary>Of zchunk files: of their header.</summary>
    public RpmChecksum? HeaderChecksum { get; init; }

    /// <summary>Bytes, as it is served.</summary>
    public long? Size { get; init; }

    /// <summary>Bytes, decompressed.</summary>
    public long? OpenSize { get; init; }

    /// <summary>Bytes of a zchunk file's header.</summary>
    public long? HeaderSize { get; init; }

    /// <summary>Seconds since 1970; some tools write fractions.</summary>
    public decimal? Timestamp { get; init; }
}

/// <summary>A repository's repomd.xml: what it holds, and the digests of it.</summary>
/// <param name="Revision">Free text, often a time. That it stayed the same proves nothing.</param>
/// <param name="Data">The files, in their order.</param>
public sealed record Repomd(string? Revision, IReadOnlyList<RepomdData> Data)
{
    private const int MaxData = 1000;

    /// <summary>The file of a type; null when there is none.</summary>
    public RepomdData? Find(string type) => Data.FirstOrDefault(data => data.Type == type);

    /// <summary>The newest timestamp of any file; null when none has one. A mirror whose newest is older than known is behind.</summary>
    public decimal? Newest => Data.Max(data => data.Timestamp);

    /// <summary>Reads a repomd.xml.</summary>
    /// <exception cref="InvalidDataException">Malformed: line, column, what.</exception>
    public static Repomd Read(Stream source)
    {
        using MetadataXml xml = new(source);
        xml.ReadRoot("repomd");
        return Read(xml);
    }

    internal static Repomd Read(MetadataXml xml)
    {
        string? revision = null;
        List<RepomdData> data = [];
        for (MetadataXml.Childhood children = xml.Children(); children.Next();)
        {
            if (xml.Name == "revision")
                revision = xml.Text();
            else if (xml.Name != "data")
                xml.Skip();
            else if (data.Count == MaxData)
                throw xml.Fault(string.Create(CultureInfo.InvariantCulture, $"more than {MaxData} files"));
            else
                data.Add(ReadData(xml));
        }
        xml.ReadEnd();
        return new Repomd(revision, data);
    }

    private static RepomdData ReadData(MetadataXml xml)
    {
        string type = xml.Attribute("type") ?? throw xml.Fault("'data' without a type");
        RpmChecksum? checksum = null, open = null, header = null;
        RepoLocation? location = null;
        long? size = null, openSize = null, headerSize = null;
        decimal? timestamp = null;
        for (MetadataXml.Childhood children = xml.Children(); children.Next();)
        {
            switch (xml.Name)
            {
                case "checksum":
                    checksum = ReadChecksum(xml);
                    break;
                case "open-checksum":
                    open = ReadChecksum(xml);
                    break;
                case "header-checksum":
                    header = ReadChecksum(xml);
                    break;
                case "location":
                    location = ReadLocation(xml);
                    break;
                case "timestamp":
                    string text = xml.Text();
                    timestamp = decimal.TryParse(text.AsSpan().Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal time) ? time : throw xml.Fault("'timestamp' is no number");
                    break;
                case "size":
                    size = xml.NumberText();
                    break;
                case "open-size":
                    openSize = xml.NumberText();
                    break;
                case "header-size":
                    headerSize = xml.NumberText();
                    break;
                default:
                    xml.Skip();
                    break;
            }
        }
        return new RepomdData(
            type,
            checksum ?? throw xml.Fault($"the data '{FileTree.BytesText.Escape(System.Text.Encoding.UTF8.GetBytes(type))}' has no checksum"),
            location ?? throw xml.Fault($"the data '{FileTree.BytesText.Escape(System.Text.Encoding.UTF8.GetBytes(type))}' has no location"))
        {
            OpenChecksum = open,
            HeaderChecksum = header,
            Size = size,
            OpenSize = openSize,
            HeaderSize = headerSize,
            Timestamp = timestamp,
        };
    }

    internal static RpmChecksum ReadChecksum(MetadataXml xml)
    {
        string type = xml.Attribute("type") ?? throw xml.Fault("a checksum without a type");
        try
        {
            return RpmChecksum.Parse(type, xml.Text());
        }
        catch (FormatException e)
        {
            throw xml.Fault(e.Message);
        }
    }

    internal static RepoLocation ReadLocation(MetadataXml xml)
    {
        try
        {
            RepoLocation location = RepoLocation.Parse(xml.Attribute("href") ?? throw xml.Fault("a location without href"), xml.Base);
            xml.Skip();
            return location;
        }
        catch (FormatException e)
        {
            throw xml.Fault(e.Message);
        }
    }
}
