using System.Security.Cryptography;

namespace Layerbox.RpmSnapshot;

/// <summary>A file of a repository's metadata, as a snapshot keeps it.</summary>
/// <param name="Type">As repomd.xml calls it.</param>
/// <param name="Location">Where it is, from the repository's root.</param>
/// <param name="Object">Its sha256.</param>
/// <param name="Size">Bytes.</param>
public sealed record SnapshotFile(string Type, string Location, string Object, long Size);

/// <summary>A file of a repository that no metadata names (.treeinfo …), kept because it was asked for.</summary>
/// <param name="Path">Where it is, from the repository's root.</param>
/// <param name="Object">Its sha256.</param>
/// <param name="Size">Bytes.</param>
public sealed record SnapshotExtra(string Path, string Object, long Size);

/// <summary>A package that could not be had when the snapshot was taken, which was told to go on without it.</summary>
/// <param name="Nevra">Its name.</param>
/// <param name="Location">As the metadata has it.</param>
/// <param name="Checksum">"sha256:…", as the metadata has it.</param>
/// <param name="Reason">Why, without the URL: two mirrors that lack the same give the same snapshot.</param>
public sealed record SnapshotHole(string Nevra, string Location, string Checksum, string Reason);

/// <summary>One repository in a snapshot. Which packages it has is what its primary.xml says.</summary>
/// <param name="Name">What it is called here.</param>
/// <param name="Revision">As its repomd.xml says; free text.</param>
/// <param name="Repomd">The repomd.xml's sha256.</param>
/// <param name="Files">The files that it names, in its order.</param>
/// <param name="Packages">How many packages there are, missing ones included.</param>
/// <param name="PackageBytes">And their bytes, those of missing ones not included.</param>
public sealed record SnapshotRepo(string Name, string? Revision, string Repomd, IReadOnlyList<SnapshotFile> Files, long Packages, long PackageBytes)
{
    /// <summary>Within a universe a package's full name stands for the same bytes; null where that is said of the repository alone.</summary>
    public string? Universe { get; init; }

    /// <summary>The sha256 of repomd.xml.asc, the signature of repomd.xml; null when there is none.</summary>
    public string? RepomdSignature { get; init; }

    /// <summary>The public keys that signatures are to be checked with, as objects, in the order in which they were given.</summary>
    public IReadOnlyList<string> Keys { get; init; } = [];

    /// <summary>Sorted by path.</summary>
    public IReadOnlyList<SnapshotExtra> Extra { get; init; } = [];

    /// <summary>Sorted by location. A whole repository has none.</summary>
    public IReadOnlyList<SnapshotHole> Missing { get; init; } = [];

    /// <summary>The objects that are named here; its packages are named by its primary.xml.</summary>
    public IEnumerable<string> Objects =>
        [Repomd, .. Files.Select(file => file.Object), .. new[] { RepomdSignature }.OfType<string>(), .. Keys, .. Extra.Select(file => file.Object)];

    /// <summary>What an object is in this repository, for people.</summary>
    internal string NameOf(string digest) =>
        digest == Repomd ? "repomd.xml"
        : digest == RepomdSignature ? "repomd.xml.asc"
        : Files.FirstOrDefault(file => file.Object == digest)?.Location ?? Extra.FirstOrDefault(file => file.Object == digest)?.Path ?? "a public key";
}

/// <summary>
/// What a set of repositories was at one time. It depends on their content alone, not on when and from where it was fetched: the same content is the same
/// snapshot.
/// </summary>
/// <param name="Repos">Sorted by name.</param>
public sealed record Snapshot(IReadOnlyList<SnapshotRepo> Repos)
{
    /// <summary>The snapshot of which this one is a view; null of what was fetched.</summary>
    public string? ViewOf { get; init; }

    /// <summary>The object that holds the view's policy.</summary>
    public string? Policy { get; init; }

    /// <summary>The sha256 of its bytes.</summary>
    public string Id => Convert.ToHexStringLower(SHA256.HashData(ToBytes()));

    /// <summary>The objects that are named here, without the packages'.</summary>
    public IEnumerable<string> Objects => Repos.SelectMany(repo => repo.Objects).Concat(new[] { Policy }.OfType<string>());

    /// <summary>JSON on one line, members in a fixed order.</summary>
    public byte[] ToBytes() => SnapshotJson.Write(this);

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is no snapshot, or one of a later format.</exception>
    public static Snapshot Parse(ReadOnlySpan<byte> bytes) => SnapshotJson.Read(bytes);
}
