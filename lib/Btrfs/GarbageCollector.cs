using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>What became of a thing that the collector looked at.</summary>
public enum CollectionOutcome
{
    /// <summary>It is gone; or would be, in a dry run.</summary>
    Removed,

    /// <summary>Something keeps it.</summary>
    Kept,

    /// <summary>It is not what we make, or resists: left as it is, for a person to look at.</summary>
    Unexpected,
}

/// <summary>One thing on the volume and what the collector did with it.</summary>
/// <param name="Path">Relative to the volume: <c>layers/ID</c>, <c>tmp/ID</c> or <c>roots/NAME</c>.</param>
/// <param name="Outcome">What was done.</param>
/// <param name="Reason">Why, for people.</param>
/// <param name="Root">The handle that keeps it, or that a removed root named.</param>
public sealed record Collected(string Path, CollectionOutcome Outcome, string Reason, string? Root = null);

/// <summary>
/// Removes layers that no root names, no process holds and nobody used of late; work in <c>tmp/</c> whose maker died; roots whose handle is gone.
/// It may be killed at any point: a layer leaves <c>layers/</c> by one rename into <c>tmp/</c>, from where the next run takes it.
/// </summary>
public sealed class GarbageCollector : IDisposable
{
    /// <summary>How long an unused layer is kept: a handle may be on its way from one process to the next.</summary>
    public static readonly TimeSpan DefaultGrace = TimeSpan.FromMinutes(10);

    private const string DeadSuffix = ".dead";

    /// <summary>So many layers are locked, judged by one look at the roots, and let go.</summary>
    private const int Batch = 200;

    private readonly LayerStore _store;
    private readonly Roots _roots;
    private readonly SafeFileHandle _lock;
    private readonly TimeSpan _grace;
    private readonly bool _isDryRun;
    private readonly HashSet<string> _buried = new(StringComparer.Ordinal);

    private GarbageCollector(LayerStore store, SafeFileHandle held, TimeSpan grace, bool isDryRun) =>
        (_store, _lock, _grace, _isDryRun, _roots) = (store, held, grace, isDryRun, new Roots(store.RootsPath));

    /// <summary>Becomes the collector of a volume; null when another one is at work. Builders are never kept waiting.</summary>
    public static GarbageCollector? TryBegin(LayerStore store, TimeSpan grace, bool isDryRun = false)
    {
        SafeFileHandle held = Files.Open(store.LockPath, OpenFlags.ReadOnly);
        if (Files.Lock(held, exclusive: true, wait: false, store.LockPath))
            return new GarbageCollector(store, held, grace, isDryRun);
        held.Dispose();
        return null;
    }

    /// <summary>Does the work while the result is read, and says of each thing what became of it.</summary>
    public IEnumerable<Collected> Run() => CollectLayers().Concat(CollectTemporaries()).Concat(CollectRoots());

    public void Dispose()
    {
        if (_lock.IsClosed)
            return;
        Files.Unlock(_lock);
        _lock.Dispose();
    }

    private IEnumerable<Collected> CollectLayers()
    {
        foreach (string[] names in LayerStore.Names(_store.LayersPath).Chunk(Batch))
        {
            // Nothing is yielded while locks are held: who reads the result may take its time.
            List<Collected> batch = [];
            List<(StoredLayer Layer, FolderHold? Hold)> locked = [];
            try
            {
                foreach (string name in names)
                {
                    if (!StoredLayer.IsId(name) || !Files.Status(Path.Combine(_store.LayersPath, name)).IsDirectory)
                        batch.Add(Unexpected(LayerStore.LayersName, name, "not a layer's folder"));
                    else
                        Lock(name, locked, batch);
                }
                // Read after the layers are locked: whoever makes a root holds its layer meanwhile.
                List<Root> roots = _roots.Read();
                batch.AddRange(locked.Select(at => Judge(at.Layer, at.Hold, roots)));
            }
            finally
            {
                locked.ForEach(at => at.Hold?.Dispose());
            }
            foreach (Collected item in batch)
                yield return item;
        }
    }

    private void Lock(string name, List<(StoredLayer, FolderHold?)> locked, List<Collected> batch)
    {
        StoredLayer layer = new(_store, name);
        FolderHold? hold = FolderHold.TryOwn(layer.Directory, out bool isBusy);
        if (hold is not null || isBusy)
            locked.Add((layer, hold));
    }

    private Collected Judge(StoredLayer layer, FolderHold? hold, List<Root> roots)
    {
        string path = $"{LayerStore.LayersName}/{layer.Id}";
        Guid? uuid = Subvolume.IsSubvolume(layer.SubvolumePath) ? Subvolume.Info(layer.SubvolumePath).Uuid : null;
        if (roots.Find(root => root.State == RootState.Handle && root.Uuid == uuid) is { } keeper)
            return new Collected(path, CollectionOutcome.Kept, "a root names it", keeper.Target);
        if (hold is null)
            return new Collected(path, CollectionOutcome.Kept, "a process holds it");
        long age = Age(Files.Status(hold.Directory).ModificationSeconds);
        if (IsYoung(age))
            return new Collected(path, CollectionOutcome.Kept, string.Create(CultureInfo.InvariantCulture, $"used {age} seconds ago"));
        if (roots.Find(root => root.State == RootState.Unknown) is { } unread)
            return new Collected(path, CollectionOutcome.Kept, "a root that cannot be read may name it", unread.Target);
        if (Strangers(layer, hold) is { } strangers)
            return Unexpected(LayerStore.LayersName, layer.Id, strangers);
        if (!_isDryRun)
            Bury(layer);
        return new Collected(path, CollectionOutcome.Removed, uuid is null ? "its subvolume is gone" : "no root names it");
    }

    // A folder that is not as we make them was touched by a person, whose work is not ours to delete.
    private static string? Strangers(StoredLayer layer, FolderHold hold)
    {
        List<string> folders = [.. Directories.List(hold.Directory)
            .Where(entry => Files.Status(hold.Directory, entry.Name).IsDirectory)
            .Select(entry => PathText.FromBytes(entry.Name))
            .Order(StringComparer.Ordinal)];
        return folders switch
        {
            [] => null,
            [LayerStore.SubvolumeName] when Subvolume.IsSubvolume(layer.SubvolumePath) => null,
            [LayerStore.SubvolumeName] => $"'{LayerStore.SubvolumeName}' in it is no subvolume",
            _ => $"more in it than one subvolume: {string.Join(", ", folders)}",
        };
    }

    private void Bury(StoredLayer layer)
    {
        string name = layer.Id + DeadSuffix;
        Files.Rename(layer.Directory, Path.Combine(_store.TemporaryPath, name), replace: false);
        _buried.Add(name);
    }

    private IEnumerable<Collected> CollectTemporaries()
    {
        foreach (string name in LayerStore.Names(_store.TemporaryPath))
        {
            // Only we make these, and we are alone.
            bool isDead = name.EndsWith(DeadSuffix, StringComparison.Ordinal);
            using FolderHold? hold = isDead ? null : TryOwnTemporary(name, out isDead);
            if (hold is null && !isDead)
                yield return new Collected($"{LayerStore.TemporaryName}/{name}", CollectionOutcome.Kept, "a process works in it");
            else if (RemoveTemporary(name, hold is null ? "left by an interrupted removal" : "its maker is gone") is { } item)
                yield return item;
        }
    }

    private FolderHold? TryOwnTemporary(string name, out bool isDead)
    {
        string path = Path.Combine(_store.TemporaryPath, name);
        isDead = false;
        // Who makes one holds the folder above until the new one is held.
        using FolderHold? above = FolderHold.TryOwnSoon(_store.TemporaryPath);
        try
        {
            FolderHold? hold = FolderHold.TryOwn(path, out bool isBusy);
            isDead = hold is null && !isBusy;
            return hold;
        }
        catch (PosixException e) when (e.Errno is Errno.ENOTDIR or Errno.ELOOP)
        {
            isDead = true;
            return null;
        }
    }

    private Collected? RemoveTemporary(string name, string reason)
    {
        try
        {
            string path = Path.Combine(_store.TemporaryPath, name);
            if (!Files.Exists(path))
                return null;
            if (!_isDryRun)
                StoreFolder.Remove(path);
            return _buried.Contains(name) ? null : new Collected($"{LayerStore.TemporaryName}/{name}", CollectionOutcome.Removed, reason);
        }
        catch (PosixException e)
        {
            return Unexpected(LayerStore.TemporaryName, name, $"cannot be removed: {e.Message}");
        }
    }

    private IEnumerable<Collected> CollectRoots()
    {
        foreach (Root root in _roots.Read())
        {
            string path = $"{LayerStore.RootsName}/{root.Name}";
            yield return root.State switch
            {
                RootState.Handle => new Collected(path, CollectionOutcome.Kept, "its handle is there", root.Target),
                RootState.NoHandle => new Collected(path, CollectionOutcome.Kept, $"what is there is no handle: {root.Reason}", root.Target),
                RootState.Unknown => new Collected(path, CollectionOutcome.Unexpected, $"cannot be read, so no layer is removed: {root.Reason}", root.Target),
                RootState.Gone when IsYoung(Age(root.ModificationSeconds)) => new Collected(path, CollectionOutcome.Kept, "its handle is about to be written, or just went", root.Target),
                _ when _isDryRun || _roots.TryRemoveStale(root) => new Collected(path, CollectionOutcome.Removed, "its handle is gone", root.Target),
                _ => new Collected(path, CollectionOutcome.Kept, "roots are being added", root.Target),
            };
        }
    }

    private static long Age(long seconds) => DateTimeOffset.UtcNow.ToUnixTimeSeconds() - seconds;

    // A time far ahead comes from a clock that was wrong, and must not keep a layer for years.
    private bool IsYoung(long ageSeconds) => Math.Abs((double)ageSeconds) < _grace.TotalSeconds;

    private static Collected Unexpected(string folder, string name, string reason) => new($"{folder}/{name}", CollectionOutcome.Unexpected, reason);
}
