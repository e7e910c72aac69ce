using System.Globalization;
using System.Text;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>What went between a store and a storage.</summary>
/// <param name="Moved">Objects that the other side lacked.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Present">Objects that it had.</param>
public sealed record StorageTransfer(long Moved, long Bytes, long Present)
{
    /// <summary>Packages that stay in the storage until they are wanted; null when that was not asked for.</summary>
    public long? OnDemand { get; init; }

    /// <summary>How many programs of a storage run at the same time.</summary>
    private const int Workers = 8;

    /// <summary>Brings a snapshot into a storage: the objects that it lacks, and when all are there the snapshot.</summary>
    /// <exception cref="IOException">The storage could not; or the snapshot is not whole here.</exception>
    public static StorageTransfer Push(SnapshotStore store, Snapshot snapshot, ObjectStorage storage, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        HashSet<string> there = [.. storage.List("objects/")];
        List<string> needed = Needed(store, snapshot, store.Locate);
        List<string> lacking = [.. needed.Where(digest => !there.Contains(NameOf(digest)))];
        long bytes = 0;
        Concurrently.ForEach(lacking, Workers, digest =>
        {
            storage.Put(NameOf(digest), store.Bring(digest));
            progress?.Invoke(Interlocked.Add(ref bytes, store.SizeOf(digest) ?? 0));
        }, cancellation);
        if (!storage.Has(NameOfSnapshot(snapshot.Id)))
        {
            PutSmall(storage, NameOfAliases(snapshot.Id), AliasesOf(store, snapshot));
            PutSmall(storage, NameOfSnapshot(snapshot.Id), snapshot.ToBytes());
        }
        return new StorageTransfer(lacking.Count, bytes, needed.Count - lacking.Count);
    }

    /// <summary>Brings a snapshot from a storage into a store: what is lacking is fetched and compared with its digest.</summary>
    /// <param name="store">Opened for writing.</param>
    /// <param name="id">The snapshot's whole id.</param>
    /// <param name="storage">Where it is.</param>
    /// <param name="onDemand">Leave the packages there, and bring each when it is first wanted: how the store is to call the storage, as <see cref="ObjectStorage.Parse"/> takes it.</param>
    /// <exception cref="IOException">The storage could not, or it lacks something.</exception>
    /// <exception cref="InvalidDataException">What it has under a name is not what the name says.</exception>
    public static (Snapshot Snapshot, bool IsNew, StorageTransfer Transfer) Fetch(SnapshotStore store, string id, ObjectStorage storage, string? onDemand = null, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        using MemoryStream file = new();
        if (!storage.Get(NameOfSnapshot(id), bytes => file.Write(bytes)))
            throw new IOException($"{storage.Shown}: it has no snapshot {id}");
        Snapshot snapshot = Snapshot.Parse(file.ToArray());
        if (snapshot.Id != id)
            throw new InvalidDataException($"{storage.Shown}: {NameOfSnapshot(id)}: its bytes are not those that its name stands for");
        long moved = 0, total = 0;
        // First what the snapshot names itself, among it the metadata that names the packages.
        Bring([.. snapshot.Objects.Distinct()], null);
        Dictionary<RpmChecksum, string> aliases = Aliases(storage, id);
        if (onDemand is not null)
        {
            (HashSet<string> here, long elsewhere) = Leave(store, snapshot, storage, aliases);
            store.OnDemand.Record(id, onDemand, aliases);
            store.PutInPlace();
            return (snapshot, store.Add(snapshot), new StorageTransfer(moved, total, here.Count - moved) { OnDemand = elsewhere });
        }
        foreach (Group<RpmDigestAlgorithm, PrimaryPackage> packages in snapshot.Repos.SelectMany(repo => SnapshotPackages.Read(store, repo)).GroupBy(package => package.Checksum.Algorithm).ToList())
        {
            RpmDigestAlgorithm algorithm = packages.Key;
            List<string> digests = [.. packages.Select(package => algorithm == RpmDigestAlgorithm.Sha256 ? package.Checksum.Digits : store.Find(package.Checksum) ?? aliases.GetValueOrDefault(package.Checksum)).OfType<string>().Distinct()];
            HashSet<string> holes = [.. snapshot.Repos.SelectMany(repo => repo.Missing).Select(hole => hole.Checksum)];
            digests.RemoveAll(digest => holes.Contains(new RpmChecksum(algorithm, digest).ToString()));
            Bring(digests, algorithm);
            store.PutInPlace();
            if (algorithm != RpmDigestAlgorithm.Sha256)
                store.Aliases.Derive(store, [.. digests.Where(digest => !store.Aliases.Knows(algorithm, digest))], [algorithm]);
        }
        long needed = Needed(store, snapshot, store.Find).Count; // and whether all are there
        store.PutInPlace();
        bool isNew = store.Add(snapshot);
        store.OnDemand.Forget(id);
        return (snapshot, isNew, new StorageTransfer(moved, total, needed - moved));

        void Bring(List<string> digests, RpmDigestAlgorithm? also) => Concurrently.ForEach(digests.Where(digest => store.SizeOf(digest) is null).ToList(), Workers, digest =>
        {
            using ObjectWriter writer = store.NewObject(also);
            if (!storage.Get(NameOf(digest), bytes =>
            {
                cancellation.ThrowIfCancellationRequested();
                writer.Write(bytes);
            }))
                throw new IOException($"{storage.Shown}: it has no object {digest}");
            if (writer.Finish(new RpmChecksum(RpmDigestAlgorithm.Sha256, digest)) is null)
                throw new InvalidDataException($"{storage.Shown}: {NameOf(digest)}: its sha256 is {writer.Found?.Digits}");
            Interlocked.Increment(ref moved);
            progress?.Invoke(Interlocked.Add(ref total, writer.Size));
        }, cancellation);
    }

    /// <summary>What of a snapshot is here, and how many of its packages are only in the storage; which objects those are must be known.</summary>
    private static (HashSet<string> Here, long Elsewhere) Leave(SnapshotStore store, Snapshot snapshot, ObjectStorage storage, Dictionary<RpmChecksum, string> aliases)
    {
        HashSet<string> here = [.. snapshot.Objects], elsewhere = [];
        foreach (SnapshotRepo repo in snapshot.Repos)
        {
            HashSet<string> holes = [.. repo.Missing.Select(hole => hole.Checksum)];
            foreach (PrimaryPackage package in SnapshotPackages.Read(store, repo).Where(package => !holes.Contains(package.Checksum.ToString())))
                if (store.Find(package.Checksum, package.PackageSize) is { } found)
                    here.Add(found);
                else
                    elsewhere.Add(package.Checksum.Algorithm == RpmDigestAlgorithm.Sha256 ? package.Checksum.Digits : aliases.GetValueOrDefault(package.Checksum)
                        ?? throw new InvalidDataException($"{storage.Shown}: {NameOfAliases(snapshot.Id)}: it does not say which object is {package.Checksum} ({package.Nevra})"));
        }
        return (here, elsewhere.Count);
    }

    /// <summary>By a file without a name: nothing is written to the store, which others may write to, and nothing stays.</summary>
    private static void PutSmall(ObjectStorage storage, string name, byte[] bytes)
    {
        using SafeFileHandle temporary = Files.OpenTemporary(Path.GetTempPath());
        Files.Write(temporary, bytes);
        storage.Put(name, string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{temporary.DangerousGetHandle()}"));
    }

    /// <summary>Which objects the packages with checksums of other types are: a store that lacks them cannot know. Lines as in the store's file "aliases".</summary>
    private static byte[] AliasesOf(SnapshotStore store, Snapshot snapshot)
    {
        SortedSet<string> lines = new(StringComparer.Ordinal);
        foreach (PrimaryPackage package in snapshot.Repos.SelectMany(repo => SnapshotPackages.Read(store, repo)))
            if (package.Checksum.Algorithm != RpmDigestAlgorithm.Sha256 && store.Locate(package.Checksum, null) is { } digest)
                lines.Add($"{package.Checksum} {digest}\n");
        return Encoding.ASCII.GetBytes(string.Concat(lines));
    }

    /// <summary>The same, as a storage has it: a hint, since what is fetched is compared with both digests.</summary>
    private static Dictionary<RpmChecksum, string> Aliases(ObjectStorage storage, string id)
    {
        using MemoryStream file = new();
        Dictionary<RpmChecksum, string> aliases = [];
        if (!storage.Get(NameOfAliases(id), bytes => file.Write(bytes)))
            return aliases;
        foreach ((RpmChecksum checksum, string digest) in AliasTable.Lines(Encoding.Latin1.GetString(file.ToArray())))
            aliases[checksum] = digest;
        return aliases;
    }

    /// <summary>All objects of a snapshot, of which none may be missing.</summary>
    private static List<string> Needed(SnapshotStore store, Snapshot snapshot, Func<RpmChecksum, long?, string?> find)
    {
        HashSet<string> needed = [.. snapshot.Objects];
        foreach (SnapshotRepo repo in snapshot.Repos)
        {
            HashSet<string> holes = [.. repo.Missing.Select(hole => hole.Checksum)];
            foreach (PrimaryPackage package in SnapshotPackages.Read(store, repo))
                if (find(package.Checksum, package.PackageSize) is { } digest)
                    needed.Add(digest);
                else if (!holes.Contains(package.Checksum.ToString()))
                    throw new InvalidDataException($"{repo.Name}: {package.Nevra}: no object is {package.Checksum}");
        }
        return [.. needed.Order(StringComparer.Ordinal)];
    }

    internal static string NameOf(string digest) => $"objects/sha256/{digest[..2]}/{digest}";

    private static string NameOfAliases(string id) => $"snapshots/{id}.aliases";

    private static string NameOfSnapshot(string id) => $"snapshots/{id}.json";
}
