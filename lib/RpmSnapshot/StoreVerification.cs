using System.Collections.Concurrent;
using System.Globalization;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>Something that is wrong with a store.</summary>
/// <param name="Code">object_damaged, object_missing, stranger, snapshot_damaged or tag_dangling.</param>
/// <param name="Name">What it is about, by its path in the store.</param>
/// <param name="Message">What is wrong.</param>
public sealed record StoreFinding(string Code, string Name, string Message);

/// <summary>
/// Whether a store is whole: every object is what its name says, and every snapshot has all its objects. Of a store that others change meanwhile, what is there
/// both before and after.
/// </summary>
/// <param name="Findings">Sorted by name.</param>
/// <param name="OnDemand">Packages that are not here, and that a storage is to have.</param>
public sealed record StoreVerification(IReadOnlyList<StoreFinding> Findings, long Objects, long Bytes, long Snapshots, long OnDemand)
{
    /// <param name="store">What to look at.</param>
    /// <param name="progress">Told the bytes that were compared.</param>
    /// <param name="cancellation">Stops it.</param>
    public static StoreVerification Of(SnapshotStore store, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        ConcurrentBag<StoreFinding> findings = [];
        // In this order: what a sync adds while we look comes the other way round, objects first.
        List<(string Tag, string Id)> tags = [.. store.Tags()];
        IReadOnlyList<string> ids = store.SnapshotIds();
        foreach ((string name, string reason) in store.Strangers())
            findings.Add(new StoreFinding("stranger", name, reason));
        string[] objects = [.. store.Objects()];
        long bytes = 0;
        ParallelOptions options = new() { CancellationToken = cancellation };
        Parallel.ForEach(objects, options, digest =>
        {
            string path = store.PathOf(digest);
            try
            {
                using SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NoFollow);
                string found = ObjectDigests.Of(file, path, [RpmDigestAlgorithm.Sha256])[0];
                if (found != digest)
                    findings.Add(new StoreFinding("object_damaged", Name(digest), $"its sha256 is {found}"));
                progress?.Invoke(Interlocked.Add(ref bytes, Files.Status(file).Size));
            }
            // A collection has removed it. Who needs it is told below.
            catch (PosixException e) when (e.Errno == Errno.ENOENT) { }
            catch (PosixException e)
            {
                findings.Add(new StoreFinding("object_damaged", Name(digest), $"cannot be read: {PosixException.Reason(e.Errno)}"));
            }
        });
        HashSet<string> elsewhere = [];
        foreach (string id in ids)
        {
            List<StoreFinding> found = CheckSnapshot(store, id, elsewhere);
            // Objects go after the snapshots that need them.
            if (found.Count > 0 && store.HasSnapshot(id))
                found.ForEach(findings.Add);
        }
        HashSet<(string, string)> still = [.. store.Tags()];
        foreach ((string tag, string id) in tags.Where(tag => still.Contains(tag) && !store.HasSnapshot(tag.Id)))
            findings.Add(new StoreFinding("tag_dangling", $"refs/tags/{tag}", $"there is no snapshot {id}"));
        return new StoreVerification([.. findings.Distinct().OrderBy(f => f.Name, StringComparer.Ordinal).ThenBy(f => f.Message, StringComparer.Ordinal)], objects.Length, bytes, ids.Count, elsewhere.Count);
    }

    private static List<StoreFinding> CheckSnapshot(SnapshotStore store, string id, HashSet<string> elsewhere)
    {
        List<StoreFinding> findings = [];
        try
        {
            Snapshot snapshot = store.Load(id);
            if (snapshot.Policy is { } policy)
                Check(policy, "policy");
            foreach (SnapshotRepo repo in snapshot.Repos)
            {
                bool isWhole = true;
                foreach (string digest in repo.Objects)
                    isWhole &= Check(digest, $"{repo.Name}: {repo.NameOf(digest)}");
                if (!isWhole)
                    continue;
                List<PrimaryPackage> packages = [.. SnapshotPackages.Parse(store, repo)];
                if (packages.Count != repo.Packages)
                    findings.Add(new StoreFinding("snapshot_damaged", $"snapshots/{id}.json", string.Create(CultureInfo.InvariantCulture, $"{repo.Name}: {packages.Count} packages, not {repo.Packages}")));
                HashSet<string> holes = [.. repo.Missing.Select(hole => hole.Checksum)];
                bool isOnDemand = store.OnDemand.Covers(id);
                foreach (PrimaryPackage package in packages)
                    if (holes.Contains(package.Checksum.ToString()) || store.Find(package.Checksum, package.PackageSize) is not null)
                        continue;
                    else if (isOnDemand && store.OnDemand.Find(package.Checksum) is { } digest && store.SizeOf(digest) is var size && (size is null || store.OnDemand.IsTrue(digest, package.Checksum)))
                    {
                        if (size is null)
                            elsewhere.Add(digest);
                    }
                    else
                        findings.Add(new StoreFinding("object_missing", $"snapshots/{id}.json", SnapshotPackages.Unknown(repo, package).Message));
            }
        }
        catch (InvalidDataException e)
        {
            findings.Add(new StoreFinding("snapshot_damaged", $"snapshots/{id}.json", e.Message));
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            findings.Add(new StoreFinding("object_missing", $"snapshots/{id}.json", e.Message));
        }
        return findings;

        bool Check(string digest, string what)
        {
            if (store.SizeOf(digest) is not null)
                return true;
            findings.Add(new StoreFinding("object_missing", $"snapshots/{id}.json", $"{what}: no object {digest}"));
            return false;
        }
    }

    private static string Name(string digest) => $"objects/sha256/{digest[..2]}/{digest}";
}
