using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>How two snapshots differ in one thing.</summary>
/// <param name="Kind">repo_added, repo_removed, metadata, advisory_added, advisory_removed, advisory_changed, added, removed, upgraded, downgraded, mutated, hole_added or hole_removed.</param>
/// <param name="Repo">The repository.</param>
/// <param name="Name">Of the package (of a hole the full one), the advisory's id, or the type or the path of the file of metadata.</param>
/// <param name="Arch">Of the package.</param>
/// <param name="From">What was there: a version, or a digest.</param>
/// <param name="To">What is there.</param>
public sealed record SnapshotChange(string Kind, string Repo, string? Name = null, string? Arch = null, string? From = null, string? To = null)
{
    /// <summary>What is known of the advisory.</summary>
    public Advisory? Advisory { get; init; }
}

/// <summary>Compares snapshots, repository by repository.</summary>
public static class SnapshotDiff
{
    /// <summary>
    /// All changes, sorted by repository, then metadata, then advisories by id, then packages by name and architecture. A package is upgraded or downgraded when the newest of its name and
    /// architecture has another version; versions that come and go besides are added and removed; the same version with other bytes is mutated.
    /// </summary>
    /// <param name="store">Where both are.</param>
    /// <param name="from">What was.</param>
    /// <param name="to">What is.</param>
    /// <param name="complain">Told why advisories cannot be compared. Their metadata is carried as it came, so it may be malformed.</param>
    public static IEnumerable<SnapshotChange> Compare(SnapshotStore store, Snapshot from, Snapshot to, Action<string> complain)
    {
        foreach (string name in from.Repos.Concat(to.Repos).Select(repo => repo.Name).Distinct().Order(StringComparer.Ordinal))
        {
            SnapshotRepo? old = from.Repos.FirstOrDefault(repo => repo.Name == name), now = to.Repos.FirstOrDefault(repo => repo.Name == name);
            if (old is null)
                yield return new SnapshotChange("repo_added", name);
            if (now is null)
                yield return new SnapshotChange("repo_removed", name);
            // With the same repomd.xml all that it leads to is the same.
            bool isSame = old?.Repomd == now?.Repomd;
            foreach (SnapshotChange change in Metadata(name, old, now).Concat(isSame ? [] : Advisories(store, name, old, now, complain)).Concat(isSame ? [] : Packages(store, name, old, now)).Concat(Holes(name, old, now)))
                yield return change;
        }
    }

    private static IEnumerable<SnapshotChange> Metadata(string repo, SnapshotRepo? old, SnapshotRepo? now)
    {
        if (old is null || now is null)
            yield break;
        Dictionary<string, string> before = ByName(old), after = ByName(now);
        foreach (string name in before.Keys.Union(after.Keys).Order(StringComparer.Ordinal))
        {
            string? was = before.GetValueOrDefault(name), isNow = after.GetValueOrDefault(name);
            if (was != isNow)
                yield return new SnapshotChange("metadata", repo, name, From: was, To: isNow);
        }

        // Those that repomd.xml names by their types, as it does; all else by its path.
        static Dictionary<string, string> ByName(SnapshotRepo repo)
        {
            Dictionary<string, string> files = [];
            foreach (SnapshotFile file in repo.Files)
                files.TryAdd(file.Type, $"sha256:{file.Object}");
            foreach (SnapshotExtra extra in repo.Extra)
                files.TryAdd(extra.Path, $"sha256:{extra.Object}");
            if (repo.RepomdSignature is { } signature)
                files.TryAdd($"{RepoFiles.RepomdPath}.asc", $"sha256:{signature}");
            for (int i = 0; i < repo.Keys.Count; i++)
                files.TryAdd(RepoFiles.KeyPath(i), $"sha256:{repo.Keys[i]}");
            return files;
        }
    }

    // Of what the metadata names in both cases, or in one.
    private static IEnumerable<SnapshotChange> Holes(string repo, SnapshotRepo? old, SnapshotRepo? now)
    {
        HashSet<string> before = [.. (old?.Missing ?? []).Select(hole => hole.Nevra)], after = [.. (now?.Missing ?? []).Select(hole => hole.Nevra)];
        before.SymmetricExceptWith(after);
        foreach (string name in before.Order(StringComparer.Ordinal))
            yield return new SnapshotChange(after.Contains(name) ? "hole_added" : "hole_removed", repo, name);
    }

    private static IEnumerable<SnapshotChange> Advisories(SnapshotStore store, string repo, SnapshotRepo? old, SnapshotRepo? now, Action<string> complain)
    {
        if (ById(old) is not { } before || ById(now) is not { } after)
            yield break;
        foreach (string id in before.Keys.Concat(after.Keys).Distinct().Order(StringComparer.Ordinal))
        {
            Advisory? was = before.GetValueOrDefault(id), isNow = after.GetValueOrDefault(id);
            if (was?.Content != isNow?.Content)
                yield return new SnapshotChange(was is null ? "advisory_added" : isNow is null ? "advisory_removed" : "advisory_changed", repo, id) { Advisory = isNow ?? was };
        }

        Dictionary<string, Advisory>? ById(SnapshotRepo? repo)
        {
            Dictionary<string, Advisory> advisories = [];
            try
            {
                foreach (Advisory advisory in repo is null ? [] : SnapshotAdvisories.Read(store, repo))
                    advisories.TryAdd(advisory.Id, advisory);
            }
            catch (InvalidDataException e)
            {
                complain($"{e.Message}: so its advisories are not compared");
                return null;
            }
            return advisories;
        }
    }

    private static IEnumerable<SnapshotChange> Packages(SnapshotStore store, string repo, SnapshotRepo? old, SnapshotRepo? now)
    {
        Dictionary<(string Name, string Arch), Dictionary<Evr, SortedSet<string>>> before = ByName(store, old), after = ByName(store, now);
        foreach ((string Name, string Arch) key in before.Keys.Union(after.Keys).OrderBy(key => key.Name, StringComparer.Ordinal).ThenBy(key => key.Arch, StringComparer.Ordinal))
        {
            Dictionary<Evr, SortedSet<string>> was = before.GetValueOrDefault(key, []), isNow = after.GetValueOrDefault(key, []);
            HashSet<Evr> told = [];
            if (was.Count > 0 && isNow.Count > 0)
            {
                Evr newestWas = was.Keys.Max(), newest = isNow.Keys.Max();
                int order = newest.CompareTo(newestWas);
                if (order != 0)
                {
                    yield return new SnapshotChange(order > 0 ? "upgraded" : "downgraded", repo, key.Name, key.Arch, newestWas.ToString(), newest.ToString());
                    told = [newestWas, newest];
                }
            }
            foreach (Evr evr in was.Keys.Union(isNow.Keys).Order())
            {
                bool there = was.TryGetValue(evr, out SortedSet<string>? oldBytes), here = isNow.TryGetValue(evr, out SortedSet<string>? bytes);
                if (there && here && !oldBytes!.SetEquals(bytes!))
                    yield return new SnapshotChange("mutated", repo, key.Name, key.Arch, $"{evr} {string.Join(' ', oldBytes!)}", $"{evr} {string.Join(' ', bytes!)}");
                else if (there != here && !told.Contains(evr))
                    yield return new SnapshotChange(here ? "added" : "removed", repo, key.Name, key.Arch, there ? evr.ToString() : null, here ? evr.ToString() : null);
            }
        }
    }

    private static Dictionary<(string Name, string Arch), Dictionary<Evr, SortedSet<string>>> ByName(SnapshotStore store, SnapshotRepo? repo)
    {
        Dictionary<(string Name, string Arch), Dictionary<Evr, SortedSet<string>>> packages = [];
        HashSet<string> holes = [.. (repo?.Missing ?? []).Select(hole => hole.Checksum)];
        foreach (PrimaryPackage package in repo is null ? [] : SnapshotPackages.Read(store, repo))
        {
            (string Name, string Arch) key = (package.Nevra.Name, package.Nevra.Arch);
            if (!packages.TryGetValue(key, out Dictionary<Evr, SortedSet<string>>? versions))
                packages[key] = versions = [];
            if (!versions.TryGetValue(package.Nevra.Evr, out SortedSet<string>? bytes))
                versions[package.Nevra.Evr] = bytes = new SortedSet<string>(StringComparer.Ordinal);
            // By object where it is known, so that another type of checksum is no other package.
            bytes.Add(store.Locate(package.Checksum, null) is { } digest ? $"sha256:{digest}"
                : package.Checksum.Algorithm == RpmDigestAlgorithm.Sha256 || holes.Contains(package.Checksum.ToString()) ? package.Checksum.ToString()
                : throw SnapshotPackages.Unknown(repo!, package));
        }
        return packages;
    }
}
