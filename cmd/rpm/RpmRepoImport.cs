using System.CommandLine;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-snapshot import: plain repositories and other stores.</summary>
internal static class RpmRepoImport
{
    private const string Name = "rpm-repo-snapshot";

    private sealed record Arguments(Argument<string> From, Argument<string[]> Snapshots, Option<string> Repo, Option<string> Tag, Option<string> Progress);

    public static RepoCommand Declare()
    {
        Arguments options = new(
            new("FROM") { Description = "A directory with repodata/ in it, or another store." },
            new("SNAPSHOT") { Description = "Of another store: which of its snapshots. All, if none is named.", Arity = ArgumentArity.ZeroOrMore },
            new("--repo") { Description = "Of a directory: what the repository is to be called.", HelpName = "NAME" },
            new("--tag") { Description = "Also give the snapshot this name, which another may have had.", HelpName = "TAG" },
            Cmd.Progress.Option());
        Command command = new("import", "Make a snapshot of a plain repository, as reposync and export write it, or take snapshots of another store with their objects. Every byte is compared with a digest; "
            + "data is shared where the filesystem can do that. Exit status 1 when anything is missing or damaged: that is told, and what lacks it is not taken.")
        {
            options.From, options.Snapshots, options.Repo, options.Tag, options.Progress,
        };
        return new RepoCommand(command, (args, at, io) => Run(args, options, at, io));
    }

    private static int Run(ParseResult args, Arguments options, StoreArgument at, Streams io)
    {
        string from = args.GetRequiredValue(options.From);
        string[] names = args.GetValue(options.Snapshots) ?? [];
        string? repo = args.GetValue(options.Repo), tag = args.GetValue(options.Tag), progressMode = args.GetValue(options.Progress);
        if (tag is not null)
            SnapshotStore.CheckTag(tag);
        if (Files.Exists(Path.Join(from, RepoFiles.RepomdPath)))
        {
            if (names.Length > 0)
                throw new UsageException($"{names[0]}: {from} is a repository, of which there is one snapshot");
            if (repo is null || !RepoRequest.IsName(repo))
                throw new UsageException(repo is null ? "--repo NAME: what the repository is to be called" : $"--repo '{repo}': letters, digits and ._+-");
            return Take((store, progress, cancellation) => StoreImport.Directory(Path.GetFullPath(from), store, repo, progress, cancellation), tag, at, progressMode, io);
        }
        if (repo is not null)
            throw new UsageException($"--repo: there is no {RepoFiles.RepomdPath} in {from}");
        using SnapshotStore other = SnapshotStore.Open(from);
        List<string> ids = names.Length == 0 ? [.. other.SnapshotIds()] : [.. names.Select(other.Resolve).Distinct()];
        if (tag is not null && ids.Count != 1)
            throw new UsageException("--tag: for one snapshot");
        return Take((store, progress, cancellation) => StoreImport.Store(other, store, ids, progress, cancellation), tag, at, progressMode, io);
    }

    private static int Take(Func<SnapshotStore, Action<long>, CancellationToken, ImportResult> import, string? tag, StoreArgument at, string? progressMode, Streams io)
    {
        CancellationToken cancellation = io.Cancellation;
        using SnapshotStore store = SnapshotStore.OpenForWriting(at.Path, at.Wait, create: true);
        ImportResult result;
        using (Progress progress = Cmd.Progress.Start(io, progressMode))
            result = import(store, progress.Counter("importing"), cancellation);
        using JsonLineWriter lines = new(io.Out);
        foreach ((string id, bool isNew) in result.Snapshots)
        {
            if (tag is not null)
                store.Tag(tag, id);
            Tell(lines, id, isNew, tag);
        }
        lines.Flush();
        foreach (string failure in result.Failures)
            io.Err.WriteLine(PathText.Printable($"{Name}: {failure}"));
        return result.Failures.Count == 0 ? ExitStatus.Success : ExitStatus.No;
    }

    private static void Tell(JsonLineWriter lines, string id, bool isNew, string? tag)
    {
        lines.StartLine();
        lines.Json.WriteString("snapshot", id);
        lines.Json.WriteBoolean("new", isNew);
        RpmRepoSnapshot.WriteText(lines.Json, "tag", tag);
        lines.EndLine();
    }
}
