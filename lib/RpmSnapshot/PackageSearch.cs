using Layerbox.Posix;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>A package in a snapshot.</summary>
/// <param name="Snapshot">The snapshot's id.</param>
/// <param name="Repo">The repository in it.</param>
public sealed record FoundPackage(string Snapshot, SnapshotRepo Repo, PrimaryPackage Package);

/// <summary>Which snapshots have a package.</summary>
public static class PackageSearch
{
    /// <summary>What is looked for: "name", "name.arch", "name-version", a full name, each perhaps with <c>*</c> and <c>?</c>; or a digest such as "sha256:…".</summary>
    public static Func<PrimaryPackage, bool> Named(string text)
    {
        int colon = text.IndexOf(':');
        try
        {
            if (colon > 0 && RpmChecksum.Parse(text[..colon], text[(colon + 1)..]) is var checksum)
                return package => package.Checksum == checksum;
        }
        catch (FormatException)
        {
            // A name may have a colon, before which there is an epoch.
        }
        return package =>
        {
            Nevra nevra = package.Nevra;
            if (NamePattern.Matches(text, nevra.Name))
                return true;
            string full = nevra.ToString();
            return NamePattern.Matches(text, full) || NamePattern.Matches(text, $"{nevra.Name}.{nevra.Arch}")
                || NamePattern.Matches(text, $"{nevra.Name}-{nevra.Evr}") || NamePattern.Matches(text, $"{nevra.Name}-{nevra.Evr.Version}");
        };
    }

    /// <summary>Packages that have the bytes of a file, by whichever type of checksum their metadata has.</summary>
    /// <exception cref="PosixException">It cannot be read.</exception>
    public static Func<PrimaryPackage, bool> WithBytesOf(string path)
    {
        RpmDigestAlgorithm[] algorithms = [RpmDigestAlgorithm.Sha256, RpmDigestAlgorithm.Sha512, RpmDigestAlgorithm.Sha384, RpmDigestAlgorithm.Sha1, RpmDigestAlgorithm.Md5];
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly);
        string[] digests = ObjectDigests.Of(file, path, algorithms);
        return package => Array.IndexOf(algorithms, package.Checksum.Algorithm) is var place and >= 0 && digests[place] == package.Checksum.Digits;
    }

    /// <summary>All that is found, snapshot by snapshot, the oldest first.</summary>
    /// <exception cref="InvalidDataException">A snapshot or its metadata is damaged.</exception>
    public static IEnumerable<FoundPackage> Run(SnapshotStore store, Func<PrimaryPackage, bool> isWanted)
    {
        List<(string Id, SnapshotRepo Repo)> repos = [.. store.SnapshotIds().SelectMany(id => (store.TryLoad(id)?.Snapshot.Repos ?? []).Select(repo => (id, repo)))];
        Dictionary<string, List<PrimaryPackage>> found = store.Index.Search([.. repos.Select(repo => SnapshotPackages.PrimaryOf(repo.Repo).Object).Distinct()], isWanted) ?? [];
        foreach ((string id, SnapshotRepo repo) in repos)
        {
            string primary = SnapshotPackages.PrimaryOf(repo).Object;
            if (!found.TryGetValue(primary, out List<PrimaryPackage>? packages))
                found[primary] = packages = [.. SnapshotPackages.Read(store, repo).Where(isWanted)];
            foreach (PrimaryPackage package in packages)
                yield return new FoundPackage(id, repo, package);
        }
    }
}
