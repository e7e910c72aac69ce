using System.CommandLine;
using System.Globalization;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-snapshot export: plain repositories, for those who have no store.</summary>
internal static class RpmRepoExport
{
    private const string Name = "rpm-repo-snapshot";

    private sealed record Arguments(Argument<string> Snapshot, Option<string> Into, Option<string> Repo, Option<bool> HardLinks, Option<string> Progress);

    public static RepoCommand Declare()
    {
        Arguments options = new(
            new("SNAPSHOT") { Description = "A tag, an id, or the first digits of one." },
            new("--into") { Description = "The directory to be made, or an empty one: a folder for each repository. When it holds all of that already, nothing is done.", HelpName = "DIR", Required = true },
            new("--repo") { Description = "This repository alone: the directory is it.", HelpName = "NAME" },
            new("--hard-links") { Description = "Link to the store's own files where that can be. Nobody must change them then." },
            Cmd.Progress.Option());
        Command command = new("export", "Write a snapshot as plain repositories, with the original's bytes and signatures. Files share their data with the store where the filesystem can do that. "
            + "The directory appears whole or not at all.") { options.Snapshot, options.Into, options.Repo, options.HardLinks, options.Progress };
        return new RepoCommand(command, (args, at, io) => Run(args, options, at, io));
    }

    private static int Run(ParseResult args, Arguments options, StoreArgument at, Streams io)
    {
        CancellationToken cancellation = io.Cancellation;
        using SnapshotStore store = SnapshotStore.Open(at.Path);
        string id = store.Resolve(args.GetRequiredValue(options.Snapshot));
        IReadOnlyList<ExportedRepo> repos;
        bool isNew;
        using (Progress progress = Cmd.Progress.Start(io, args.GetValue(options.Progress)))
            (repos, isNew) = SnapshotExport.Write(store, store.Load(id), args.GetValue(options.Repo), args.GetRequiredValue(options.Into), args.GetValue(options.HardLinks), progress.Counter("exporting"), cancellation);
        using JsonLineWriter lines = new(io.Out);
        lines.StartLine();
        lines.Json.WriteString("snapshot", id);
        lines.Json.WriteBoolean("new", isNew);
        lines.Json.WriteStartArray("repos");
        foreach (ExportedRepo repo in repos)
        {
            lines.Json.WriteStartObject();
            lines.Json.WriteString("name", repo.Name);
            lines.Json.WriteString("path", PathText.Printable(repo.Path));
            lines.Json.WriteNumber("files", repo.Files);
            lines.Json.WriteNumber("bytes", repo.Bytes);
            lines.Json.WriteNumber("missing", repo.Missing);
            lines.Json.WriteBoolean("rewritten", repo.IsRewritten);
            lines.Json.WriteEndObject();
        }
        lines.Json.WriteEndArray();
        lines.EndLine();
        lines.Flush();
        foreach (ExportedRepo repo in repos.Where(repo => repo.Missing > 0))
            io.Err.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Name}: {repo.Name}: the snapshot lacks {repo.Missing} {(repo.Missing == 1 ? "package" : "packages")} of its metadata, and so does the directory"));
        return ExitStatus.Success;
    }
}
