using Layerbox.Compression;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>The packages of a repository in the store: what its primary.xml says.</summary>
public static class SnapshotPackages
{
    /// <summary>More bytes of a decompressed file of metadata than any repository has.</summary>
    internal const long MaxOpen = 8L << 30;

    /// <summary>All packages, in the order of the metadata: from the store's index, if that has them.</summary>
    /// <exception cref="InvalidDataException">The metadata is malformed; says the repository.</exception>
    public static List<PrimaryPackage> Read(SnapshotStore store, SnapshotRepo repo)
    {
        SnapshotFile primary = PrimaryOf(repo);
        return store.Index.Find(primary.Object) ?? Read(store, primary.Object, null, $"{repo.Name}: {primary.Location}");
    }

    /// <summary>The same, without keeping them where that can be: from the metadata one after the other.</summary>
    /// <exception cref="InvalidDataException">The metadata is malformed; says the repository.</exception>
    internal static IEnumerable<PrimaryPackage> OneByOne(SnapshotStore store, SnapshotRepo repo) => store.Index.Find(PrimaryOf(repo).Object) ?? Parse(store, repo);

    /// <summary>All packages, from the metadata itself: for what must not depend on anything that can be made anew.</summary>
    /// <exception cref="InvalidDataException">The metadata is malformed; says the repository.</exception>
    public static IEnumerable<PrimaryPackage> Parse(SnapshotStore store, SnapshotRepo repo)
    {
        SnapshotFile primary = PrimaryOf(repo);
        return Parse(store, primary.Object, null, $"{repo.Name}: {primary.Location}");
    }

    /// <summary>From the metadata, which is compared with what repomd.xml says of it; the index learns of them with the snapshot.</summary>
    internal static List<PrimaryPackage> Read(SnapshotStore store, string digest, RepomdData? data, string shown)
    {
        List<PrimaryPackage> packages = [.. Parse(store, digest, data, shown)];
        store.Index.Note(digest, packages);
        return packages;
    }

    /// <summary>A snapshot's package that the store does not have, or does not know to have.</summary>
    internal static InvalidDataException Unknown(SnapshotRepo repo, PrimaryPackage package) =>
        new($"{repo.Name}: {package.Nevra}: no object is {package.Checksum}{(package.Checksum.Algorithm == RpmDigestAlgorithm.Sha256 ? "" : " as far as is known: 'rebuild' finds out")}");

    internal static SnapshotFile PrimaryOf(SnapshotRepo repo) =>
        repo.Files.FirstOrDefault(file => file.Type == "primary") ?? throw new InvalidDataException($"{repo.Name}: its repomd.xml names no primary.xml");

    private static IEnumerable<PrimaryPackage> Parse(SnapshotStore store, string digest, RepomdData? data, string shown)
    {
        using IEnumerator<PrimaryPackage> packages = Parse(store, digest, data).GetEnumerator();
        while (true)
        {
            try
            {
                if (!packages.MoveNext())
                    break;
            }
            catch (InvalidDataException e)
            {
                throw new InvalidDataException($"{shown}: {e.Message}", e);
            }
            yield return packages.Current;
        }
    }

    private static IEnumerable<PrimaryPackage> Parse(SnapshotStore store, string digest, RepomdData? data)
    {
        using Stream packed = store.OpenObject(digest);
        using Stream open = RepoMetadata.Open(packed, out CompressionKind kind);
        RpmChecksum? expected = kind == CompressionKind.None ? null : data?.OpenChecksum;
        using CountedStream counted = new(open, Math.Min(data?.OpenSize ?? MaxOpen, MaxOpen), expected?.Algorithm);
        foreach (PrimaryPackage package in PrimaryReader.Read(counted))
            yield return package;
        counted.CopyTo(Stream.Null);
        if (expected is { } checksum && counted.Digest() is var found && found != checksum.Digits)
            throw new InvalidDataException($"decompressed it is {RpmDigest.NameOf(checksum.Algorithm)}:{found}, which should be {checksum}");
    }
}
