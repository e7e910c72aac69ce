using System.Collections.Concurrent;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>What came of taking snapshots from elsewhere.</summary>
/// <param name="Snapshots">The ids of those that are here now, and whether they are new.</param>
/// <param name="Failures">What was missing or damaged, sorted; what needs it is not taken.</param>
/// <param name="Bytes">Bytes of the objects that were taken.</param>
public sealed record ImportResult(IReadOnlyList<(string Id, bool IsNew)> Snapshots, IReadOnlyList<string> Failures, long Bytes);

/// <summary>Takes snapshots from other stores and plain directories. Each file is compared with its checksum; its data is shared where the filesystem can do that.</summary>
public sealed class StoreImport
{
    private readonly SnapshotStore _to;
    private readonly Action<long>? _progress;
    private readonly CancellationToken _cancellation;
    private readonly ConcurrentBag<string> _failures = [];
    private long _bytes;

    private StoreImport(SnapshotStore to, Action<long>? progress, CancellationToken cancellation) => (_to, _progress, _cancellation) = (to, progress, cancellation);

    /// <summary>A file to be taken: what it is called in messages, where it is, and what it must be.</summary>
    private readonly record struct Item(string Name, string Path, RpmChecksum Checksum, long? Size);

    /// <summary>Takes snapshots of another store.</summary>
    /// <param name="from">The other store.</param>
    /// <param name="to">This one, opened for writing.</param>
    /// <param name="ids">Which snapshots.</param>
    /// <param name="progress">Told the bytes that were taken.</param>
    /// <param name="cancellation">Stops it; what was taken serves the next try.</param>
    public static ImportResult Store(SnapshotStore from, SnapshotStore to, IReadOnlyList<string> ids, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        StoreImport import = new(to, progress, cancellation);
        List<(string, bool)> done = [];
        foreach (string id in ids)
        {
            int before = import._failures.Count;
            Snapshot? snapshot = import.Snapshot(from, id);
            to.PutInPlace();
            if (import._failures.Count == before)
                done.Add((id, to.Add(snapshot!)));
        }
        return import.Result(done);
    }

    /// <summary>Makes a snapshot of a plain repository.</summary>
    /// <param name="from">Its directory, by an absolute path.</param>
    /// <param name="to">The store, opened for writing.</param>
    /// <param name="name">What the repository is to be called.</param>
    /// <param name="progress">Told the bytes that were taken.</param>
    /// <param name="cancellation">Stops it; what was taken serves the next try.</param>
    public static ImportResult Directory(string from, SnapshotStore to, string name, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        StoreImport import = new(to, progress, cancellation);
        SnapshotRepo? repo = import.Repository(RepoUrl.OfDirectory(from), name);
        to.PutInPlace();
        if (!import._failures.IsEmpty || repo is null)
            return import.Result([]);
        Snapshot snapshot = new([repo]);
        return import.Result([(snapshot.Id, to.Add(snapshot))]);
    }

    private Snapshot? Snapshot(SnapshotStore from, string id)
    {
        try
        {
            Snapshot snapshot = from.Load(id);
            int before = _failures.Count;
            // Its metadata first: which packages there are is read from what was found to be good.
            Take(snapshot.Objects.Distinct().Select(digest => new Item($"snapshot {id}", from.PathOf(digest), new RpmChecksum(RpmDigestAlgorithm.Sha256, digest), null)));
            if (_failures.Count == before)
                foreach (SnapshotRepo repo in snapshot.Repos)
                    Take(Packages(repo, package => from.Bring(from.Locate(package.Checksum, null) ?? package.Checksum.Digits), $"snapshot {id}: {repo.Name}"));
            return snapshot;
        }
        catch (InvalidDataException e)
        {
            _failures.Add($"snapshot {id}: {e.Message}");
            return null;
        }
    }

    private SnapshotRepo? Repository(RepoUrl url, string name)
    {
        byte[] bytes = Posix.WholeFile.Read(url.Below(RepoFiles.RepomdPath).Path);
        try
        {
            Repomd repomd = Repomd.Read(new MemoryStream(bytes));
            Take(repomd.Data.Select(data => new Item($"metadata '{data.Type}'", url.Locate(data.Location).Path, data.Checksum, data.Size)));
            if (!_failures.IsEmpty)
                return null;
            List<SnapshotFile> files = [.. repomd.Data.Select(data => new SnapshotFile(data.Type, data.Location.Path, _to.Find(data.Checksum)!, _to.SizeOf(_to.Find(data.Checksum)!)!.Value))];
            SnapshotRepo repo = new(name, repomd.Revision, Keep(bytes), files, 0, 0) { RepomdSignature = KeepFile(url, $"{RepoFiles.RepomdPath}.asc"), Keys = Keys(url) };
            List<Item> packages = [.. Packages(repo, package => url.Locate(package.Location).Path, name)];
            Take(packages);
            return _failures.IsEmpty ? repo with { Packages = packages.Count, PackageBytes = packages.Sum(item => _to.SizeOf(_to.Find(item.Checksum)!)!.Value) } : null;
        }
        catch (Exception e) when (e is InvalidDataException or FormatException)
        {
            _failures.Add(e.Message.StartsWith(name, StringComparison.Ordinal) ? e.Message : $"{name}: {e.Message}");
            return null;
        }
    }

    // As export leaves them.
    private List<string> Keys(RepoUrl url)
    {
        List<string> keys = [];
        while (KeepFile(url, RepoFiles.KeyPath(keys.Count)) is { } key)
            keys.Add(key);
        return keys;
    }

    private string? KeepFile(RepoUrl url, string path) => Posix.Files.Exists(url.Below(path).Path) ? Keep(Posix.WholeFile.Read(url.Below(path).Path)) : null;

    private string Keep(byte[] bytes)
    {
        using ObjectWriter writer = _to.NewObject();
        writer.Write(bytes);
        return writer.Finish(null)!;
    }

    private IEnumerable<Item> Packages(SnapshotRepo repo, Func<PrimaryPackage, string> place, string shown)
    {
        HashSet<string> missing = [.. repo.Missing.Select(hole => hole.Checksum)];
        foreach (PrimaryPackage package in SnapshotPackages.Read(_to, repo))
            if (missing.Count == 0 || !missing.Contains(package.Checksum.ToString()))
                yield return new Item($"{shown}: {package.Nevra}", place(package), package.Checksum, package.PackageSize);
    }

    private void Take(IEnumerable<Item> items) => Concurrently.ForEach(items.DistinctBy(item => item.Checksum), item =>
    {
        if (_to.Adopt(item.Path, item.Checksum, item.Size, out string? wrong) is { } size)
            _progress?.Invoke(Interlocked.Add(ref _bytes, size));
        else
            _failures.Add($"{item.Name}: {item.Path}: {wrong}");
    }, _cancellation);

    private ImportResult Result(List<(string, bool)> snapshots) => new(snapshots, [.. _failures.Order(StringComparer.Ordinal)], _bytes);
}
