using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-snapshot sync: repositories as they are now, whole or not at all.</summary>
internal static class RpmRepoSync
{
    private const string Name = "rpm-repo-snapshot";
    private const int MaxConnections = 64;

    public static int Run(string path, bool wait, string[] repos, string? tag, int connections, string? progressMode, Streams io)
    {
        List<RepoRequest> requests = [.. repos.Select(Parse).OrderBy(request => request.Name, StringComparer.Ordinal)];
        if (requests.Zip(requests.Skip(1)).FirstOrDefault(pair => pair.First.Name == pair.Second.Name) is { First: { } twice })
            throw new UsageException($"--repo {twice.Name}: given twice");
        if (connections is < 1 or > MaxConnections)
            throw new UsageException($"--connections {connections}: from 1 to {MaxConnections}");
        if (tag is not null)
            SnapshotStore.CheckTag(tag);
        CancellationToken cancellation = io.Cancellation;
        using SnapshotStore store = SnapshotStore.OpenForWriting(path, wait, create: true);
        List<RepoResult> results = [];
        using (Progress progress = Progress.Start(io, progressMode))
            foreach (RepoRequest request in requests)
                results.Add(RepoSync.Run(store, request, new RepoSyncOptions
                {
                    Connections = connections,
                    Cancellation = cancellation,
                    Progress = (what, done, total) => progress.Report($"{request.Name}: {what}", done, total),
                }));
        store.PutInPlace();
        if (results.Any(result => result.Repo is null))
            return Fail(results, io);
        Snapshot snapshot = new([.. results.Select(result => result.Repo!)]);
        bool isNew = store.Add(snapshot);
        if (tag is not null)
            store.Tag(tag, snapshot.Id);
        Tell(snapshot, isNew, tag, results, io);
        return ExitStatus.Success;
    }

    private static RepoRequest Parse(string text)
    {
        int equals = text.IndexOf('=');
        string name = equals < 0 ? "" : text[..equals];
        if (name.Length == 0 || !char.IsAsciiLetterOrDigit(name[0]) || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '+' or '-')))
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

    private static int Fail(List<RepoResult> results, Streams io)
    {
        foreach (RepoResult result in results)
            foreach (RepoFailure failure in result.Failures)
                io.Err.WriteLine(PathText.Printable($"{Name}: {result.Request.Name}: {failure.What}: {failure.Reason}"));
        int count = results.Sum(result => result.Failures.Count);
        io.Err.WriteLine($"{Name}: {count} {(count == 1 ? "thing" : "things")} could not be had, so there is no snapshot; what was fetched is kept for the next try");
        return ExitStatus.No;
    }

    private static void Tell(Snapshot snapshot, bool isNew, string? tag, List<RepoResult> results, Streams io)
    {
        using JsonLineWriter lines = new(io.Out);
        lines.StartLine();
        lines.Json.WriteString("snapshot", snapshot.Id);
        lines.Json.WriteBoolean("new", isNew);
        RpmRepoSnapshot.WriteText(lines.Json, "tag", tag);
        lines.Json.WriteStartArray("repos");
        foreach (RepoResult result in results)
        {
            lines.Json.WriteStartObject();
            lines.Json.WriteString("name", result.Request.Name);
            lines.Json.WriteString("url", result.Request.Url.ToString());
            RpmRepoSnapshot.WriteText(lines.Json, "revision", result.Repo!.Revision);
            lines.Json.WriteString("repomd", $"sha256:{result.Repo.Repomd}");
            lines.Json.WriteNumber("packages", result.Repo.Packages);
            lines.Json.WriteNumber("package_bytes", result.Repo.PackageBytes);
            lines.Json.WriteNumber("present", result.Present);
            lines.Json.WriteNumber("fetched", result.Fetched);
            lines.Json.WriteNumber("fetched_bytes", result.FetchedBytes);
            lines.Json.WriteEndObject();
        }
        lines.Json.WriteEndArray();
        lines.EndLine();
        lines.Flush();
    }
}
