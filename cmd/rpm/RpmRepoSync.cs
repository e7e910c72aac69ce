using System.CommandLine;
using System.Globalization;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-snapshot sync: repositories as they are now, whole or not at all.</summary>
internal static class RpmRepoSync
{
    private const string Name = "rpm-repo-snapshot";
    private const int MaxConnections = 64, MaxShards = 1000;

    /// <summary>With --changed-exit: done, and the snapshot is the one that the last sync had.</summary>
    private const int Unchanged = 3;

    private sealed record Arguments(
        Option<string> Config, Option<string[]> Repos, Option<string> Tag, Option<int> Connections, Option<bool> Plan, Option<bool> Quiet, Option<bool> ChangedExit, Option<bool> AllowOlder, Option<bool> AllowMissing,
        Option<bool> RefuseMutated, Option<string> Shard, Option<string> Storage, TransportOptions Transport, Option<string> Progress);

    public static RepoCommand Declare()
    {
        Arguments options = new(
            new("--config") { Description = "A file of JSON that says which repositories, and how they are spoken to (docs/rpm.md).", HelpName = "FILE" },
            new("--repo") { Description = "A repository: what it is to be called, and where it is (file:, http:// or https://). Once for each repository of the snapshot.", HelpName = "NAME=URL", AllowMultipleArgumentsPerToken = false },
            new("--tag") { Description = "Also give the snapshot this name, which another may have had.", HelpName = "TAG" },
            new("--connections") { Description = "Files of a repository fetched at the same time.", DefaultValueFactory = _ => 8, HelpName = "N" },
            new("--plan") { Description = "Fetch the metadata only, and list which packages would be fetched from where. Makes no snapshot." },
            new("--quiet") { Description = "Print nothing when all is well: for cron. Failures and packages that got other bytes are told." },
            new("--changed-exit") { Description = "Exit with status 3 when all is as it was at the last sync." },
            new("--allow-older") { Description = "Take a repository although it is older than it was at the last sync." },
            new("--allow-missing") { Description = "Make a snapshot although packages could not be had; it says which. They are told, and the exit status is 0." },
            new("--refuse-mutated") { Description = "Fail when a package has other bytes than it had under the same name and version." },
            new("--shard") { Description = "Fetch this part of the packages only, and make no snapshot: for several machines, 1/3, 2/3 and 3/3. A sync with all their objects then makes it.", HelpName = "I/N" },
            RpmRepoStorage.Option(isRequired: false),
            new TransportOptions(),
            Cmd.Progress.Option(onTerminalOnly: true));
        Command command = new("sync", "Fetch what the repositories are now into a snapshot. What the store has is not fetched again. When anything cannot be had, all of that is told, "
            + "the exit status is 1 and there is no snapshot; what was fetched serves the next try.")
        {
            options.Config, options.Repos, options.Tag, options.Connections, options.Plan, options.Quiet, options.ChangedExit, options.AllowOlder, options.AllowMissing, options.RefuseMutated, options.Shard, options.Storage, options.Progress,
        };
        options.Transport.AddTo(command);
        return new RepoCommand(command, (args, at, io) => Run(args, options, at, io));
    }

    private static int Run(ParseResult args, Arguments options, StoreArgument at, Streams io)
    {
        List<RepoRequest> requests = Requests(args.GetValue(options.Config), args.GetValue(options.Repos) ?? []);
        int connections = args.GetValue(options.Connections);
        if (connections is < 1 or > MaxConnections)
            throw new UsageException($"--connections {connections}: from 1 to {MaxConnections}");
        string? tag = args.GetValue(options.Tag);
        if (tag is not null)
            SnapshotStore.CheckTag(tag);
        bool isPlan = args.GetValue(options.Plan), isQuiet = args.GetValue(options.Quiet);
        ObjectStorage? storage = args.GetValue(options.Storage) is { } place ? RpmRepoStorage.Parse(place) : null;
        RepoShard? shard = Shard(args.GetValue(options.Shard));
        if (tag is not null && (isPlan || shard is not null))
            throw new UsageException($"--tag: {(isPlan ? "--plan" : "--shard")} makes no snapshot");
        using JsonLineWriter lines = new(io.Out);
        RepoSyncOptions how = new()
        {
            Connections = connections,
            Transport = options.Transport.Read(args),
            AllowsOlder = args.GetValue(options.AllowOlder),
            AllowsMissing = args.GetValue(options.AllowMissing),
            Shard = shard,
            Cancellation = io.Cancellation,
        };
        foreach (RepoRequest request in requests.Where(request => !request.Connection.VerifiesTls))
            io.Err.WriteLine($"{Name}: {request.Name}: warning: tls_verify is off: anyone may answer in its servers' place");
        using SnapshotStore store = SnapshotStore.OpenForWriting(at.Path, at.Wait, create: true);
        List<RepoResult> results = [];
        using (Progress progress = Progress.Start(io, isQuiet ? "none" : args.GetValue(options.Progress), onTerminalOnly: true))
            foreach (RepoRequest request in requests)
                results.Add(RepoSync.Run(store, request, how with
                {
                    Plan = isPlan ? fetch => TellPlanned(request, fetch, lines) : null,
                    Progress = done => progress.Report($"{request.Name}: {done.What}", done.Bytes, done.AllBytes, files: (done.Files, done.AllFiles)),
                }));
        store.PutInPlace();
        lines.Flush();
        TellTroubles(results, isQuiet, io);
        if (results.Exists(result => result.Failures.Count > 0 && result.Repo is null))
            return Fail(results, io);
        if (isPlan || shard is not null)
        {
            if (!isPlan && !isQuiet)
                TellShard(shard!, results, lines);
            return ExitStatus.Success;
        }
        Snapshot snapshot = new([.. results.Select(result => result.Repo!)]);
        List<PackageMutation> mutations = PackageMutation.Find(store, snapshot);
        foreach (PackageMutation mutation in mutations)
            io.Err.WriteLine(PathText.Printable($"{Name}: {mutation.Repo}: {mutation.Nevra}: has other bytes{(mutation.Universe is null ? "" : $" in the universe {mutation.Universe}")}: {mutation.To}, was {mutation.From}"));
        if (mutations.Count > 0 && args.GetValue(options.RefuseMutated))
        {
            io.Err.WriteLine($"{Name}: {Count(mutations.Count, "package")} changed under the same name and version, so there is no snapshot (--refuse-mutated)");
            return ExitStatus.No;
        }
        bool isUnchanged = results.TrueForAll(result => RepoMemory.Of(store, result.Request.Name, result.Request.Universe)?.Snapshot == snapshot.Id);
        // Who sees the snapshot here may rely on its being there, too.
        if (storage is not null)
            StorageTransfer.Push(store, snapshot, storage, cancellation: how.Cancellation);
        bool isNew = Commit(store, snapshot, tag, results);
        if (!isQuiet)
            SyncReport.Write(lines, snapshot, isNew, tag, results, mutations);
        return isUnchanged && args.GetValue(options.ChangedExit) ? Unchanged : ExitStatus.Success;
    }

    private static bool Commit(SnapshotStore store, Snapshot snapshot, string? tag, List<RepoResult> results)
    {
        bool isNew = store.Add(snapshot);
        if (tag is not null)
            store.Tag(tag, snapshot.Id);
        foreach (RepoResult result in results)
            new RepoMemory(result.Newest, snapshot.Id).Save(store, result.Request.Name, result.Request.Universe);
        return isNew;
    }

    private static List<RepoRequest> Requests(string? config, string[] repos)
    {
        if (config is null == (repos.Length == 0))
            throw new UsageException("one of --config FILE and --repo NAME=URL is needed");
        if (config is not null)
            return ReposFile.Read(config);
        List<RepoRequest> requests = [.. repos.Select(Parse).OrderBy(request => request.Name, StringComparer.Ordinal)];
        return requests.Zip(requests.Skip(1)).FirstOrDefault(pair => pair.First.Name == pair.Second.Name) is { First: { } twice } ? throw new UsageException($"--repo {twice.Name}: given twice") : requests;
    }

    private static RepoRequest Parse(string text)
    {
        int equals = text.IndexOf('=');
        string name = equals < 0 ? "" : text[..equals];
        if (!RepoRequest.IsName(name))
            throw new UsageException($"--repo '{text}' is not of the form NAME=URL, the name of letters, digits and ._+-");
        try
        {
            return new RepoRequest(name, RepoUrl.Parse(text[(equals + 1)..]));
        }
        catch (FormatException e)
        {
            throw new UsageException($"--repo {name}: {e.Message}");
        }
    }

    private static RepoShard? Shard(string? text)
    {
        if (text is null)
            return null;
        string[] parts = text.Split('/');
        return parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int index) && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            && index >= 1 && index <= count && count <= MaxShards ? new RepoShard(index, count) : throw new UsageException($"--shard {text}: expected I/N, such as 1/3, with N up to {MaxShards}");
    }

    private static void TellTroubles(List<RepoResult> results, bool isQuiet, Streams io)
    {
        foreach (RepoResult result in results)
        {
            if (!isQuiet)
                foreach (string note in result.Notes)
                    io.Err.WriteLine(PathText.Printable($"{Name}: {result.Request.Name}: {note}"));
            foreach (RepoFailure failure in result.Failures)
                io.Err.WriteLine(PathText.Printable($"{Name}: {result.Request.Name}: {failure.What}: {failure.Reason}"));
            if (result.Repo is { Missing.Count: > 0 } repo)
                io.Err.WriteLine($"{Name}: {result.Request.Name}: {Count(repo.Missing.Count, "package")} will be missing from the snapshot (--allow-missing)");
        }
    }

    private static int Fail(List<RepoResult> results, Streams io)
    {
        int count = results.Sum(result => result.Repo is null ? result.Failures.Count : 0);
        io.Err.WriteLine($"{Name}: {Count(count, "thing")} could not be had, so there is no snapshot; what was fetched is kept for the next try");
        return ExitStatus.No;
    }

    private static string Count(int count, string what) => string.Create(CultureInfo.InvariantCulture, $"{count} {what}{(count == 1 ? "" : "s")}");

    private static void TellPlanned(RepoRequest request, PlannedFetch fetch, JsonLineWriter lines)
    {
        lines.StartLine();
        lines.Json.WriteString("repo", request.Name);
        lines.Json.WriteString("fetch", PathText.Printable(fetch.What));
        lines.Json.WriteString("url", PathText.Printable(fetch.Url.ToString()));
        if (fetch.Size is { } size)
            lines.Json.WriteNumber("size", size);
        lines.EndLine();
    }

    private static void TellShard(RepoShard shard, List<RepoResult> results, JsonLineWriter lines)
    {
        lines.StartLine();
        lines.Json.WriteString("shard", string.Create(CultureInfo.InvariantCulture, $"{shard.Index}/{shard.Count}"));
        lines.Json.WriteStartArray("repos");
        foreach (RepoResult result in results)
        {
            lines.Json.WriteStartObject();
            lines.Json.WriteString("name", result.Request.Name);
            lines.Json.WriteNumber("packages", result.ShardPackages ?? 0);
            SyncReport.WriteCounts(lines.Json, result);
            lines.Json.WriteEndObject();
        }
        lines.Json.WriteEndArray();
        lines.EndLine();
        lines.Flush();
    }
}
