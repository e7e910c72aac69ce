using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Layerbox.Compression;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>A file of metadata, written anew.</summary>
/// <param name="Digest">Its sha256, which is its object.</param>
/// <param name="Size">Its bytes.</param>
/// <param name="OpenDigest">The sha256 of it, decompressed.</param>
/// <param name="OpenSize">Bytes, decompressed.</param>
/// <param name="Elements">Packages that were in the document that it was made of.</param>
internal sealed record SplicedFile(string Digest, long Size, string OpenDigest, long OpenSize, int Elements);

/// <summary>
/// Metadata without some packages: their elements are cut out of the bytes and the count on the root is set right, so what is not
/// understood stays as it is. The result is compressed with gzip, which every reader knows.
/// </summary>
internal sealed class MetadataSplice(SnapshotStore store, CancellationToken cancellation)
{
    /// <param name="digest">The object with the document, compressed or not.</param>
    /// <param name="leavesOut">Is given the place of a package among the others, and its start tag's bytes.</param>
    /// <param name="packages">How many packages the result has.</param>
    /// <exception cref="InvalidDataException">The object is damaged, or cannot be taken apart.</exception>
    public SplicedFile Packages(string digest, PackageTest leavesOut, long packages)
    {
        CheckObject(digest);
        using Stream packed = store.OpenObject(digest);
        using Stream open = RepoMetadata.Open(packed, out _);
        MarkupPieces pieces = new(open, "package");
        using IncrementalHash hash = RpmDigest.Start(RpmDigestAlgorithm.Sha256)!;
        using ObjectWriter writer = store.NewObject();
        byte[] count = Encoding.ASCII.GetBytes(packages.ToString(CultureInfo.InvariantCulture));
        long size = 0;
        int elements = 0;
        using (ObjectStream target = new(writer))
        using (Stream output = Compressed.OpenWrite(target, CompressionKind.Gzip))
            for (bool isAfterCut = false; pieces.Next();)
            {
                cancellation.ThrowIfCancellationRequested();
                ReadOnlySpan<byte> bytes = pieces.Kind == MarkupPiece.Root ? MarkupPieces.WithAttribute(pieces.Bytes, "packages"u8, count) : pieces.Bytes;
                bool isCut = pieces.Kind == MarkupPiece.Element && leavesOut(elements++, pieces.StartTag);
                if (!isCut && !(isAfterCut && IsBlank(bytes)))
                {
                    output.Write(bytes);
                    hash.AppendData(bytes);
                    size += bytes.Length;
                }
                isAfterCut = isCut;
            }
        return new SplicedFile(writer.Finish(null)!, writer.Size, Convert.ToHexStringLower(hash.GetHashAndReset()), size, elements);
    }

    /// <summary>A repomd.xml in which some of the files are others, or none.</summary>
    /// <param name="repomd">The document.</param>
    /// <param name="parsed">What it says.</param>
    /// <param name="replace">Says what becomes of a file: null, it stays; empty, it goes; else what stands there instead, without the element's prefix.</param>
    public static byte[] Repomd(byte[] repomd, Repomd parsed, Func<RepomdData, string?> replace)
    {
        MarkupPieces pieces = new(new MemoryStream(repomd), "data");
        using MemoryStream result = new();
        int index = 0;
        for (bool isAfterCut = false; pieces.Next();)
        {
            string? instead = null;
            if (pieces.Kind == MarkupPiece.Element)
                instead = index < parsed.Data.Count ? replace(parsed.Data[index++]) : throw new InvalidDataException("repomd.xml: its files cannot be told apart");
            if (instead is null && !(isAfterCut && IsBlank(pieces.Bytes)))
                result.Write(pieces.Bytes);
            else if (instead is not null)
                result.Write(Encoding.UTF8.GetBytes(instead));
            isAfterCut = instead is { Length: 0 };
        }
        return index == parsed.Data.Count ? result.ToArray() : throw new InvalidDataException("repomd.xml: its files cannot be told apart");
    }

    /// <summary>What is made of it is believed, so it is looked at first.</summary>
    private void CheckObject(string digest)
    {
        using Stream stream = store.OpenObject(digest);
        if (Convert.ToHexStringLower(SHA256.HashData(stream)) != digest)
            throw new InvalidDataException($"{store.PathOf(digest)}: damaged: its sha256 is another");
    }

    private static bool IsBlank(ReadOnlySpan<byte> bytes) => !bytes.ContainsAnyExcept(" \t\r\n"u8);
}

/// <summary>Whether a package is left out.</summary>
internal delegate bool PackageTest(int index, ReadOnlySpan<byte> startTag);
