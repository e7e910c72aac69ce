using System.Globalization;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>A repomd.xml that will do.</summary>
/// <param name="Mirror">Where it came from.</param>
/// <param name="Bytes">The file.</param>
/// <param name="Repomd">What it says.</param>
/// <param name="Signature">The signature's file; null when none was asked for.</param>
/// <param name="SignedBy">The fingerprint of the key.</param>
internal sealed record AcceptedRepomd(RepoUrl Mirror, byte[] Bytes, Repomd Repomd, byte[]? Signature, string? SignedBy);

/// <summary>
/// Gets a repository's repomd.xml from the first of its mirrors whose one will do: well-formed, what the metalink vouches for, signed by a key that may, and not
/// older than what we had.
/// </summary>
/// <param name="known">The newest timestamp of the last sync; null when there is none, or it does not matter.</param>
internal sealed class RepomdSource(RepoRequest request, Downloads downloads, decimal? known)
{
    public const string RepomdPath = "repodata/repomd.xml";
    public const int MaxRepomd = 16 << 20;
    private const string SignaturePath = RepomdPath + ".asc";
    private const int MaxList = 16 << 20, MaxSignature = 1 << 20, MaxSignatureTries = 3;

    private readonly List<string> _notes = [];
    private MirrorList? _metalink;
    private AcceptedRepomd? _accepted;

    /// <summary>What is worth to be known of the last <see cref="Get"/>.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Asks the lists of mirrors, then mirrors, until there is one. From then on the downloads ask that mirror first.</summary>
    /// <exception cref="RepoFetchException">No mirror has one that will do; the message names each, and the reason.</exception>
    public AcceptedRepomd Get()
    {
        _notes.Clear();
        (_metalink, _accepted) = (null, null);
        List<RepoUrl> mirrors = Mirrors();
        if (mirrors.Count == 0)
            throw new RepoFetchException(_notes.Count > 0 ? TakeNotes() : "there is no mirror");
        downloads.Mirrors = mirrors;
        SmallFile file;
        try
        {
            file = downloads.Small(RepomdPath, MaxRepomd, Refuse);
        }
        catch (RepoFetchException e) when (_notes.Count > 0)
        {
            throw new RepoFetchException($"{TakeNotes()}; {e.Message}", e.IsPassing, e);
        }
        _notes.AddRange(file.PassedOver.Select(reason => $"passed over: {reason}"));
        downloads.Mirrors = [file.Mirror, .. mirrors.Where(mirror => mirror != file.Mirror)];
        return _accepted!;
    }

    /// <summary>The notes, for a failure that says them: they are not to be told twice.</summary>
    private string TakeNotes()
    {
        string notes = string.Join("; ", _notes);
        _notes.Clear();
        return notes;
    }

    /// <summary>All mirrors: first those that the request names. A list that cannot be had does not matter when there are others.</summary>
    private List<RepoUrl> Mirrors()
    {
        List<RepoUrl> mirrors = [.. request.Mirrors];
        if (request.MirrorList is { } list)
            Add(list, "mirror list", bytes => MirrorList.Parse(bytes, list.IsDirectory));
        if (request.Metalink is { } metalink)
            Add(metalink, "metalink", bytes => _metalink = MirrorList.Read(Metalink.Read(new MemoryStream(bytes)), metalink.IsDirectory));
        return mirrors;

        void Add(RepoUrl url, string what, Func<byte[], MirrorList> read)
        {
            try
            {
                MirrorList found = read(downloads.Small(url, MaxList).Bytes);
                _notes.AddRange(found.PassedOver.Select(reason => $"{what} {url}: passed over: {reason}"));
                if (found.Mirrors.Count == 0)
                    _notes.Add($"{what} {url}: it names no mirror");
                mirrors.AddRange(found.Mirrors.Where(mirror => !mirrors.Contains(mirror)));
            }
            catch (RepoFetchException e)
            {
                // A metalink is asked for what it vouches, which mirrors that we know do not make up for.
                if (url == request.Metalink)
                    throw new RepoFetchException($"{what} {e.Message}", e.IsPassing, e);
                _notes.Add($"{what} {e.Message}");
            }
            catch (InvalidDataException e)
            {
                throw new RepoFetchException($"{what} {url}: {e.Message}", isPassing: false, e);
            }
        }
    }

    private string? Refuse(SmallFile file)
    {
        string? fault = null;
        // A repository that is published between our two requests has a signature of another repomd.xml.
        for (int tries = 0; tries < MaxSignatureTries; tries++)
        {
            if (tries > 0)
                file = downloads.Small(file.Mirror.Below(RepomdPath), MaxRepomd) with { Mirror = file.Mirror };
            if (RefuseContent(file, out Repomd? repomd) is { } reason)
                return reason;
            if (!request.ChecksSignature)
            {
                _accepted = new AcceptedRepomd(file.Mirror, file.Bytes, repomd!, null, null);
                return null;
            }
            byte[] signature;
            try
            {
                signature = downloads.Small(file.Mirror.Below(SignaturePath), MaxSignature).Bytes;
            }
            catch (RepoFetchException e)
            {
                return $"its signature cannot be had: {e.Message}";
            }
            RepomdSignature found = RepomdSignature.Check(file.Bytes, signature, request.Keys, request.Fingerprints);
            if (found.Fingerprint is not null)
            {
                _accepted = new AcceptedRepomd(file.Mirror, file.Bytes, repomd!, signature, found.Fingerprint);
                return null;
            }
            fault = found.Fault;
        }
        return fault;
    }

    private string? RefuseContent(SmallFile file, out Repomd? repomd)
    {
        repomd = null;
        if (_metalink is { } metalink)
        {
            int version = metalink.Versions.TakeWhile(candidate => !candidate.IsOf(file.Bytes)).Count();
            if (version == metalink.Versions.Count)
                return string.Create(CultureInfo.InvariantCulture, $"is none of the {metalink.Versions.Count} that the metalink vouches for");
            if (version > 0)
                _notes.Add(string.Create(CultureInfo.InvariantCulture, $"{file.Mirror}: is number {version} of the metalink's older versions"));
        }
        try
        {
            repomd = Repomd.Read(new MemoryStream(file.Bytes));
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }
        if (repomd.Find("primary") is null)
            return "it names no primary.xml";
        // Of two, each reader takes the one that it likes.
        if (repomd.Data.Count(data => data.Type == "primary") > 1)
            return "it names more than one primary.xml";
        return known is { } last && repomd.Newest is { } newest && newest < last
            ? $"stale: its newest file is of {Time(newest)}, we have had {Time(last)} (--allow-older takes it)" : null;
    }

    private static string Time(decimal seconds) => seconds < 253402300800 // the year 10000
        ? DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds * 1000)).ToString("yyyy-MM-ddTHH:mm:ss.FFF'Z'", CultureInfo.InvariantCulture)
        : seconds.ToString(CultureInfo.InvariantCulture);
}
