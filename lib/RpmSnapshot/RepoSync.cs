using System.Globalization;
using System.Security.Cryptography;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>A repository that is to be in a snapshot.</summary>
/// <param name="Name">What it is called in the snapshot.</param>
/// <param name="Mirrors">Where it is: all of them have the same files; the first is asked first.</param>
/// <param name="Connection">How they are spoken to.</param>
public sealed record RepoRequest(string Name, IReadOnlyList<RepoUrl> Mirrors, ConnectionSettings Connection)
{
    public RepoRequest(string name, RepoUrl url) : this(name, [url], new ConnectionSettings())
    {
    }

    /// <summary>The first of <see cref="Mirrors"/>.</summary>
    public RepoUrl Url => Mirrors[0];
}

/// <summary>Something that a repository lacks.</summary>
/// <param name="What">A package or a file of the metadata.</param>
/// <param name="Reason">With the URL.</param>
public sealed record RepoFailure(string What, string Reason);

/// <summary>What became of one repository.</summary>
/// <param name="Repo">Null when anything failed.</param>
/// <param name="Failures">All that failed, sorted.</param>
/// <param name="Fetched">Files that were fetched, without repomd.xml.</param>
/// <param name="FetchedBytes">Their bytes.</param>
/// <param name="Present">Files that were in the store already.</param>
public sealed record RepoResult(RepoRequest Request, SnapshotRepo? Repo, IReadOnlyList<RepoFailure> Failures, long Fetched, long FetchedBytes, long Present);

/// <summary>How to fetch.</summary>
public sealed record RepoSyncOptions
{
    /// <summary>Files that are fetched at the same time.</summary>
    public int Connections { get; init; } = 8;

    /// <summary>Stops it; what was fetched whole is found by the next one.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Told what is done, the bytes so far, and of how many.</summary>
    public Action<string, long, long?>? Progress { get; init; }
}

/// <summary>
/// Fetches what a repository is now: repomd.xml, all the files that it names, all packages that its primary.xml names, each compared with its checksum. What the
/// store has is not fetched. A repository that changes meanwhile is begun again, if anything was missing.
/// </summary>
public sealed class RepoSync
{
    private const int MaxRounds = 3;
    private const int MaxRepomd = 16 << 20;
    private const string RepomdPath = "repodata/repomd.xml";

    private readonly SnapshotStore _store;
    private readonly RepoRequest _request;
    private readonly RepoSyncOptions _options;
    private readonly Downloads _downloads;
    private long _present;

    private RepoSync(SnapshotStore store, RepoRequest request, RepoSyncOptions options)
    {
        (_store, _request, _options) = (store, request, options);
        _downloads = new Downloads(store, request, options);
    }

    /// <summary>Brings a repository's files into the store.</summary>
    /// <param name="store">Opened for writing.</param>
    /// <param name="request">Which repository.</param>
    /// <param name="options">How.</param>
    /// <exception cref="OperationCanceledException">As asked.</exception>
    /// <exception cref="Posix.PosixException">The store cannot be written.</exception>
    public static RepoResult Run(SnapshotStore store, RepoRequest request, RepoSyncOptions options) => new RepoSync(store, request, options).Run();

    private RepoResult Run()
    {
        List<RepoFailure> failures = [];
        for (int round = 1; ; round++)
        {
            failures.Clear();
            _present = 0;
            SnapshotRepo? repo = null;
            byte[]? repomd = null;
            try
            {
                repomd = _downloads.Small(RepomdPath, MaxRepomd).Bytes;
                repo = Round(repomd, failures);
            }
            catch (Exception e) when (e is InvalidDataException or RepoFetchException)
            {
                failures.Add(new RepoFailure(repomd is null ? RepomdPath : "metadata", e.Message));
            }
            if (repo is not null && failures.Count > 0)
                repo = null;
            // It may have changed while we read it; if nothing is missing, this is what it was at the beginning.
            if (repo is null && repomd is not null && round < MaxRounds && HasChanged(repomd))
                continue;
            failures.Sort((a, b) => string.CompareOrdinal(a.What, b.What) is var order and not 0 ? order : string.CompareOrdinal(a.Reason, b.Reason));
            return new RepoResult(_request, repo, failures, _downloads.Count, _downloads.Bytes, _present);
        }
    }

    private SnapshotRepo? Round(byte[] bytes, List<RepoFailure> failures)
    {
        Repomd repomd;
        try
        {
            repomd = Repomd.Read(new MemoryStream(bytes));
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{_request.Url.Below(RepomdPath)}: {e.Message}", e);
        }
        RepomdData primary = repomd.Find("primary") ?? throw new InvalidDataException($"{_request.Url.Below(RepomdPath)}: it names no primary.xml");
        string repomdObject = Keep(bytes);
        FetchAll("metadata", [.. repomd.Data.Select(data => new Wanted($"metadata '{data.Type}'", data.Location, data.Checksum, data.Size))], failures);
        if (failures.Count > 0)
            return null;
        List<SnapshotFile> files = [.. repomd.Data.Select(data => new SnapshotFile(data.Type, data.Location.Path, _store.Find(data.Checksum)!, _store.SizeOf(_store.Find(data.Checksum)!)!.Value))];
        List<PrimaryPackage> packages = SnapshotPackages.Read(_store, _store.Find(primary.Checksum)!, primary, _request.Url.Below(primary.Location.Path).ToString());
        FetchAll("packages", [.. packages.Select(package => new Wanted(package.Nevra.ToString(), package.Location, package.Checksum, package.PackageSize))], failures);
        if (failures.Count > 0)
            return null;
        return new SnapshotRepo(_request.Name, repomd.Revision, repomdObject, files, packages.Count, packages.Sum(package => _store.SizeOf(_store.Find(package.Checksum)!)!.Value));
    }

    private void FetchAll(string what, List<Wanted> all, List<RepoFailure> failures)
    {
        List<Wanted> lacking = [];
        DeriveAliases(all);
        foreach (Wanted wanted in all.DistinctBy(item => item.Checksum))
        {
            if (_store.Find(wanted.Checksum, wanted.Size) is not null)
                _present++;
            else if (wanted.Location.Place != RepoPlace.Inside)
                failures.Add(new RepoFailure(wanted.Name, $"its location '{wanted.Location.Href}' is not inside of the repository, which is not supported"));
            else if (_store.Find(wanted.Checksum) is not null)
                failures.Add(new RepoFailure(wanted.Name, string.Create(CultureInfo.InvariantCulture, $"{_request.Url.Below(wanted.Location.Path)}: the metadata says {wanted.Size} bytes, the file of that checksum has others")));
            else
                lacking.Add(wanted);
        }
        _downloads.All(what, lacking, failures);
    }

    /// <summary>
    /// A repository that changed its checksums' type has the same packages. What might be one of those that are wanted, by its size, gets the digest of that
    /// type, which is less work than to fetch it.
    /// </summary>
    private void DeriveAliases(List<Wanted> all)
    {
        foreach (IGrouping<RpmDigestAlgorithm, Wanted> group in all.Where(item => item.Checksum.Algorithm != RpmDigestAlgorithm.Sha256).GroupBy(item => item.Checksum.Algorithm))
        {
            HashSet<long> sizes = [.. group.Where(item => item.Size is not null && _store.Find(item.Checksum) is null).Select(item => item.Size!.Value)];
            if (sizes.Count > 0 && RpmDigest.Start(group.Key) is { } hash)
            {
                hash.Dispose();
                _store.PutInPlace();
                _store.Aliases.Derive(_store, [.. _store.Objects().Where(digest => !_store.Aliases.Knows(group.Key, digest) && sizes.Contains(_store.SizeOf(digest) ?? -1))], [group.Key]);
            }
        }
    }

    private string Keep(byte[] bytes)
    {
        string digest = Convert.ToHexStringLower(SHA256.HashData(bytes));
        if (_store.SizeOf(digest) == bytes.Length)
            return digest;
        using ObjectWriter writer = _store.NewObject();
        writer.Write(bytes);
        return writer.Finish(null)!;
    }

    private bool HasChanged(byte[] repomd)
    {
        try
        {
            return !_downloads.Small(RepomdPath, MaxRepomd).Bytes.AsSpan().SequenceEqual(repomd);
        }
        catch (RepoFetchException)
        {
            return false; // what failed before is the news
        }
    }
}

/// <summary>A file that metadata names.</summary>
internal sealed record Wanted(string Name, RepoLocation Location, RpmChecksum Checksum, long? Size);
