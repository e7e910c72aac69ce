using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// Packages of snapshots that were fetched without them: each is brought from its storage when it is first wanted, compared with its digest, and an object like any
/// other from then on. STORE/on-demand/ID says where a snapshot's packages are: a line "storage TEXT", then lines as in the storage's own file of aliases. These
/// are what the storage says, and are compared with the bytes before anybody gets to see them.
/// </summary>
/// <param name="store">Where the objects go; it need not be opened for writing.</param>
internal sealed class ObjectsOnDemand(SnapshotStore store)
{
    private const string Folder = "on-demand";
    private const string StorageKey = "storage ";
    private const uint WriteForOwner = 0x1A4; // 0644
    private const uint WriteForOthers = 0x12; // 0022

    private readonly Lock _lock = new();
    private bool _isRead;
    private readonly List<(string File, string Storage)> _storages = [];
    private readonly Dictionary<RpmChecksum, string> _said = [];

    /// <summary>What a storage says of an object, until that was compared with its bytes.</summary>
    private readonly Dictionary<string, HashSet<RpmChecksum>> _unproven = new(StringComparer.Ordinal);

    /// <summary>Whether anything is to be had.</summary>
    public bool IsAny
    {
        get
        {
            Read();
            return _storages.Count > 0;
        }
    }

    /// <summary>Whether a snapshot's packages are to be had, and so need not be here.</summary>
    public bool Covers(string id) => Files.Exists(PathOf(id));

    /// <summary>Says where a snapshot's packages are.</summary>
    /// <param name="id">Which snapshot.</param>
    /// <param name="storage">As <see cref="ObjectStorage.Parse"/> takes it.</param>
    /// <param name="aliases">Which objects its packages are whose checksums are not sha256.</param>
    public void Record(string id, string storage, IReadOnlyDictionary<RpmChecksum, string> aliases)
    {
        StringBuilder text = new($"{StorageKey}{storage}\n");
        foreach (string line in aliases.Select(pair => $"{pair.Key} {pair.Value}\n").Order(StringComparer.Ordinal))
            text.Append(line);
        Directories.MakeAll(Path.Join(store.Path, Folder));
        WholeFile.Write(PathOf(id), Encoding.UTF8.GetBytes(text.ToString()));
    }

    /// <summary>All of a snapshot is here, or it is gone.</summary>
    public void Forget(string id)
    {
        if (Covers(id))
            Files.Remove(PathOf(id));
    }

    /// <summary>Files of this room, by their paths in the store, whose snapshot is not there (yet, or any more), sorted.</summary>
    public IEnumerable<string> WithoutSnapshot()
    {
        if (!Files.Exists(Path.Join(store.Path, Folder)))
            return [];
        HashSet<string> snapshots = [.. store.SnapshotIds()];
        return SnapshotStore.Names(Path.Join(store.Path, Folder)).Where(name => !snapshots.Contains(name)).Select(name => $"{Folder}/{name}");
    }

    /// <summary>The object that a storage says has a checksum.</summary>
    public string? Find(RpmChecksum checksum)
    {
        Read();
        lock (_lock)
            return _storages.Count == 0 ? null : checksum.Algorithm == RpmDigestAlgorithm.Sha256 ? checksum.Digits : _said.GetValueOrDefault(checksum);
    }

    /// <summary>Whether an object's bytes are still to be compared with what a storage says that they are.</summary>
    public bool IsUnproven(string digest)
    {
        Read();
        lock (_lock)
            return _unproven.ContainsKey(digest);
    }

    /// <summary>Gets an object that is not here. Whoever wants the same meanwhile, in this process or another, waits and has it then.</summary>
    /// <returns>False when no storage has it.</returns>
    /// <exception cref="IOException">A storage could not; or nobody may be sent there.</exception>
    /// <exception cref="InvalidDataException">What it has under the name is not what the name says.</exception>
    public bool Bring(string digest)
    {
        Read();
        if (_storages.Count == 0)
            return false;
        do
        {
            while (store.SizeOf(digest) is null)
                if (TryBring(digest) is false)
                    return false;
        }
        while (!Prove(digest));
        return true;
    }

    /// <summary>Whether an object that is here has a checksum.</summary>
    public bool IsTrue(string digest, RpmChecksum checksum)
    {
        string path = store.PathOf(digest);
        using SafeFileHandle? file = Files.TryOpen(path, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        return file is not null && ObjectDigests.Of(file, path, [checksum.Algorithm])[0] == checksum.Digits;
    }

    /// <summary>What is wrong, in the words of a message that has no path.</summary>
    public string WhyNot(string digest) => IsAny ? $"neither the store nor {string.Join(" nor ", _storages.Select(known => known.Storage).Distinct())} has the object {digest}" : $"the store has no object {digest}";

    /// <summary>Null: another had its hands on the same, so look again.</summary>
    private bool? TryBring(string digest)
    {
        string part = Path.Join(store.Path, "tmp", $"{digest}-wanted.part");
        using SafeFileHandle file = Files.Open(part, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Append | OpenFlags.NoFollow, WriteForOwner);
        Files.Lock(file, exclusive: true, wait: true, part);
        try
        {
            // By now it may be what another one got, under its final name, or thrown away.
            if (!IsAt(part, file))
                return null;
            if (store.SizeOf(digest) is not null)
                return true;
            if (!Get(digest, file, part))
                return false;
            PutInPlace(file, part, digest);
            return true;
        }
        finally
        {
            // As long as it is locked: what has this name after that is somebody else's.
            if (IsAt(part, file))
                Files.Remove(part);
            // A program that is being started may hold the same lock for a moment.
            Files.Unlock(file);
        }
    }

    /// <summary>From the first storage that has it as it should be.</summary>
    private bool Get(string digest, SafeFileHandle file, string part)
    {
        ExceptionDispatchInfo? failure = null;
        foreach ((string recorded, string text) in _storages.DistinctBy(known => known.Storage))
        {
            try
            {
                Files.Truncate(file, 0, part); // what a killed one left, or the storage before
                ObjectStorage storage = Trusted(recorded, text);
                string name = StorageTransfer.NameOf(digest);
                using IncrementalHash hash = RpmDigest.Start(RpmDigestAlgorithm.Sha256)!;
                if (!storage.Get(name, bytes =>
                {
                    Files.Write(file, bytes, part);
                    hash.AppendData(bytes);
                }))
                    continue;
                if (Convert.ToHexStringLower(hash.GetHashAndReset()) is var found && found != digest)
                    throw new InvalidDataException($"{storage.Shown}: {name}: its sha256 is {found}");
                return true;
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                failure ??= ExceptionDispatchInfo.Capture(e);
            }
        }
        failure?.Throw();
        return false;
    }

    // No power cut may leave an object without its bytes.
    private void PutInPlace(SafeFileHandle file, string part, string digest)
    {
        Files.SetMode(file, SnapshotStore.ReadForAll, part);
        Files.Sync(file, part);
        string path = store.PathOf(digest);
        Directories.MakeAll(Path.GetDirectoryName(path)!);
        Files.Rename(part, path, replace: true);
    }

    /// <summary>Compares an object that is here with what a storage said of it. What is not so is not said any more.</summary>
    /// <returns>False when the object was damaged, and is here no more.</returns>
    private bool Prove(string digest)
    {
        RpmChecksum[] said;
        lock (_lock)
            said = _unproven.TryGetValue(digest, out HashSet<RpmChecksum>? checksums) ? [.. checksums] : [];
        if (said.Length == 0)
            return true;
        string path = store.PathOf(digest);
        using SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        string[] found = ObjectDigests.Of(file, path, [RpmDigestAlgorithm.Sha256, .. said.Select(checksum => checksum.Algorithm)]);
        if (found[0] != digest)
        {
            string done = Quarantine.Put(store, digest, file);
            return IsAt(path, file) ? throw new InvalidDataException($"{path}: its sha256 is {found[0]}; {done}") : false;
        }
        lock (_lock)
        {
            foreach ((RpmChecksum checksum, string digits) in said.Zip(found[1..]))
                if (digits != checksum.Digits)
                    _said.Remove(checksum);
            _unproven.Remove(digest);
        }
        return true;
    }

    /// <summary>A storage may be a program: who can write to a store must not have it run by whoever reads from there.</summary>
    private static ObjectStorage Trusted(string recorded, string text)
    {
        FileStatus status = Files.Status(recorded);
        if ((status.Uid != 0 && status.Uid != ProcessOwner.EffectiveUid) || (status.Mode & WriteForOthers) != 0)
            throw new IOException($"{recorded}: another user can write it, so the storage that it names is not asked");
        try
        {
            return ObjectStorage.Parse(text);
        }
        catch (FormatException e)
        {
            throw new InvalidDataException($"{recorded}: {e.Message}", e);
        }
    }

    private void Read()
    {
        lock (_lock)
        {
            if (_isRead)
                return;
            _isRead = true;
            string folder = Path.Join(store.Path, Folder);
            foreach (string name in Files.Exists(folder) ? SnapshotStore.Names(folder).Where(SnapshotStore.IsDigest) : [])
            {
                string text = Encoding.UTF8.GetString(WholeFile.Read(PathOf(name)));
                int end = text.IndexOf('\n', StringComparison.Ordinal);
                if (end < 0 || !text.StartsWith(StorageKey, StringComparison.Ordinal))
                    throw new InvalidDataException($"{PathOf(name)}: does not say which storage it is");
                _storages.Add((PathOf(name), text[StorageKey.Length..end]));
                foreach ((RpmChecksum checksum, string digest) in AliasTable.Lines(text[(end + 1)..]))
                {
                    _said[checksum] = digest;
                    if (store.Aliases.Find(checksum) == digest)
                        continue; // that was computed from its bytes
                    if (!_unproven.TryGetValue(digest, out HashSet<RpmChecksum>? checksums))
                        _unproven[digest] = checksums = [];
                    checksums.Add(checksum);
                }
            }
        }
    }

    private string PathOf(string id) => Path.Join(store.Path, Folder, id);

    private static bool IsAt(string path, SafeFileHandle file) =>
        Files.Status(file) is var mine && Files.TryStatus(Directories.Current, PathText.ToBytes(path)) is { } there
        && (there.Inode, there.DevMajor, there.DevMinor) == (mine.Inode, mine.DevMajor, mine.DevMinor);
}
