using Layerbox.Compression;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>The packages of a repository in the store, read from its primary.xml.</summary>
public static class SnapshotPackages
{
    /// <summary>More bytes of a decompressed file of metadata than any repository has.</summary>
    internal const long MaxOpen = 8L << 30;

    /// <summary>All packages, in the order of the metadata.</summary>
    /// <exception cref="InvalidDataException">The metadata is malformed; says the repository.</exception>
    public static List<PrimaryPackage> Read(SnapshotStore store, SnapshotRepo repo)
    {
        SnapshotFile primary = repo.Files.FirstOrDefault(file => file.Type == "primary") ?? throw new InvalidDataException($"{repo.Name}: its repomd.xml names no primary.xml");
        return Read(store, primary.Object, null, $"{repo.Name}: {primary.Location}");
    }

    internal static List<PrimaryPackage> Read(SnapshotStore store, string digest, RepomdData? data, string shown)
    {
        try
        {
            using Stream packed = store.OpenObject(digest);
            using Stream open = Decompression.Open(packed, out CompressionKind kind, leaveOpen: true);
            RpmChecksum? expected = kind == CompressionKind.None ? null : data?.OpenChecksum;
            using CountedStream counted = new(open, Math.Min(data?.OpenSize ?? MaxOpen, MaxOpen), expected?.Algorithm);
            List<PrimaryPackage> packages = [.. PrimaryReader.Read(counted)];
            counted.CopyTo(Stream.Null);
            if (expected is { } checksum && counted.Digest() is var found && found != checksum.Digits)
                throw new InvalidDataException($"decompressed it is {RpmDigest.NameOf(checksum.Algorithm)}:{found}, which should be {checksum}");
            return packages;
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{shown}: {e.Message}", e);
        }
    }
}
