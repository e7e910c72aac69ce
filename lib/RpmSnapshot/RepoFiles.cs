using System.Globalization;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>A file of a repository in a snapshot.</summary>
/// <param name="Path">Where it is, from the repository's root, as its metadata says it: percent signs are as there.</param>
/// <param name="Checksum">What it is; of a file of metadata its sha256.</param>
/// <param name="Size">Bytes, where they are known.</param>
public sealed record RepoFile(string Path, RpmChecksum Checksum, long? Size)
{
    /// <summary>Why the snapshot lacks it; null when it has it.</summary>
    public string? Missing { get; init; }

    /// <summary>The file itself, when it is none of the store's: metadata that had to be rewritten.</summary>
    internal SafeFileHandle? Made { get; init; }
}

/// <summary>
/// All files of a repository as a snapshot has it, by their paths: what a server may be asked for, and what a copy of the repository is made of. A path is only
/// ever looked up here, and never becomes one of this machine. Files that a repository has outside of itself are inside, and its metadata says so.
/// </summary>
public sealed class RepoFiles : IDisposable
{
    /// <summary>Where every repository has its repomd.xml.</summary>
    public const string RepomdPath = "repodata/repomd.xml";

    private readonly Dictionary<string, RepoFile> _files = new(StringComparer.Ordinal);
    private readonly List<RepoFile> _all = [];
    private readonly Dictionary<string, string> _missing = [];
    private PackagePaths? _indexed;

    private RepoFiles()
    {
    }

    /// <summary>All of them, the metadata first; packages are left out of what was opened to <see cref="Look"/>.</summary>
    public IReadOnlyList<RepoFile> All => _all;

    /// <summary>
    /// Whether the metadata is not the repository's own, since it has files outside of itself. Then it has no signature, and what is served is not what was signed.
    /// </summary>
    public bool IsRewritten { get; private set; }

    /// <summary>Where one of the repository's public keys is: it has no place of its own in there.</summary>
    /// <param name="index">Which of them, from 0.</param>
    public static string KeyPath(int index) => string.Create(CultureInfo.InvariantCulture, $".keys/{index}");

    /// <summary>Reads what a repository has.</summary>
    /// <exception cref="InvalidDataException">Its metadata cannot be read, or cannot be rewritten where that must be.</exception>
    public static RepoFiles Read(SnapshotStore store, SnapshotRepo repo) => Make(store, repo, null);

    /// <summary>The same for who asks for one file or another: packages stay in the store's index, if that has them and nothing is to be rewritten for them.</summary>
    /// <exception cref="InvalidDataException">Its metadata cannot be read, or cannot be rewritten where that must be.</exception>
    internal static RepoFiles Open(SnapshotStore store, SnapshotRepo repo) =>
        Make(store, repo, store.Index.Paths(SnapshotPackages.PrimaryOf(repo).Object, isPatient: true) is { HasOutside: false } paths ? paths : null);

    /// <summary>
    /// Why the metadata is not what its maker published and signed when the repository is served or written: "view", packages were left out of it; "outside", it has files
    /// outside of itself, and is changed to have them inside. Nothing of it where it is.
    /// </summary>
    /// <exception cref="InvalidDataException">Its metadata cannot be read.</exception>
    /// <exception cref="Posix.PosixException">Its metadata is not there.</exception>
    public static IReadOnlyList<string> RewrittenFor(SnapshotStore store, Snapshot snapshot, SnapshotRepo repo)
    {
        List<string> reasons = [];
        if (snapshot.ViewOf is not null && SnapshotView.IsSpliced(store, repo))
            reasons.Add("view");
        bool arePackagesOutside = store.Index.Paths(SnapshotPackages.PrimaryOf(repo).Object)?.HasOutside ?? SnapshotPackages.OneByOne(store, repo).Any(package => package.Location.Place != RepoPlace.Inside);
        if (arePackagesOutside || Located(store, repo).Any(file => file.Location.Place != RepoPlace.Inside))
            reasons.Add("outside");
        return reasons;
    }

    private static RepoFiles Make(SnapshotStore store, SnapshotRepo repo, PackagePaths? indexed)
    {
        RepoFiles files = new() { _indexed = indexed };
        OutsideFiles outside = new();
        bool isOutside = false;
        List<RepoFile> metadata = [];
        foreach ((SnapshotFile file, RepoLocation location) in Located(store, repo))
        {
            isOutside |= location.Place != RepoPlace.Inside;
            metadata.Add(new RepoFile(outside.PlaceOf(location) ?? location.Path, Sha256(file.Object), file.Size));
        }
        foreach (SnapshotHole hole in repo.Missing)
            files._missing[hole.Checksum] = hole.Reason;
        List<RepoFile> packages = [];
        bool arePackagesOutside = false;
        foreach (PrimaryPackage package in indexed is null ? SnapshotPackages.OneByOne(store, repo) : [])
        {
            arePackagesOutside |= package.Location.Place != RepoPlace.Inside;
            packages.Add(files.FileOf(package, outside.PlaceOf(package.Location)));
        }
        if (isOutside || arePackagesOutside)
            files.AddRewritten(store, repo, outside, arePackagesOutside, metadata);
        else
        {
            files.Add(new RepoFile(RepomdPath, Sha256(repo.Repomd), null));
            if (repo.RepomdSignature is { } signature)
                files.Add(new RepoFile($"{RepomdPath}.asc", Sha256(signature), null));
            metadata.ForEach(files.Add);
        }
        for (int i = 0; i < repo.Keys.Count; i++)
            files.Add(new RepoFile(KeyPath(i), Sha256(repo.Keys[i]), null));
        foreach (SnapshotExtra extra in repo.Extra)
            files.Add(new RepoFile(extra.Path, Sha256(extra.Object), extra.Size));
        packages.ForEach(files.Add);
        return files;
    }

    /// <summary>Whether packages are in the store's index.</summary>
    internal bool IsIndexed => _indexed is not null;

    /// <summary>A file by its path, with or without percent signs, without waiting.</summary>
    /// <param name="store">The store.</param>
    /// <param name="path">The path.</param>
    /// <param name="file">The file; null when there is none, or that is not known.</param>
    /// <returns>False: who can wait is to <see cref="Look"/> for it.</returns>
    internal bool TryFind(SnapshotStore store, string path, out RepoFile? file)
    {
        if (IsHere(path, out file, out IReadOnlyList<long> rows))
            return true;
        if (!store.Index.TryPackageAt(_indexed!, path, rows, out PrimaryPackage? package))
            return false;
        file = package is null ? null : FileOf(package, null);
        return true;
    }

    /// <summary>The same, waiting for those who write to the index; for any thread.</summary>
    /// <param name="store">The store.</param>
    /// <param name="path">The path.</param>
    /// <param name="file">The file; null when there is none.</param>
    /// <returns>False: the index is of no use any more.</returns>
    internal bool Look(SnapshotStore store, string path, out RepoFile? file)
    {
        if (IsHere(path, out file, out IReadOnlyList<long> rows))
            return true;
        if (store.Index.PackageAt(_indexed!, path, rows) is not { } found)
            return false;
        file = found is [var package] ? FileOf(package, null) : null;
        return true;
    }

    // Without the index; else where in it to look.
    private bool IsHere(string path, out RepoFile? file, out IReadOnlyList<long> rows)
    {
        rows = [];
        if (_files.TryGetValue(path, out file) || _indexed is null)
            return true;
        rows = _indexed.RowsAt(path);
        return rows.Count == 0;
    }

    public void Dispose() => _all.ForEach(file => file.Made?.Dispose());

    private void AddRewritten(SnapshotStore store, SnapshotRepo repo, OutsideFiles outside, bool changesPrimary, List<RepoFile> metadata)
    {
        IsRewritten = true;
        (RepoFile repomd, RepoFile? primary) = outside.Rewrite(store, repo, changesPrimary);
        Add(repomd);
        if (primary is not null)
            Add(primary);
        for (int i = 0; i < metadata.Count; i++)
            if (!changesPrimary || !LocationRewriter.Derives(repo.Files[i].Type))
                Add(metadata[i]);
    }

    // A snapshot says where a file of metadata is, and not whether repomd.xml calls that by another base.
    private static IEnumerable<(SnapshotFile File, RepoLocation Location)> Located(SnapshotStore store, SnapshotRepo repo)
    {
        using Stream repomd = store.OpenObject(repo.Repomd);
        IReadOnlyList<RepomdData> data = Repomd.Read(repomd).Data;
        if (data.Count != repo.Files.Count)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{repo.Name}: its repomd.xml names {data.Count} files, and the snapshot has {repo.Files.Count}"));
        return repo.Files.Zip(data, (file, named) => (file, named.Location));
    }

    private void Add(RepoFile file)
    {
        // The first of several: metadata comes before packages, and packages of the same path are the same or wrong.
        if (!_files.TryAdd(file.Path, file))
            return;
        _all.Add(file);
        if (file.Path.Contains('%', StringComparison.Ordinal))
            _files.TryAdd(Uri.UnescapeDataString(file.Path), file);
    }

    private RepoFile FileOf(PrimaryPackage package, string? place) => new(place ?? package.Location.Path, package.Checksum, package.PackageSize)
    {
        Missing = _missing.Count == 0 ? null : _missing.GetValueOrDefault(package.Checksum.ToString()),
    };

    private static RpmChecksum Sha256(string digits) => new(RpmDigestAlgorithm.Sha256, digits);
}
