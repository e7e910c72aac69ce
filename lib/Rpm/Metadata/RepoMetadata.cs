using System.Text;
using Layerbox.Compression;

namespace Layerbox.Rpm;

/// <summary>A document of a repository's metadata, whichever it is.</summary>
public static class RepoMetadata
{
    /// <summary>zstd: no window above 128 MiB, in metadata as in payloads. The memory of whoever reads them grows with it.</summary>
    public const int MaxWindowLog = 27;

    /// <summary>The decompressed bytes of a file of metadata, which need not be compressed.</summary>
    /// <param name="packed">Left open.</param>
    /// <param name="kind">How it was compressed.</param>
    public static Stream Open(Stream packed, out CompressionKind kind) => Decompression.Open(packed, out kind, MaxWindowLog, leaveOpen: true);

    /// <summary>Whether these are the first bytes of such a document, and not of a package: a tag, or a mark of UTF-8 or UTF-16 before it.</summary>
    public static bool IsStart(ReadOnlySpan<byte> bytes) => bytes is [(byte)'<', ..] or [0xEF, 0xBB, 0xBF, ..] or [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..];

    /// <summary>Reads a repomd.xml or a primary.xml.</summary>
    /// <param name="source">The document, decompressed.</param>
    /// <param name="withRelations">As for <see cref="PrimaryReader"/>.</param>
    /// <param name="onRepomd">Told what a repomd.xml says.</param>
    /// <param name="onPackage">Told each package of a primary.xml.</param>
    /// <exception cref="InvalidDataException">Malformed, or another document: line, column, what.</exception>
    public static void Read(Stream source, bool withRelations, Action<Repomd> onRepomd, Action<PrimaryPackage> onPackage)
    {
        using MetadataXml xml = new(source);
        switch (xml.ReadRoot())
        {
            case "repomd":
                onRepomd(Repomd.Read(xml));
                break;
            case "metadata":
                foreach (PrimaryPackage package in PrimaryReader.Read(xml, withRelations))
                    onPackage(package);
                break;
            case var name:
                throw xml.Fault($"the document is a '{FileTree.BytesText.Escape(Encoding.UTF8.GetBytes(name))}', neither a repomd.xml nor a primary.xml");
        }
    }
}
