using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>A file of a repository in a snapshot.</summary>
/// <param name="Path">Where it is, from the repository's root, as its metadata says it: percent signs are as there.</param>
/// <param name="Checksum">What it is; of a file of metadata its sha256.</param>
/// <param name="Size">Bytes, where they are known.</param>
public sealed record RepoFile(string Path, RpmChecksum Checksum, long? Size)
{
    /// <summary>Why the snapshot lacks it; null when it has it.</summary>
    public string? Missing { get; init; }
}

/// <summary>
/// All files of a repository as a snapshot has it, by their paths: what a server may be asked for, and what a copy of the repository is made of. A path is only
/// ever looked up here, and never becomes one of this machine.
/// </summary>
public sealed class RepoFiles
{
    private readonly Dictionary<string, RepoFile> _files = new(StringComparer.Ordinal);

    private const string RepomdPath = "repodata/repomd.xml";

    private RepoFiles()
    {
    }

    /// <summary>Reads what a repository has.</summary>
    /// <exception cref="InvalidDataException">Its metadata cannot be read.</exception>
    public static RepoFiles Read(SnapshotStore store, SnapshotRepo repo)
    {
        RepoFiles files = new();
        files.Add(new RepoFile(RepomdPath, Sha256(repo.Repomd), null));
        if (repo.RepomdSignature is { } signature)
            files.Add(new RepoFile($"{RepomdPath}.asc", Sha256(signature), null));
        foreach (SnapshotFile file in repo.Files)
            files.Add(new RepoFile(file.Location, Sha256(file.Object), file.Size));
        for (int i = 0; i < repo.Keys.Count; i++)
            files.Add(new RepoFile(KeyPath(i), Sha256(repo.Keys[i]), null));
        foreach (SnapshotExtra extra in repo.Extra)
            files.Add(new RepoFile(extra.Path, Sha256(extra.Object), extra.Size));
        Dictionary<string, string> missing = [];
        foreach (SnapshotHole hole in repo.Missing)
            missing[hole.Checksum] = hole.Reason;
        foreach (PrimaryPackage package in SnapshotPackages.Read(store, repo))
            files.Add(new RepoFile(package.Location.Path, package.Checksum, package.PackageSize) { Missing = missing.Count == 0 ? null : missing.GetValueOrDefault(package.Checksum.ToString()) });
        return files;
    }

    /// <summary>Where one of the repository's public keys is: it has no place of its own in there.</summary>
    /// <param name="index">Which of them, from 0.</param>
    public static string KeyPath(int index) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $".keys/{index}");

    /// <summary>A file by its path, with or without percent signs; null when there is none.</summary>
    public RepoFile? Find(string path) => _files.GetValueOrDefault(path);

    private void Add(RepoFile file)
    {
        // The first of several: metadata comes before packages, and packages of the same path are the same or wrong.
        _files.TryAdd(file.Path, file);
        if (file.Path.Contains('%', StringComparison.Ordinal))
            _files.TryAdd(Uri.UnescapeDataString(file.Path), file);
    }

    private static RpmChecksum Sha256(string digits) => new(RpmDigestAlgorithm.Sha256, digits);
}
