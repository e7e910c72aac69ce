using System.Text;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// A directory that holds snapshots of RPM repositories, each file once:
/// <code>
/// objects/sha256/ab/HASH   every file by its digest, read-only, never changed
/// snapshots/ID.json        what was there at one time; ID is the digest of these bytes
/// refs/tags/NAME           a name of a snapshot
/// refs/pins/ID             a snapshot that is to be kept, and why
/// on-demand/ID             where the packages of a snapshot are that is not wholly here
/// aliases                  objects by their other digests; can be made anew
/// versions                 what servers call the files that we have; may be lost
/// index.sqlite             what the metadata says of packages; can be made anew
/// tmp/                     what a sync fetched and has not yet put in place
/// lock                     held by the one who writes
/// </code>
/// Whoever writes puts things in place in this order: objects, on the disk; aliases; the snapshot; the tag. Whenever it is killed, what is there
/// holds together, and what it left in <c>tmp</c> the next one uses.
/// </summary>
public sealed partial class SnapshotStore : IDisposable
{
    internal const uint ReadForAll = 0x124; // 0444
    private const uint WriteForOwner = 0x1A4; // 0644
    private static readonly TimeSpan s_partsStay = TimeSpan.FromDays(14);
    private const string PartSuffix = ".part";
    private const int DigestLength = 64;
    private const int MaxTagLength = 200;

    private static readonly string[] s_folders = ["snapshots", "refs/tags", "tmp", "objects/sha256"];

    private readonly SafeFileHandle? _lock;
    private readonly HashSet<string> _open = [];
    private long _parts;

    // When the aliases were read: a new table is another file.
    private (ulong Inode, long Seconds, uint Nanoseconds) _aliasesRead;

    private SnapshotStore(string path, SafeFileHandle? held)
    {
        (Path, _lock) = (path, held);
        ReadAliases();
        Versions = VersionTable.Read(Below("versions"));
        Index = new StoreIndex(Below("index.sqlite"), isWritable: held is not null);
        OnDemand = new ObjectsOnDemand(this);
    }

    public string Path { get; }

    /// <summary>Objects by digests other than sha256.</summary>
    public AliasTable Aliases { get; private set; } = AliasTable.Empty();

    /// <summary>What servers call the files that we have.</summary>
    internal VersionTable Versions { get; }

    /// <summary>What primary.xml files list.</summary>
    internal StoreIndex Index { get; }

    /// <summary>What is not here, and can be had.</summary>
    internal ObjectsOnDemand OnDemand { get; }

    /// <summary>Opens a store for reading, which nobody needs to wait for.</summary>
    /// <exception cref="IOException">There is none.</exception>
    public static SnapshotStore Open(string path)
    {
        Files.Status(path, followLinks: true);
        return IsStore(path) ? new SnapshotStore(path, null) : throw new IOException($"{path}: is no store of snapshots: 'rpm-repo-snapshot sync' makes one");
    }

    /// <summary>Opens a store for writing, made if need be. What a killed writer had fetched is checked and put in place.</summary>
    /// <param name="path">Its directory.</param>
    /// <param name="wait">Whether to wait for another who writes.</param>
    /// <param name="create">Whether it may be made.</param>
    /// <exception cref="IOException">Another writes, and that is not to be waited for; or the directory holds something that is no store.</exception>
    public static SnapshotStore OpenForWriting(string path, bool wait = false, bool create = false)
    {
        if (create)
        {
            // What a writer finds in tmp and cannot use it removes: that must be a store's tmp. The second look is for one who makes it just now.
            if (!IsStore(path) && Files.Exists(path) && !IsEmpty(path) && !WasStore(path) && !IsStore(path))
                throw new IOException($"{path}: is no store of snapshots, and not empty: name an empty folder, or one that is not there yet");
            // The objects' last: they make it a store, and whoever makes it may be killed.
            foreach (string folder in s_folders)
                Directories.MakeAll(System.IO.Path.Join(path, folder));
        }
        else
            Open(path).Dispose();
        string lockPath = System.IO.Path.Join(path, "lock");
        SafeFileHandle held = Files.Open(lockPath, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow, 0x1A4 /* 0644 */);
        try
        {
            if (!Files.Lock(held, exclusive: true, wait, lockPath))
                throw new IOException($"{path}: another process writes to this store: --lock-wait waits for it");
            SnapshotStore store = new(path, held);
            store.Recover();
            return store;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private static bool IsStore(string path) => Files.TryStatus(Directories.Current, PathText.ToBytes(System.IO.Path.Join(path, "objects/sha256")), followLinks: true) is { IsDirectory: true };

    /// <summary>Whether all but the objects of a store is here: a disk that was cut off before these were written may have lost them, and then its snapshots, too.</summary>
    private static bool WasStore(string path) =>
        StatusBelow(path, "snapshots") is { IsDirectory: true } && StatusBelow(path, "refs/tags") is { IsDirectory: true } && StatusBelow(path, "lock") is { IsRegular: true, Size: 0 };

    private static FileStatus? StatusBelow(string path, string name) => Files.TryStatus(Directories.Current, PathText.ToBytes(System.IO.Path.Join(path, name)));

    /// <summary>Whether nothing is in a directory but what a filesystem puts into its root, and the empty folders of a store whose making was cut short.</summary>
    private static bool IsEmpty(string path)
    {
        HashSet<string> own = [.. s_folders.Select(folder => folder.Split('/')[0])];
        return Names(path).All(name => name == "lost+found" || (own.Contains(name) && HasNoFile(System.IO.Path.Join(path, name))));
    }

    private static bool HasNoFile(string path) => Files.Status(path).IsDirectory && Names(path).All(name => HasNoFile(System.IO.Path.Join(path, name)));

    public void Dispose()
    {
        Index.Dispose();
        if (_lock is null or { IsClosed: true })
            return;
        Files.Unlock(_lock);
        _lock.Dispose();
    }

    /// <summary>Where an object is, or would be.</summary>
    /// <param name="digest">Its sha256, in hexadecimal digits.</param>
    public string PathOf(string digest) => Below($"objects/sha256/{digest[..2]}/{digest}");

    /// <summary>Bytes of an object; null when it is not there.</summary>
    public long? SizeOf(string digest) =>
        Files.TryStatus(Directories.Current, PathText.ToBytes(PathOf(digest))) is { IsRegular: true } status ? status.Size
        : Files.TryStatus(Directories.Current, PathText.ToBytes(StagedPath(digest))) is { IsRegular: true } staged ? staged.Size : null;

    /// <summary>The object that has a checksum; null when none is known to.</summary>
    /// <param name="checksum">Of any algorithm.</param>
    /// <param name="size">Bytes it must have, where that is known.</param>
    public string? Find(RpmChecksum checksum, long? size = null)
    {
        string? digest = checksum.Algorithm == RpmDigestAlgorithm.Sha256 ? checksum.Digits : FindAlias(checksum);
        return digest is not null && SizeOf(digest) is { } found && (size is null || found == size) ? digest : null;
    }

    private string? FindAlias(RpmChecksum checksum)
    {
        if (Aliases.Find(checksum) is { } known)
            return known;
        // Who writes has all. For others a snapshot may be there that has come, with its aliases, since these were read.
        if (_lock is not null || AliasesNow() == _aliasesRead)
            return null;
        ReadAliases();
        return Aliases.Find(checksum);
    }

    private void ReadAliases()
    {
        // First: what is changed meanwhile is read again.
        _aliasesRead = AliasesNow();
        Aliases = AliasTable.Read(Below("aliases"));
    }

    private (ulong Inode, long Seconds, uint Nanoseconds) AliasesNow() =>
        Files.TryStatus(Directories.Current, PathText.ToBytes(Below("aliases"))) is { } status ? (status.Inode, status.ModificationSeconds, status.ModificationNanoseconds) : default;

    /// <summary>The object that has a checksum, here or where it can be had from; null when there is none.</summary>
    /// <param name="checksum">Of any algorithm.</param>
    /// <param name="size">Bytes it must have, where that is known.</param>
    internal string? Locate(RpmChecksum checksum, long? size) => Find(checksum, size) ?? OnDemand.Find(checksum);

    /// <summary>The object that has a checksum, which is here when this returns; null when there is none.</summary>
    /// <exception cref="IOException">It could not be brought.</exception>
    /// <exception cref="InvalidDataException">What came is something else.</exception>
    internal string? Have(RpmChecksum checksum, long? size)
    {
        if (Locate(checksum, size) is not { } digest)
            return null;
        Bring(digest);
        return Locate(checksum, size);
    }

    /// <summary>Opens an object that is here; null when it is not, or is still to be proven, for which <see cref="Bring"/> is.</summary>
    internal SafeFileHandle? TryOpen(string digest) =>
        OnDemand.IsUnproven(digest) ? null
        : Files.TryOpen(PathOf(digest), OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking) ?? Files.TryOpen(StagedPath(digest), OpenFlags.ReadOnly | OpenFlags.NoFollow);

    /// <summary>Where an object is. It is brought there if it is not and can be had.</summary>
    /// <exception cref="IOException">It could not be brought.</exception>
    /// <exception cref="InvalidDataException">What came is something else.</exception>
    internal string Bring(string digest)
    {
        if ((SizeOf(digest) is null || OnDemand.IsUnproven(digest)) && !OnDemand.Bring(digest) && OnDemand.IsAny)
            throw new PosixException("open", Errno.ENOENT, PathOf(digest), OnDemand.WhyNot(digest));
        return PathOf(digest);
    }

    /// <exception cref="IOException">It is not there, or could not be brought.</exception>
    public Stream OpenObject(string digest)
    {
        string path = Bring(digest);
        return new FdStream(TryOpen(digest) ?? throw new PosixException("open", Errno.ENOENT, path), path);
    }

    /// <summary>The digests of all objects, sorted.</summary>
    public IEnumerable<string> Objects()
    {
        string folder = Below("objects/sha256");
        foreach (string prefix in Folders(folder))
            foreach (string name in Names(System.IO.Path.Join(folder, prefix)))
                if (IsDigest(name) && name.StartsWith(prefix, StringComparison.Ordinal))
                    yield return name;
    }

    /// <summary>Files below objects/ that are no objects, and objects with a wrong mode or kind.</summary>
    public IEnumerable<(string Name, string Reason)> Strangers()
    {
        string folder = Below("objects/sha256");
        foreach (string name in Names(folder).Except(Folders(folder)))
            yield return ($"objects/sha256/{name}", "is no folder of objects");
        foreach (string prefix in Folders(folder))
            foreach (string name in Names(System.IO.Path.Join(folder, prefix)))
            {
                string path = System.IO.Path.Join(folder, prefix, name);
                if (!IsDigest(name) || !name.StartsWith(prefix, StringComparison.Ordinal))
                    yield return ($"objects/sha256/{prefix}/{name}", "is no object");
                else if (Files.TryStatus(Directories.Current, PathText.ToBytes(path)) is { IsRegular: false })
                    yield return ($"objects/sha256/{prefix}/{name}", "is no regular file");
            }
    }

    /// <summary>Starts an object. It is kept in <c>tmp</c>, where readers of this process find it, until <see cref="PutInPlace"/>.</summary>
    /// <param name="also">A digest that is computed beside.</param>
    public ObjectWriter NewObject(RpmDigestAlgorithm? also = null)
    {
        string part = Below(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"tmp/{Interlocked.Increment(ref _parts)}{PartSuffix}"));
        SafeFileHandle file = Files.Open(part, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow, ReadForAll);
        return new ObjectWriter(file, part, also, (digest, alias) => Stage(part, digest, alias));
    }

    /// <summary>Starts an object that is to have a checksum, or goes on with what another writer has of it, who was stopped or killed. What is not finished stays.</summary>
    public ObjectWriter NewObject(RpmChecksum expected)
    {
        string part = Below($"tmp/{RpmDigest.NameOf(expected.Algorithm)}-{expected.Digits}{PartSuffix}");
        lock (_open)
        {
            // Someone else in this process is at it, for another repository.
            if (!_open.Add(part))
                return NewObject(expected.Algorithm);
        }
        SafeFileHandle file = Files.Open(part, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Append | OpenFlags.NoFollow, WriteForOwner);
        ObjectWriter writer = new(file, part, expected.Algorithm, (digest, alias) => Stage(part, digest, alias))
        {
            IsResumable = true,
            Closed = () =>
            {
                lock (_open)
                    _open.Remove(part);
            },
        };
        writer.Resume();
        return writer;
    }

    /// <summary>Puts what was written in place, once it is on the disk; then the aliases.</summary>
    public void PutInPlace()
    {
        string tmp = Below("tmp");
        List<string> staged = [.. Names(tmp).Where(IsDigest)];
        if (staged.Count > 0)
        {
            using SafeFileHandle folder = Directories.Open(tmp);
            // Before they have their names: an object is never there without its bytes, not after a power cut either.
            Files.SyncFilesystem(folder, tmp);
            foreach (string prefix in staged.Select(name => name[..2]).Distinct())
                Directories.MakeAll(Below($"objects/sha256/{prefix}"));
            foreach (string name in staged)
                Files.Rename(StagedPath(name), PathOf(name), replace: true);
            Files.SyncFilesystem(folder, tmp);
        }
        Aliases.Save(Below("aliases"));
        Versions.Save(Below("versions"), digest => SizeOf(digest) is not null);
    }

    /// <summary>Writes a snapshot, unless it is there and undamaged. All objects must be in place.</summary>
    /// <returns>Whether it is new.</returns>
    public bool Add(Snapshot snapshot)
    {
        string path = SnapshotPath(snapshot.Id);
        byte[] bytes = snapshot.ToBytes();
        bool isNew = !Holds(path, bytes);
        if (isNew)
            WholeFile.Write(path, bytes);
        Index.AddNoted(snapshot);
        return isNew;
    }

    private static bool Holds(string path, byte[] bytes)
    {
        try
        {
            return WholeFile.Read(path, limit: bytes.Length).AsSpan().SequenceEqual(bytes);
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return false; // not there, larger, or not to be read
        }
    }

    /// <summary>The ids of all snapshots, the oldest first. One that a collection has just removed may still be among them.</summary>
    public IReadOnlyList<string> SnapshotIds()
    {
        List<(string Id, (long, uint) Time)> found = [];
        foreach (string name in Names(Below("snapshots")).Where(name => name.EndsWith(".json", StringComparison.Ordinal) && IsDigest(name[..^5])))
        {
            if (IfThere(() => TimeOf(name[..^5])) is { } time)
                found.Add((name[..^5], time));
        }
        return [.. found.OrderBy(snapshot => snapshot.Time).ThenBy(snapshot => snapshot.Id, StringComparer.Ordinal).Select(snapshot => snapshot.Id)];
    }

    /// <summary>Whether a snapshot is there, whatever may be wrong with it.</summary>
    public bool HasSnapshot(string id) => Files.Exists(SnapshotPath(id));

    /// <summary>A snapshot and when it was taken; null when it is not there, or not any more.</summary>
    /// <inheritdoc cref="Load" path="/exception"/>
    public (Snapshot Snapshot, (long Seconds, uint Nanoseconds) Time)? TryLoad(string id) => IfThere(() => (Load(id), TimeOf(id)));

    private static T? IfThere<T>(Func<T> read) where T : struct
    {
        try
        {
            return read();
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
    }

    /// <summary>When a snapshot was first taken: its file's time. It is no part of the snapshot, which depends on what is in it alone.</summary>
    public (long Seconds, uint Nanoseconds) TimeOf(string id)
    {
        FileStatus status = Files.Status(SnapshotPath(id));
        return (status.ModificationSeconds, status.ModificationNanoseconds);
    }

    /// <exception cref="InvalidDataException">It is not what its id says, or malformed.</exception>
    public Snapshot Load(string id)
    {
        string path = SnapshotPath(id);
        byte[] bytes = WholeFile.Read(path);
        try
        {
            Snapshot snapshot = Snapshot.Parse(bytes);
            return snapshot.Id == id && bytes.AsSpan().SequenceEqual(snapshot.ToBytes()) ? snapshot : throw new InvalidDataException("its bytes are not those that its name stands for");
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>A snapshot by its tag, its id, or the first digits of its id that no other has.</summary>
    /// <exception cref="IOException">There is none, or there are several.</exception>
    public string Resolve(string name)
    {
        const int MinDigits = 4;
        if (IsTag(name) && Files.Exists(TagPath(name)))
            return ReadTag(name);
        List<string> found = name.Length >= MinDigits ? [.. SnapshotIds().Where(id => id.StartsWith(name, StringComparison.Ordinal))] : [];
        return found switch
        {
            [var id] => id,
            [] => throw new IOException($"{Path}: no snapshot '{name}': neither a tag nor the first digits of an id"),
            _ => throw new IOException($"{Path}: '{name}': {found.Count} snapshots begin so: say more digits"),
        };
    }

    /// <summary>All tags and the ids they stand for, sorted by name.</summary>
    public IEnumerable<(string Name, string Id)> Tags()
    {
        foreach (string name in Names(Below("refs/tags")).Where(IsTag))
            if (IfThere<(string, string)>(() => (name, ReadTag(name))) is { } tag)
                yield return tag;
    }

    /// <summary>Gives a snapshot a name, which another may have had.</summary>
    public void Tag(string name, string id)
    {
        CheckTag(name);
        WholeFile.Write(TagPath(name), Encoding.ASCII.GetBytes(id + "\n"));
    }

    /// <exception cref="IOException">There is no such tag.</exception>
    public void Untag(string name)
    {
        CheckTag(name);
        if (!Files.Exists(TagPath(name)))
            throw new IOException($"{Path}: no tag '{name}'");
        Files.Remove(TagPath(name));
    }

    /// <exception cref="IOException">It cannot be a tag.</exception>
    public static void CheckTag(string name)
    {
        if (!IsTag(name))
            throw new IOException($"tag '{name}': letters, digits and ._+@- only, the first a letter or digit, at most {MaxTagLength}, and not an id");
    }

    internal static bool IsDigest(string text) => text.Length == DigestLength && text.All(char.IsAsciiHexDigitLower);

    private string Below(string path) => System.IO.Path.Join(Path, path);
    private string StagedPath(string digest) => Below($"tmp/{digest}");
    private string SnapshotPath(string id) => Below($"snapshots/{id}.json");
    private string TagPath(string name) => Below($"refs/tags/{name}");

    private static bool IsTag(string name) =>
        name.Length is > 0 and <= MaxTagLength && char.IsAsciiLetterOrDigit(name[0]) && !IsDigest(name) && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '+' or '@' or '-');

    private string ReadTag(string name)
    {
        string id = Encoding.Latin1.GetString(WholeFile.Read(TagPath(name), limit: 4096)).TrimEnd('\n');
        return IsDigest(id) ? id : throw new InvalidDataException($"{TagPath(name)}: holds no id of a snapshot");
    }

    private void Stage(string part, string digest, RpmChecksum? alias)
    {
        Files.Rename(part, StagedPath(digest), replace: true);
        if (alias is { } known)
            Aliases.Add(known, digest);
    }

    /// <summary>
    /// What a killed writer fetched whole has the name of its digest, but may have lost its bytes in a power cut. What it has parts of has the name of what it is
    /// to be, and stays for some time: it may be wanted again.
    /// </summary>
    private void Recover()
    {
        foreach (string name in Names(Below("tmp")))
        {
            string path = Below($"tmp/{name}");
            bool isWhole = false;
            if (IsDigest(name) && Files.Status(path).IsRegular)
                using (SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NoFollow))
                    isWhole = ObjectDigests.Of(file, path, [RpmDigestAlgorithm.Sha256])[0] == name;
            if (!isWhole && !IsPart(name, path))
                Directories.RemoveAll(path);
        }
        PutInPlace();
    }

    private static bool IsPart(string name, string path) =>
        name.EndsWith(PartSuffix, StringComparison.Ordinal) && name.Contains('-', StringComparison.Ordinal) && Files.Status(path) is { IsRegular: true } status
        && DateTimeOffset.UtcNow - DateTimeOffset.FromUnixTimeSeconds(status.ModificationSeconds) < s_partsStay;

    private static List<string> Folders(string folder) => [.. Names(folder).Where(name => Files.Status(System.IO.Path.Join(folder, name)).IsDirectory)];

    internal static List<string> Names(string folder)
    {
        using SafeFileHandle handle = Directories.Open(folder);
        return [.. Directories.List(handle).Select(entry => PathText.FromBytes(entry.Name)).Order(StringComparer.Ordinal)];
    }
}
