using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>A package of a repository that is written by hand: what the metadata says of it need not be so.</summary>
/// <param name="Name">Its version is 1-1, its architecture noarch.</param>
/// <param name="Bytes">The file; its metadata says what it is unless it is told otherwise.</param>
internal sealed record RawPackage(string Name, byte[] Bytes)
{
    /// <summary>As it stands in the metadata, attributes of the element included.</summary>
    public string Location { get; init; } = $"href=\"{Name}.rpm\"";

    public string? Size { get; init; }

    public string? Checksum { get; init; }

    /// <summary>Elements besides.</summary>
    public string More { get; init; } = "";

    public string Xml => string.Create(CultureInfo.InvariantCulture, $"""
        <package type="rpm"><name>{Name}</name><arch>noarch</arch><version epoch="0" ver="1" rel="1"/>{Checksum ?? $"<checksum type=\"sha256\" pkgid=\"YES\">{Convert.ToHexStringLower(SHA256.HashData(Bytes))}</checksum>"}
        <size package="{Size ?? Bytes.Length.ToString(CultureInfo.InvariantCulture)}" installed="1" archive="1"/><location {Location}/>{More}</package>

        """);
}

/// <summary>Repositories that createrepo_c would not make.</summary>
internal static class RawRepo
{
    /// <summary>Writes a repository with these packages, each file below its name.</summary>
    public static void Write(string folder, params IEnumerable<RawPackage> packages)
    {
        Directory.CreateDirectory(folder);
        StringBuilder xml = new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"4\">\n");
        foreach (RawPackage package in packages)
        {
            File.WriteAllBytes(Path.Combine(folder, $"{package.Name}.rpm"), package.Bytes);
            xml.Append(package.Xml);
        }
        WritePrimary(folder, Encoding.UTF8.GetBytes(xml.Append("</metadata>\n").ToString()));
    }

    /// <summary>Writes a repository of which this is the primary.xml, whatever it is.</summary>
    /// <param name="folder">The repository's root.</param>
    /// <param name="file">As it is served.</param>
    /// <param name="openSize">Bytes, decompressed, as repomd.xml has it; null when it does not say.</param>
    /// <param name="size">The same of the file, where that is to be wrong.</param>
    public static void WritePrimary(string folder, byte[] file, long? openSize = null, string? size = null, string name = "primary.xml", string timestamp = "1700000000")
    {
        Directory.CreateDirectory(Path.Combine(folder, "repodata"));
        File.WriteAllBytes(Path.Combine(folder, "repodata", name), file);
        File.WriteAllText(Path.Combine(folder, "repodata", "repomd.xml"), string.Create(CultureInfo.InvariantCulture, $"""
            <?xml version="1.0" encoding="UTF-8"?>
            <repomd xmlns="http://linux.duke.edu/metadata/repo"><revision/><data type="primary"><checksum type="sha256">{Convert.ToHexStringLower(SHA256.HashData(file))}</checksum>
            <location href="repodata/{name}"/><timestamp>{timestamp}</timestamp><size>{size ?? file.Length.ToString(CultureInfo.InvariantCulture)}</size>{(openSize is null ? "" : $"<open-size>{openSize}</open-size>")}</data></repomd>

            """));
    }
}
