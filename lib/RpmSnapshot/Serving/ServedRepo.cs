namespace Layerbox.RpmSnapshot.Serving;

/// <summary>A repository that is served. What it has is read when it is first asked for. For the loop's thread alone.</summary>
internal sealed class ServedRepo(SnapshotStore store, SnapshotRepo repo, ServerWork work, Action<string> complain) : IDisposable
{
    // More than repositories have packages: it matters when somebody asks for one file in many spellings.
    private const int MaxKnown = 1 << 17;

    /// <summary>What was asked for before, as it was asked for, and is in the index: to be had without waiting.</summary>
    private readonly Dictionary<string, RepoFile?> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<Action>> _beingLookedUp = new(StringComparer.Ordinal);
    private List<Action>? _waiting;
    private RepoFiles? _former;

    public SnapshotRepo Repo => repo;

    /// <summary>What it has; null until it is known.</summary>
    public RepoFiles? Files { get; private set; }

    /// <summary>Why it cannot be known.</summary>
    public string? Problem { get; private set; }

    /// <summary>Reads what it has.</summary>
    /// <param name="then">Called later, on the loop: one of <see cref="Files"/> and <see cref="Problem"/> is there.</param>
    public void Read(Action then)
    {
        if (_waiting is not null)
        {
            _waiting.Add(then);
            return;
        }
        _waiting = [then];
        // The index that was of no use is not asked again.
        bool isWhole = _former is not null;
        work.Start(() =>
        {
            RepoFiles? files = null;
            string? problem = null;
            try
            {
                files = isWhole ? RepoFiles.Read(store, repo) : RepoFiles.Open(store, repo);
            }
            catch (Exception e) when (e is IOException or InvalidDataException)
            {
                problem = e.Message;
            }
            return () => Finish(files, problem);
        });
    }

    /// <summary>A file by its path. <see cref="Files"/> must be there.</summary>
    /// <param name="raw">The path, as it was asked for.</param>
    /// <param name="decoded">The same without percent signs.</param>
    /// <param name="file">The file; null when there is none.</param>
    /// <returns>False: that is not known yet. <see cref="Look"/> for it.</returns>
    public bool TryFind(string raw, string decoded, out RepoFile? file)
    {
        if (_known.TryGetValue(raw, out file))
            return true;
        if (!Files!.TryFind(store, raw, out file) || (file is null && !Files.TryFind(store, decoded, out file)))
            return false;
        if (file is not null && Files.IsIndexed)
            Remember(raw, file);
        return true;
    }

    /// <summary>Has a file looked up by a thread that can wait.</summary>
    /// <param name="raw">The path, as it was asked for.</param>
    /// <param name="decoded">The same without percent signs.</param>
    /// <param name="then">Called later, on the loop: it is known.</param>
    public void Look(string raw, string decoded, Action then)
    {
        if (_beingLookedUp.TryGetValue(raw, out List<Action>? waiting))
        {
            waiting.Add(then);
            return;
        }
        _beingLookedUp[raw] = [then];
        RepoFiles files = Files!;
        work.Start(() =>
        {
            bool isKnown = files.Look(store, raw, out RepoFile? file) && (file is not null || files.Look(store, decoded, out file));
            return () => Finish(raw, files, isKnown, file);
        });
    }

    public void Dispose()
    {
        Files?.Dispose();
        _former?.Dispose();
    }

    private void Remember(string raw, RepoFile? file)
    {
        if (_known.Count >= MaxKnown)
            _known.Clear();
        _known[raw] = file;
    }

    private void Finish(string raw, RepoFiles asked, bool isKnown, RepoFile? file)
    {
        _beingLookedUp.Remove(raw, out List<Action>? waiting);
        if (isKnown)
            Remember(raw, file);
        else if (Files == asked)
            (_former, Files) = (asked, null); // answers may still be on their way from it
        waiting!.ForEach(then => then());
    }

    private void Finish(RepoFiles? files, string? problem)
    {
        (Files, Problem) = (files, problem);
        if (problem is not null)
            complain(problem);
        else if (files!.IsRewritten && _former is null)
            complain($"{repo.Name}: it has files outside of itself: its metadata is changed to have them inside, and has no signature");
        List<Action> waiting = _waiting!;
        _waiting = null;
        waiting.ForEach(then => then());
    }
}

/// <summary>The repositories that are served, by the paths of requests.</summary>
internal sealed class ServedRepos : IDisposable
{
    private readonly Dictionary<string, Dictionary<string, ServedRepo>> _repos = new(StringComparer.Ordinal);

    /// <summary>Adds a repository.</summary>
    /// <param name="snapshot">What its snapshot is called.</param>
    /// <param name="repo">What it is.</param>
    public void Add(string snapshot, ServedRepo repo)
    {
        if (!_repos.TryGetValue(snapshot, out Dictionary<string, ServedRepo>? repos))
            _repos[snapshot] = repos = new(StringComparer.Ordinal);
        repos[repo.Repo.Name] = repo;
    }

    /// <summary>
    /// What a request's path leads to. Dots and double slashes in it are resolved as a client would, percent signs too; the outcome is only compared with
    /// names that are known.
    /// </summary>
    /// <param name="target">The path, with percent signs.</param>
    /// <param name="raw">The rest of it, below the repository.</param>
    /// <param name="decoded">The same without percent signs.</param>
    /// <returns>Null: to nothing.</returns>
    /// <exception cref="FormatException">It is no path, or leads above the root.</exception>
    public ServedRepo? Find(string target, out string raw, out string decoded)
    {
        List<string> parts = Resolve(target);
        raw = decoded = "";
        if (parts.Count < 3 || !_repos.TryGetValue(Decode(parts[0]), out Dictionary<string, ServedRepo>? repos) || !repos.TryGetValue(Decode(parts[1]), out ServedRepo? repo))
            return null;
        raw = parts.Count == 3 ? parts[2] : string.Join('/', parts[2..]);
        decoded = Decode(raw);
        return repo;
    }

    public void Dispose()
    {
        foreach (ServedRepo repo in _repos.Values.SelectMany(repos => repos.Values))
            repo.Dispose();
    }

    private static List<string> Resolve(string target)
    {
        if (!target.StartsWith('/'))
            throw new FormatException("what is asked for is no path");
        List<string> parts = [];
        foreach (Range range in target.AsSpan().Split('/'))
        {
            string part = target[range];
            switch (Decode(part))
            {
                case "" or ".":
                    break;
                case "..":
                    if (parts.Count == 0)
                        throw new FormatException("the path leads above the root");
                    parts.RemoveAt(parts.Count - 1);
                    break;
                case var decoded:
                    parts.Add(decoded.Contains('\0', StringComparison.Ordinal) ? throw new FormatException("the path has a NUL in it") : part);
                    break;
            }
        }
        return parts;
    }

    private static string Decode(string text) => text.Contains('%', StringComparison.Ordinal) ? Uri.UnescapeDataString(text) : text;
}
