using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>A package whose full name stands for other bytes than it did, or does elsewhere in the same universe.</summary>
/// <param name="Nevra">The name.</param>
/// <param name="Repo">The repository that has the new bytes.</param>
/// <param name="Universe">The universe in which they contradict each other; null when it is the repository alone.</param>
/// <param name="From">The bytes that were known, "sha256:…".</param>
/// <param name="To">Those of now.</param>
public sealed record PackageMutation(string Nevra, string Repo, string? Universe, string From, string To)
{
    /// <summary>
    /// Those that a snapshot would bring, compared with the last one of each repository, of its repositories with each other, and of names that were not there then with all
    /// snapshots of their universe that the store has.
    /// </summary>
    public static List<PackageMutation> Find(SnapshotStore store, Snapshot snapshot)
    {
        List<PackageMutation> mutations = [];
        foreach (Group<string, SnapshotRepo> universe in snapshot.Repos.GroupBy(UniverseOf))
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
            List<(SnapshotRepo Repo, string Nevra, string Digest)> now = [.. universe.SelectMany(repo => SnapshotPackages.Read(store, repo).Select(package => (repo, package.Nevra.ToString(), DigestOf(store, package))))];
            HashSet<string> fresh = [.. now.Select(package => package.Nevra).Where(nevra => !known.ContainsKey(nevra))];
            foreach ((string nevra, string digest) in Earlier(store, universe.Key, before, fresh))
            {
                known.TryAdd(nevra, digest);
                told.Add((nevra, digest));
            }
            foreach ((SnapshotRepo repo, string nevra, string digest) in now)
                if (!known.TryAdd(nevra, digest) && known[nevra] != digest && told.Add((nevra, digest)))
                    mutations.Add(new PackageMutation(nevra, repo.Name, repo.Universe, known[nevra], digest));
        }
        return mutations;
    }

    /// <summary>What names stood for in any snapshot of a universe, the newest first. What the last ones had is known, and left out.</summary>
    private static List<(string Nevra, string Digest)> Earlier(SnapshotStore store, string universe, List<SnapshotRepo> last, HashSet<string> names)
    {
        List<(string, string)> found = [];
        if (names.Count == 0)
            return found;
        void Take(PrimaryPackage package)
        {
            if (package.Nevra.ToString() is var nevra && names.Contains(nevra))
                found.Add((nevra, DigestOf(store, package)));
        }
        Dictionary<string, SnapshotRepo> lists = [];
        foreach (SnapshotRepo repo in store.SnapshotIds().Reverse().SelectMany(id => ReposIfThere(store, id)).Where(repo => UniverseOf(repo) == universe))
            if (repo.Files.FirstOrDefault(file => file.Type == "primary") is { } primary)
                lists.TryAdd(primary.Object, repo);
        HashSet<string> known = [.. last.Select(repo => SnapshotPackages.PrimaryOf(repo).Object)];
        List<string> unknown = store.Index.Each([.. lists.Keys], known, Take) ?? [.. lists.Keys.Where(list => !known.Contains(list))];
        foreach (string list in unknown)
        {
            try
            {
                List<PrimaryPackage> packages = [.. SnapshotPackages.Parse(store, lists[list])];
                packages.ForEach(Take);
                store.Index.Add(list, packages); // so that it is quick the next time
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                // verify's to tell
            }
        }
        return found;
    }

    private static string UniverseOf(SnapshotRepo repo) => repo.Universe ?? $":{repo.Name}";

    // An earlier snapshot that is damaged is no reason not to make a new one.
    private static IReadOnlyList<SnapshotRepo> ReposIfThere(SnapshotStore store, string id)
    {
        try
        {
            return store.Load(id).Repos;
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            return [];
        }
    }

    private static List<(string Nevra, string Digest)> PackagesIfThere(SnapshotStore store, SnapshotRepo repo)
    {
        try
        {
            return [.. SnapshotPackages.Read(store, repo).Select(package => (package.Nevra.ToString(), DigestOf(store, package)))];
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            return [];
        }
    }

    private static string DigestOf(SnapshotStore store, PrimaryPackage package) =>
        package.Checksum.Algorithm != RpmDigestAlgorithm.Sha256 && store.Locate(package.Checksum, null) is { } digest ? $"sha256:{digest}" : package.Checksum.ToString();
}
