using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <content>What is known besides objects and snapshots, made anew.</content>
public sealed partial class SnapshotStore
{
    /// <summary>Makes the index anew, and the aliases of the types that the snapshots' repositories use, from objects and snapshots alone.</summary>
    /// <param name="progress">Told how many objects are done.</param>
    /// <exception cref="InvalidDataException">A snapshot or its metadata is damaged.</exception>
    public void Rebuild(Action<long>? progress = null)
    {
        Index.Clear();
        HashSet<RpmDigestAlgorithm> algorithms = [];
        HashSet<string> lists = [];
        foreach (SnapshotRepo repo in SnapshotIds().SelectMany(id => Load(id).Repos))
        {
            using (Stream repomd = OpenObject(repo.Repomd))
                algorithms.UnionWith(Repomd.Read(repomd).Data.Select(data => data.Checksum.Algorithm));
            if (!lists.Add(SnapshotPackages.PrimaryOf(repo).Object))
                continue;
            // Package by package: what is in memory meanwhile does not grow with the repository.
            if (!Index.Add(SnapshotPackages.PrimaryOf(repo).Object, SnapshotPackages.Parse(this, repo).Select(Noted)))
                foreach (PrimaryPackage package in SnapshotPackages.Parse(this, repo))
                    Noted(package);
        }
        algorithms.Remove(RpmDigestAlgorithm.Sha256);
        Aliases = AliasTable.Empty();
        if (algorithms.Count > 0)
            Aliases.Derive(this, [.. Objects()], algorithms, progress);
        Aliases.Save(Below("aliases"));

        PrimaryPackage Noted(PrimaryPackage package)
        {
            algorithms.Add(package.Checksum.Algorithm);
            return package;
        }
    }
}
