using Layerbox.Posix;

namespace Layerbox.RpmSnapshot;

/// <summary>A package whose full name stands for other bytes than it did, or does elsewhere in the same universe.</summary>
/// <param name="Nevra">The name.</param>
/// <param name="Repo">The repository that has the new bytes.</param>
/// <param name="Universe">The universe in which they contradict each other; null when it is the repository alone.</param>
/// <param name="From">The bytes that were known, "sha256:…".</param>
/// <param name="To">Those of now.</param>
public sealed record PackageMutation(string Nevra, string Repo, string? Universe, string From, string To)
{
    /// <summary>Those that a snapshot would bring, compared with the last one of each repository, and of its repositories with each other.</summary>
    public static List<PackageMutation> Find(SnapshotStore store, Snapshot snapshot)
    {
        List<PackageMutation> mutations = [];
        foreach (IGrouping<string, SnapshotRepo> universe in snapshot.Repos.GroupBy(repo => repo.Universe ?? $":{repo.Name}"))
        {
            List<SnapshotRepo> before = [.. universe.Select(repo => RepoMemory.LastOf(store, repo.Name, repo.Universe)).OfType<SnapshotRepo>()];
            // What was told once is not told each day.
            if (universe.All(repo => before.Any(last => last.Name == repo.Name && last.Repomd == repo.Repomd)))
                continue;
            Dictionary<string, string> known = [];
            HashSet<(string, string)> told = [];
            foreach ((string nevra, string digest) in before.SelectMany(repo => PackagesIfThere(store, repo)))
            {
                known.TryAdd(nevra, digest);
                told.Add((nevra, digest));
            }
            foreach (SnapshotRepo repo in universe)
                foreach ((string nevra, string digest) in Packages(store, repo))
                    if (!known.TryAdd(nevra, digest) && known[nevra] != digest && told.Add((nevra, digest)))
                        mutations.Add(new PackageMutation(nevra, repo.Name, repo.Universe, known[nevra], digest));
        }
        return mutations;
    }

    // An earlier snapshot that is damaged is no reason not to make a new one.
    private static List<(string Nevra, string Digest)> PackagesIfThere(SnapshotStore store, SnapshotRepo repo)
    {
        try
        {
            return [.. Packages(store, repo)];
        }
        catch (Exception e) when (e is InvalidDataException or PosixException)
        {
            return [];
        }
    }

    private static IEnumerable<(string Nevra, string Digest)> Packages(SnapshotStore store, SnapshotRepo repo) =>
        SnapshotPackages.Read(store, repo).Select(package => (package.Nevra.ToString(), store.Locate(package.Checksum, null) is { } digest ? $"sha256:{digest}" : package.Checksum.ToString()));
}
