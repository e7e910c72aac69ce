using System.Globalization;
using System.Security.Cryptography;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>How to fetch.</summary>
public sealed record RepoSyncOptions
{
    /// <summary>Files that are fetched at the same time.</summary>
    public int Connections { get; init; } = 8;

    /// <summary>Whether a repository may be older than it was at the last sync.</summary>
    public bool AllowsOlder { get; init; }

    /// <summary>Whether packages that cannot be had are left out, and marked.</summary>
    public bool AllowsMissing { get; init; }

    /// <summary>The part of the packages to fetch; null for all.</summary>
    public RepoShard? Shard { get; init; }

    /// <summary>Is told what would be fetched, instead of the packages being fetched; null for fetching them. The metadata is fetched.</summary>
    public Action<PlannedFetch>? Plan { get; init; }

    /// <summary>What the connections of all repositories share.</summary>
    public Transport Transport { get; init; } = new();

    /// <summary>Stops it; what was fetched whole is found by the next one.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Told how far it is, from several threads.</summary>
    public Action<TransferProgress>? Progress { get; init; }
}

/// <summary>
/// Fetches what a repository is now: repomd.xml, all the files that it names, all packages that its primary.xml names, each compared with its checksum. What the
/// store has is not fetched. A repository that changes meanwhile is begun again, if anything was missing.
/// </summary>
public sealed class RepoSync : IDisposable
{
    private const int MaxRounds = 3;
    private const int MaxExtra = 64 << 20;

    private readonly SnapshotStore _store;
    private readonly RepoRequest _request;
    private readonly RepoSyncOptions _options;
    private readonly Downloads _downloads;
    private readonly RepomdSource _source;
    private long _present;
    private long? _shardPackages;

    private RepoSync(SnapshotStore store, RepoRequest request, RepoSyncOptions options)
    {
        (_store, _request, _options) = (store, request, options = options with { Connections = request.Connections ?? options.Connections });
        _downloads = new Downloads(store, request, options);
        _source = new RepomdSource(request, _downloads, options.AllowsOlder ? null : RepoMemory.Of(store, request.Name, request.Universe)?.Newest);
        if (request.ChecksSignature)
            RepomdSignature.FindProgram();
    }

    /// <summary>Brings a repository's files into the store.</summary>
    /// <param name="store">Opened for writing.</param>
    /// <param name="request">Which repository.</param>
    /// <param name="options">How.</param>
    /// <exception cref="OperationCanceledException">As asked.</exception>
    /// <exception cref="InvalidDataException">A signature is to be checked, and there is no gpgv.</exception>
    /// <exception cref="Posix.PosixException">The store cannot be written.</exception>
    public static RepoResult Run(SnapshotStore store, RepoRequest request, RepoSyncOptions options)
    {
        using RepoSync sync = new(store, request, options);
        return sync.Run();
    }

    public void Dispose() => _downloads.Dispose();

    private RepoResult Run()
    {
        List<RepoFailure> failures = [];
        for (int round = 1; ; round++)
        {
            failures.Clear();
            _present = 0;
            SnapshotRepo? repo = null;
            AcceptedRepomd? repomd = null;
            try
            {
                repomd = _source.Get();
                repo = Round(repomd, failures);
            }
            catch (Exception e) when (e is InvalidDataException or RepoFetchException)
            {
                failures.Add(new RepoFailure(repomd is null ? RepomdSource.RepomdPath : "metadata", e.Message));
            }
            // It may have changed while we read it; if nothing is missing, this is what it was at the beginning.
            if (failures.Count > 0 && repomd is not null && round < MaxRounds && HasChanged(repomd))
                continue;
            failures.Sort((a, b) => string.CompareOrdinal(a.What, b.What) is var order and not 0 ? order : string.CompareOrdinal(a.Reason, b.Reason));
            return new RepoResult(_request, repo, failures, _downloads.Count, _downloads.Bytes, _present)
            {
                Mirror = repomd?.Mirror,
                Newest = repomd?.Repomd.Newest,
                SignedBy = repomd?.SignedBy,
                Notes = [.. _source.Notes],
                ShardPackages = _shardPackages,
            };
        }
    }

    private SnapshotRepo? Round(AcceptedRepomd accepted, List<RepoFailure> failures)
    {
        Repomd repomd = accepted.Repomd;
        RepomdData primary = repomd.Find("primary")!; // or it would not have been accepted
        // Packages may lie anywhere; what a server is asked for as metadata is what the snapshot says.
        foreach (RepomdData data in repomd.Data.Where(data => data.Location.Path.Contains("://", StringComparison.Ordinal) || data.Location.Path.StartsWith("../", StringComparison.Ordinal)))
            failures.Add(new RepoFailure($"metadata '{data.Type}'", $"its location '{data.Location.Href}' is not inside of the repository"));
        if (failures.Count > 0)
            return null;
        string repomdObject = Keep(accepted.Bytes);
        string? signature = accepted.Signature is { } asc ? Keep(asc) : null;
        FetchAll("metadata", [.. repomd.Data.Select(data => new Wanted($"metadata '{data.Type}'", data.Location, data.Checksum, data.Size))], failures);
        List<SnapshotExtra> extra = FetchExtra(failures);
        if (failures.Count > 0)
            return null;
        List<SnapshotFile> files = [.. repomd.Data.Select(data => new SnapshotFile(data.Type, data.Location.Path, _store.Find(data.Checksum)!, _store.SizeOf(_store.Find(data.Checksum)!)!.Value))];
        List<PrimaryPackage> packages = SnapshotPackages.Read(_store, _store.Find(primary.Checksum)!, primary, accepted.Mirror.Below(primary.Location.Path).ToString());
        List<Wanted> wanted = [.. packages.Where(package => _options.Shard?.Has(package.Checksum) != false).Select(package => new Wanted(package.Nevra.ToString(), package.Location, package.Checksum, package.PackageSize))];
        FetchAll("packages", wanted, failures, _options.Plan);
        _shardPackages = _options.Shard is null ? null : wanted.Count;
        if (_options.Shard is not null || _options.Plan is not null || (failures.Count > 0 && !_options.AllowsMissing))
            return null;
        List<SnapshotHole> holes = Holes(packages, failures);
        return new SnapshotRepo(_request.Name, repomd.Revision, repomdObject, files, packages.Count, packages.Sum(package => SizeOf(package) ?? 0))
        {
            Universe = _request.Universe,
            RepomdSignature = signature,
            Keys = [.. _request.Keys.Select(key => Keep(key.Bytes))],
            Extra = extra,
            Missing = holes,
        };
    }

    private long? SizeOf(PrimaryPackage package) => _store.Find(package.Checksum, package.PackageSize) is { } digest ? _store.SizeOf(digest) : null;

    private List<SnapshotHole> Holes(List<PrimaryPackage> packages, List<RepoFailure> failures)
    {
        if (failures.Count == 0)
            return [];
        Groups<string, RepoFailure> reasons = failures.ToGroups(failure => failure.What);
        return
        [
            .. packages.Where(package => SizeOf(package) is null)
                .Select(package => new SnapshotHole(package.Nevra.ToString(), package.Location.Href, package.Checksum.ToString(), reasons[package.Nevra.ToString()].FirstOrDefault()?.Short ?? "could not be had"))
                .OrderBy(hole => hole.Location, StringComparer.Ordinal).ThenBy(hole => hole.Checksum, StringComparer.Ordinal),
        ];
    }

    private List<SnapshotExtra> FetchExtra(List<RepoFailure> failures)
    {
        List<SnapshotExtra> extra = [];
        foreach (string path in _request.ExtraFiles.Order(StringComparer.Ordinal))
        {
            try
            {
                byte[] bytes = _downloads.Small(path, MaxExtra).Bytes;
                extra.Add(new SnapshotExtra(path, Keep(bytes), bytes.Length));
            }
            catch (RepoFetchException e)
            {
                failures.Add(new RepoFailure(path, e.Message));
            }
        }
        return extra;
    }

    private void FetchAll(string what, List<Wanted> all, List<RepoFailure> failures, Action<PlannedFetch>? plan = null)
    {
        List<Wanted> lacking = [];
        DeriveAliases(all);
        foreach (Wanted wanted in all.DistinctBy(item => item.Checksum))
        {
            if (_store.Find(wanted.Checksum, wanted.Size) is not null)
                _present++;
            else if (_store.Find(wanted.Checksum) is not null)
                failures.Add(new RepoFailure(wanted.Name, string.Create(CultureInfo.InvariantCulture, $"the metadata says {wanted.Size} bytes, the file of that checksum has others")));
            else if (Fault(wanted) is { } fault)
                failures.Add(new RepoFailure(wanted.Name, fault) { Short = fault });
            else
                lacking.Add(wanted);
        }
        if (plan is not null)
            lacking.ForEach(wanted => plan(new PlannedFetch(wanted.Name, _downloads.Mirrors[0].Locate(wanted.Location), wanted.Size)));
        else
            _downloads.All(what, lacking, failures);
    }

    /// <summary>Why a file's location is none that may be asked for.</summary>
    private string? Fault(Wanted wanted)
    {
        try
        {
            _downloads.Mirrors[0].Locate(wanted.Location);
            return null;
        }
        catch (FormatException e)
        {
            return e.Message;
        }
    }

    /// <summary>
    /// A repository that changed its checksums' type has the same packages. What might be one of those that are wanted, by its size, gets the digest of that
    /// type, which is less work than to fetch it.
    /// </summary>
    private void DeriveAliases(List<Wanted> all)
    {
        foreach (Group<RpmDigestAlgorithm, Wanted> group in all.Where(item => item.Checksum.Algorithm != RpmDigestAlgorithm.Sha256).GroupBy(item => item.Checksum.Algorithm))
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

    private bool HasChanged(AcceptedRepomd repomd)
    {
        try
        {
            return !_downloads.Small(repomd.Mirror.Below(RepomdSource.RepomdPath), RepomdSource.MaxRepomd).Bytes.AsSpan().SequenceEqual(repomd.Bytes);
        }
        catch (RepoFetchException)
        {
            return false; // what failed before is the news
        }
    }
}

/// <summary>A file that metadata names.</summary>
internal sealed record Wanted(string Name, RepoLocation Location, RpmChecksum Checksum, long? Size);
