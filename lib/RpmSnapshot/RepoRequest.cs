namespace Layerbox.RpmSnapshot;

/// <summary>A repository that is to be in a snapshot.</summary>
/// <param name="Name">What it is called in the snapshot.</param>
/// <param name="Mirrors">Where it is: all of them have the same files; the first is asked first. Those that a list names come after.</param>
/// <param name="Connection">How they are spoken to.</param>
public sealed record RepoRequest(string Name, IReadOnlyList<RepoUrl> Mirrors, ConnectionSettings Connection)
{
    public RepoRequest(string name, RepoUrl url) : this(name, [url], new ConnectionSettings())
    {
    }

    /// <summary>A plain list of mirrors, a URL a line.</summary>
    public RepoUrl? MirrorList { get; init; }

    /// <summary>A list of mirrors that also vouches for the repomd.xml.</summary>
    public RepoUrl? Metalink { get; init; }

    /// <summary>Within a universe a package's full name stands for the same bytes; null: the repository is one by itself.</summary>
    public string? Universe { get; init; }

    /// <summary>Kept with the snapshot; and repomd.xml is checked with them if <see cref="ChecksSignature"/>.</summary>
    public IReadOnlyList<PublicKeys> Keys { get; init; } = [];

    /// <summary>If any: the only keys that may have signed repomd.xml, by their fingerprints in upper-case digits.</summary>
    public IReadOnlyList<string> Fingerprints { get; init; } = [];

    /// <summary>Whether repomd.xml must have a good signature.</summary>
    public bool ChecksSignature { get; init; }

    /// <summary>Files that no metadata names and that are kept too, by their paths from the repository's root.</summary>
    public IReadOnlyList<string> ExtraFiles { get; init; } = [];

    /// <summary>Files fetched at the same time; null for what the options of the sync say.</summary>
    public int? Connections { get; init; }

    /// <summary>How long the names of a repository and its universe may be together: they are a file's name (<see cref="RepoMemory"/>), with a colon between.</summary>
    public const int MaxNames = 254;

    /// <summary>Whether a text can be the name of a repository or of a universe.</summary>
    public static bool IsName(string text) =>
        text.Length is > 0 and <= 200 && char.IsAsciiLetterOrDigit(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '+' or '-');
}

/// <summary>Something that a repository lacks.</summary>
/// <param name="What">A package or a file of the metadata.</param>
/// <param name="Reason">With the URL.</param>
public sealed record RepoFailure(string What, string Reason)
{
    /// <summary>The reason without a URL.</summary>
    public string? Short { get; init; }
}

/// <summary>What became of one repository.</summary>
/// <param name="Repo">Null when there is nothing that could be part of a snapshot: something failed, or only a shard was asked for.</param>
/// <param name="Failures">All that failed, sorted.</param>
/// <param name="Fetched">Files that were fetched, without repomd.xml.</param>
/// <param name="FetchedBytes">Their bytes.</param>
/// <param name="Present">Files that were in the store already.</param>
public sealed record RepoResult(RepoRequest Request, SnapshotRepo? Repo, IReadOnlyList<RepoFailure> Failures, long Fetched, long FetchedBytes, long Present)
{
    /// <summary>Where repomd.xml came from; null when there was none.</summary>
    public RepoUrl? Mirror { get; init; }

    /// <summary>The newest timestamp in repomd.xml; null when it has none.</summary>
    public decimal? Newest { get; init; }

    /// <summary>What is worth to be known and kept nothing from being done: mirrors that were passed over, which version a metalink vouched for.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The fingerprint of the key that signed repomd.xml; null when that was not looked at.</summary>
    public string? SignedBy { get; init; }

    /// <summary>Packages that are this shard's; null when all were asked for.</summary>
    public long? ShardPackages { get; init; }
}

/// <summary>A part of the packages of each repository, for one of several machines: number <paramref name="Index"/> of <paramref name="Count"/>, from 1.</summary>
public sealed record RepoShard(int Index, int Count)
{
    /// <summary>Whether a package is in it. Each is in one, whatever machine asks.</summary>
    public bool Has(Rpm.RpmChecksum checksum) => Convert.ToUInt32(checksum.Digits[..8], 16) % (uint)Count == (uint)(Index - 1);
}

/// <summary>A file that would be fetched.</summary>
/// <param name="What">A package or a file of the metadata.</param>
/// <param name="Url">Where from, first.</param>
/// <param name="Size">Bytes; null when the metadata does not say.</param>
public sealed record PlannedFetch(string What, RepoUrl Url, long? Size);
