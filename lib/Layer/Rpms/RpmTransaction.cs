using System.Security.Cryptography;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rpm;
using Layerbox.RpmSnapshot;

namespace Layerbox.Layer.Rpms;

/// <summary>What packages are to come and go, from where, and by which dnf: one transaction, for a layer or only to know what it would be.</summary>
internal sealed class RpmTransaction
{
    private readonly DnfProgram _dnf;
    private readonly string _identity;
    private readonly Dictionary<string, LockedRpm> _locked = new(StringComparer.Ordinal);

    /// <param name="source">Where packages come from.</param>
    /// <param name="appliance">The layer that has dnf; null: this machine's.</param>
    public RpmTransaction(RpmSource source, BuiltLayer? appliance)
    {
        Source = source;
        _dnf = appliance is null ? DnfProgram.Find("/", "this machine") : DnfProgram.Find(appliance.Path, $"appliance {appliance.Handle.Layer}");
        _identity = appliance?.Handle.Digest ?? _dnf.Identity();
    }

    public RpmSource Source { get; }

    /// <summary>All that a layer's packages are a function of, but the items and the parent.</summary>
    public string Text => $"{Source.Text} dnf={_identity}";

    /// <summary>What to install, by words that dnf knows.</summary>
    public IReadOnlyList<string> Install { get; init; } = [];

    public IReadOnlyList<BlobInput> Files { get; init; } = [];
    public IReadOnlyList<(string Name, bool MustExist)> Remove { get; init; } = [];

    /// <summary>Lock files, with their names.</summary>
    public IReadOnlyList<(string Name, RpmLock Lock)> Locks { get; init; } = [];

    public required Timestamp Epoch { get; init; }
    public Action<string, long, long?>? Progress { get; init; }

    /// <summary>What is installed already, as far as anybody knows.</summary>
    public IReadOnlyList<RpmRecord> Known { get; init; } = [];

    /// <summary>What stands for the digest of a package that comes: "sha256:…".</summary>
    /// <exception cref="DnfException">The store does not have it.</exception>
    public string DigestOf(RpmStep step)
    {
        if (step.File is { } name)
            return Files.First(file => file.Name == name).Digest;
        return step.Checksum is { } digits && TypeOf(digits) is { } type && Source.Store!.Find(RpmChecksum.Parse(type, digits)) is { } digest
            ? $"sha256:{digest}"
            : throw new DnfException($"{step.Nevra}: the store does not have this package ({step.Repo}: {step.Location})");
    }

    /// <summary>Runs it.</summary>
    /// <param name="image">The image; or an empty folder.</param>
    /// <param name="work">An empty folder for passing things.</param>
    /// <param name="isReadOnly">Whether the image can only be looked at.</param>
    /// <param name="root">Devices for scriptlets; null: none will run.</param>
    /// <param name="database">The folder of the rpm database, in the image.</param>
    /// <param name="decide">Told what would be done; whether to do it.</param>
    /// <param name="cancel">Ends it.</param>
    public DnfOutcome Run(string image, bool isReadOnly, string work, DnfRoot? root, TreePath database, Func<IReadOnlyList<RpmStep>, bool> decide, CancellationToken cancel)
    {
        foreach ((string name, RpmLock file) in Locks)
            foreach (LockedRpm package in file.Packages)
                if (!_locked.TryAdd(package.Nevra, package) && _locked[package.Nevra].Digest != package.Digest)
                    throw new DnfException($"{name}: {package.Nevra} has another digest in another lock file");
        MetadataCache cache = new(Source, _identity);
        string folder = Path.Combine(work, "cache");
        Directories.MakeAll(folder);
        bool isWarm = cache.Load(folder);
        string? packages = CopyFiles(work);
        Progress?.Invoke("resolving packages", 0, null);
        SnapshotServing serving = new(Source);
        DnfSession session = new(_dnf, work)
        {
            Image = image,
            Binds = root?.Binds ?? [],
            Cache = folder,
            Packages = packages,
            Epoch = Epoch,
            ReadOnly = isReadOnly,
            Serve = serving.Start,
            Progress = (done, total) => Progress?.Invoke("installing packages", done, total),
        };
        try
        {
            return session.Run(Request(database), steps =>
            {
                CheckLocked(steps);
                if (!isWarm)
                    cache.Save(folder);
                return decide(steps);
            }, cancel);
        }
        catch (DnfException e)
        {
            throw new DnfException(serving.Explain(e.Message));
        }
    }

    // libdnf's numbers of types are its own.
    private static string? TypeOf(string digits) => digits.Length switch
    {
        32 => "md5",
        40 => "sha1",
        56 => "sha224",
        64 => "sha256",
        96 => "sha384",
        128 => "sha512",
        _ => null,
    };

    private DnfRequest Request(TreePath database) => new()
    {
        Database = database.ToString(),
        Repos = [.. Source.Repos.Select(repo => new DnfRepo(repo.Name, SnapshotServing.UrlOf(Source.Snapshot!, repo)))],
        Install = Install,
        Files = [.. Files.Select((file, i) => new DnfFile(file.Name, $"/packages/{i}.rpm"))],
        Remove = Remove,
        Lock = [.. _locked.Values.OrderBy(package => package.Nevra, StringComparer.Ordinal).Select(package => new DnfLocked(package.Nevra, package.Repo, package.Location, package.Reason))],
        IsLocked = Locks.Count > 0,
        LockRemoved = [.. Locks.SelectMany(file => file.Lock.Removed)],
        Keys =
        [
            .. Source.Keys.Select(key => (key.Name, ReadKeys(key.Name, key.Open()))),
            .. Source.Repos.SelectMany(repo => repo.Keys).Distinct().Select(key => ($"key {key[..12]} of the snapshot", ReadKeys($"key {key[..12]} of the snapshot", Source.Store!.OpenObject(key)))),
        ],
        WeakDependencies = Source.WeakDependencies,
        Documentation = Source.Documentation,
        ModulePlatform = Source.ModulePlatform,
    };

    private void CheckLocked(IReadOnlyList<RpmStep> steps)
    {
        foreach (RpmStep step in steps)
            if (step.Comes && _locked.TryGetValue(step.Nevra, out LockedRpm? locked) && DigestOf(step) is var digest && digest != locked.Digest)
                throw new DnfException($"{step.Nevra}: the lock file says {locked.Digest}, but in the snapshot it is {digest}");
        HashSet<string> changed = [.. steps.Select(step => step.Nevra)];
        foreach (RpmRecord rpm in Known)
            if (!changed.Contains(rpm.Nevra) && _locked.TryGetValue(rpm.Nevra, out LockedRpm? locked) && rpm.Digest is { } digest && digest != locked.Digest)
                throw new DnfException($"{rpm.Nevra}: the lock file says {locked.Digest}, but in the parent it is {digest}");
    }

    // Copies, so that what is installed is what was digested.
    private string? CopyFiles(string work)
    {
        if (Files.Count == 0)
            return null;
        string folder = Path.Combine(work, "packages");
        Directories.MakeAll(folder);
        for (int i = 0; i < Files.Count; i++)
        {
            using FdStream from = Files[i].Open();
            string path = Path.Combine(folder, $"{i}.rpm");
            using FdStream to = new(Posix.Files.Open(path, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, 0x1A4 /* 0644 */), path, canRead: false);
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            byte[] buffer = new byte[128 * 1024];
            for (int length; (length = from.Read(buffer)) > 0;)
            {
                hash.AppendData(buffer, 0, length);
                to.Write(buffer.AsSpan(0, length));
            }
            if ($"sha256:{Convert.ToHexStringLower(hash.GetHashAndReset())}" != Files[i].Digest)
                throw new DnfException($"{Files[i].Name}: has changed while it was read");
        }
        return folder;
    }

    private static PublicKeys ReadKeys(string name, Stream stream)
    {
        using MemoryStream bytes = new();
        using (stream)
            stream.CopyTo(bytes);
        try
        {
            PublicKeys keys = PublicKeys.Parse(bytes.ToArray());
            keys.Certificates();
            return keys;
        }
        catch (InvalidDataException e)
        {
            throw new DnfException($"{name}: {e.Message}");
        }
    }
}
