using System.Globalization;
using Layerbox.Posix;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>Which snapshots are kept. What any of the rules keeps is kept, and all that is pinned.</summary>
/// <param name="Now">The time that ages are counted from.</param>
public sealed record CollectionPolicy(DateTimeOffset Now)
{
    /// <summary>Patterns of tags; a snapshot that has a tag of any is kept. A removed one loses its tags.</summary>
    public IReadOnlyList<string> Tags { get; init; } = ["*"];

    /// <summary>How many of the newest are kept of each set of repositories, and of each view of them.</summary>
    public int Last { get; init; } = 1;

    /// <summary>Snapshots no older than this are kept.</summary>
    public TimeSpan? Within { get; init; }

    /// <summary>How long an object that no snapshot needs, or a piece of a download, is kept: what a failed sync fetched, the next one uses.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromDays(1);
}

/// <summary>A snapshot, and whether it is kept.</summary>
/// <param name="Reason">Why.</param>
public sealed record CollectedSnapshot(string Id, bool IsKept, string Reason, IReadOnlyList<string> Tags);

/// <summary>A file below the store that nothing needs.</summary>
/// <param name="Name">Its path in the store.</param>
/// <param name="Bytes">What it takes.</param>
public sealed record CollectedFile(string Name, long Bytes);

/// <summary>
/// What a store can do without. Looked for first, with nothing changed; then removed in an order in which the store is whole whenever that is broken off: tags,
/// snapshots, and when those are gone from the disk, objects.
/// </summary>
public sealed class StoreCollection : IDisposable
{
    private readonly SnapshotStore _store;
    private readonly CollectionPolicy _policy;

    /// <summary>Files of snapshots that are to go, locked, so that nobody begins to serve one meanwhile.</summary>
    private readonly List<SnapshotHold> _held = [];

    /// <summary>The primary.xml files of what is kept.</summary>
    private readonly HashSet<string> _lists = [];

    private StoreCollection(SnapshotStore store, CollectionPolicy policy) => (_store, _policy) = (store, policy);

    /// <summary>All snapshots, the oldest first.</summary>
    public IReadOnlyList<CollectedSnapshot> Snapshots { get; private set; } = [];

    /// <summary>Objects that no kept snapshot needs, sorted.</summary>
    public IReadOnlyList<CollectedFile> Objects { get; private set; } = [];

    /// <summary>What is left in tmp, sorted.</summary>
    public IReadOnlyList<CollectedFile> Parts { get; private set; } = [];

    /// <summary>Objects that stay.</summary>
    public long KeptObjects { get; private set; }

    /// <summary>Objects among those that nothing needs yet or any more, and that are too young to go.</summary>
    public long YoungObjects { get; private set; }

    /// <summary>Looks for what can go.</summary>
    /// <exception cref="InvalidDataException">It is not known what a snapshot needs that is to be kept.</exception>
    public static StoreCollection Of(SnapshotStore store, CollectionPolicy policy)
    {
        StoreCollection collection = new(store, policy);
        try
        {
            collection.Snapshots = collection.Judge();
            collection.FindObjects();
            collection.FindParts();
            return collection;
        }
        catch
        {
            collection.Dispose();
            throw;
        }
    }

    public void Dispose() => _held.ForEach(held => held.Dispose());

    /// <summary>Removes what was found.</summary>
    /// <param name="progress">Told how many files are gone.</param>
    /// <param name="cancellation">Stops it: the store is whole, and the next one goes on.</param>
    public void Remove(Action<long>? progress = null, CancellationToken cancellation = default)
    {
        long done = 0;
        foreach (CollectedSnapshot snapshot in Snapshots.Where(snapshot => !snapshot.IsKept))
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (string tag in snapshot.Tags)
                _store.Untag(tag);
            _store.ForgetCaches(snapshot.Id);
            _store.Remove(snapshot.Id);
            progress?.Invoke(++done);
        }
        // A snapshot must not come back after a power cut, when its objects are gone.
        _store.SyncNames();
        foreach (CollectedFile file in Objects.Concat(Parts))
        {
            cancellation.ThrowIfCancellationRequested();
            Directories.RemoveAll(Path.Join(_store.Path, file.Name));
            progress?.Invoke(++done);
        }
        _store.ForgetLostAliases();
        _store.Index.Keep(_lists);
    }

    private List<CollectedSnapshot> Judge()
    {
        Groups<string, string> tags = _store.Tags().ToGroups(tag => tag.Id, tag => tag.Name);
        HashSet<string> pinned = [.. _store.Pins().Select(pin => pin.Id)];
        Dictionary<string, int> newer = [];
        List<CollectedSnapshot> judged = [];
        foreach (string id in _store.SnapshotIds().Reverse())
        {
            List<string> names = [.. tags[id]];
            string? reason = Keeps(id, names, pinned.Contains(id), newer) ?? (Hold(id) ? null : "it is served");
            judged.Add(new CollectedSnapshot(id, reason is not null, reason ?? "no rule keeps it", names));
        }
        judged.Reverse();
        return judged;
    }

    /// <summary>Whether nobody serves a snapshot: who does has its file locked.</summary>
    private bool Hold(string id)
    {
        if (_store.TryHold(id) is not { } held)
            return false;
        _held.Add(held);
        return true;
    }

    private string? Keeps(string id, List<string> tags, bool isPinned, Dictionary<string, int> newer)
    {
        string? series = Series(id);
        int place = series is null ? int.MaxValue : newer[series] = newer.GetValueOrDefault(series) + 1;
        if (isPinned)
            return "it is pinned";
        if (tags.FirstOrDefault(tag => _policy.Tags.Any(pattern => NamePattern.Matches(pattern, tag))) is { } kept)
            return $"it has the tag '{kept}'";
        if (place <= _policy.Last)
            return place == 1 ? "it is the newest of its repositories" : string.Create(CultureInfo.InvariantCulture, $"only {place - 1} of its repositories are newer");
        return _policy.Within is { } age && DateTimeOffset.FromUnixTimeSeconds(_store.TimeOf(id).Seconds) >= _policy.Now - age ? "it is young" : null;
    }

    /// <summary>Snapshots of the same repositories follow one another, and their views by the same policy; null of one that is damaged, which is followed by none.</summary>
    private string? Series(string id)
    {
        try
        {
            Snapshot snapshot = _store.Load(id);
            return $"{string.Join('/', snapshot.Repos.Select(repo => $"{repo.Universe}:{repo.Name}"))} {snapshot.Policy}";
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    private void FindObjects()
    {
        HashSet<string> needed = [];
        foreach (CollectedSnapshot snapshot in Snapshots.Where(snapshot => snapshot.IsKept))
            Mark(_store.Load(snapshot.Id), needed);
        List<CollectedFile> objects = [];
        foreach (string digest in _store.Objects())
        {
            if (needed.Contains(digest))
            {
                KeptObjects++;
                continue;
            }
            FileStatus status = Files.Status(_store.PathOf(digest));
            if (IsYoung(status))
                YoungObjects++;
            else
                objects.Add(new CollectedFile($"objects/sha256/{digest[..2]}/{digest}", status.Size));
        }
        KeptObjects += YoungObjects;
        Objects = objects;
    }

    private void Mark(Snapshot snapshot, HashSet<string> needed)
    {
        needed.UnionWith(snapshot.Objects);
        foreach (SnapshotRepo repo in snapshot.Repos)
        {
            SnapshotFile? primary = repo.Files.FirstOrDefault(file => file.Type == "primary");
            if (primary is null || !_lists.Add(primary.Object))
                continue;
            try
            {
                foreach (PrimaryPackage package in SnapshotPackages.Parse(_store, repo))
                    if (package.Checksum.Algorithm == RpmDigestAlgorithm.Sha256)
                        needed.Add(package.Checksum.Digits);
                    else if ((_store.Aliases.Find(package.Checksum) ?? _store.OnDemand.Find(package.Checksum)) is { } digest)
                        needed.Add(digest);
                    else if (!repo.Missing.Any(hole => hole.Checksum == package.Checksum.ToString()))
                        throw new InvalidDataException($"{package.Nevra}: which object is {package.Checksum} is not known: 'rebuild' finds out");
            }
            catch (Exception e) when (e is InvalidDataException or PosixException)
            {
                throw new InvalidDataException($"{_store.Path}: snapshot {snapshot.Id}: what it needs is not known, so nothing is removed: {e.Message}", e);
            }
        }
    }

    private void FindParts() => Parts = [.. _store.Parts().Where(part => !IsYoung(part.Status)).Select(part => new CollectedFile(part.Name, part.Status.IsRegular ? part.Status.Size : 0))];

    private bool IsYoung(FileStatus status) => DateTimeOffset.FromUnixTimeSeconds(status.ModificationSeconds) > _policy.Now - _policy.Grace;
}
