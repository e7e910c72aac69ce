using System.CommandLine;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-snapshot gc: removes snapshots that no rule keeps, and what they alone needed.</summary>
internal static class RpmRepoGc
{
    private sealed record Options(Option<string[]> Tags, Option<int> Last, Option<string?> Within, Option<string> Grace, Option<bool> DryRun, Option<bool> Objects, Option<string> Progress);

    public static RepoCommand Declare()
    {
        Options options = new(
            new("--keep-tag") { Description = "Keep what has a tag like this (* and ? stand for any); can be given several times. Without it every tag keeps.", HelpName = "PATTERN", AllowMultipleArgumentsPerToken = false },
            new("--keep-last") { Description = "Keep so many of the newest snapshots of each set of repositories.", HelpName = "N", DefaultValueFactory = _ => 1 },
            new("--keep-within") { Description = "Keep what is no older than this, such as 12h or 90d.", HelpName = "DURATION" },
            new("--grace") { Description = "Keep objects that no snapshot needs, and pieces of downloads, when they are no older: a sync that failed left them for the next.", HelpName = "DURATION", DefaultValueFactory = _ => "1d" },
            new("--dry-run", "-n") { Description = "Remove nothing; show what would be removed, and what is kept." },
            new("--objects") { Description = "Print a line for each object, too." },
            Cmd.Progress.Option());
        Command command = new(
            "gc",
            "Remove the snapshots that no rule keeps, with their tags, and then the objects that no snapshot needs. What any rule keeps is kept; pins always keep. Without rules all "
            + "that have a tag are kept, and the newest snapshot of each set of repositories.")
        { options.Tags, options.Last, options.Within, options.Grace, options.DryRun, options.Objects, options.Progress };
        return new RepoCommand(command, (args, at, io) => Run(args, options, at, io));
    }

    private static int Run(ParseResult args, Options options, StoreArgument at, Streams io)
    {
        int last = args.GetValue(options.Last);
        if (last < 0)
            throw new UsageException("--keep-last: from 0");
        CollectionPolicy policy = new(io.Clock.GetUtcNow())
        {
            Tags = args.GetValue(options.Tags) is { Length: > 0 } tags ? tags : ["*"],
            Last = last,
            Within = args.GetValue(options.Within) is { } within ? Quantity.Duration(within, "--keep-within") : null,
            Grace = Quantity.Duration(args.GetRequiredValue(options.Grace), "--grace"),
        };
        bool isDryRun = args.GetValue(options.DryRun);
        CancellationToken cancellation = io.Cancellation;
        using SnapshotStore store = isDryRun ? SnapshotStore.Open(at.Path) : SnapshotStore.OpenForWriting(at.Path, at.Wait);
        using StoreCollection collection = StoreCollection.Of(store, policy);
        using JsonLineWriter lines = new(io.Out);
        if (!isDryRun)
            using (Progress progress = Progress.Start(io, args.GetValue(options.Progress)))
                collection.Remove(progress.Counter("removing", unit: "files"), cancellation);
        Tell(collection, isDryRun, args.GetValue(options.Objects), lines);
        Sum(collection, isDryRun, lines);
        lines.Flush();
        return ExitStatus.Success;
    }

    private static void Tell(StoreCollection collection, bool isDryRun, bool withObjects, JsonLineWriter lines)
    {
        string removed = isDryRun ? "would_remove" : "removed";
        foreach (CollectedSnapshot snapshot in collection.Snapshots)
        {
            if (snapshot.IsKept && !isDryRun)
                continue;
            lines.StartLine();
            lines.Json.WriteString(snapshot.IsKept ? "kept" : removed, $"snapshots/{snapshot.Id}.json");
            lines.Json.WriteString("reason", snapshot.Reason);
            RpmRepoSnapshot.WriteNames(lines.Json, "tags", snapshot.Tags);
            lines.EndLine();
        }
        foreach (CollectedFile file in (withObjects ? collection.Objects : []).Concat(collection.Parts))
        {
            lines.StartLine();
            lines.Json.WriteString(removed, PathText.Printable(file.Name));
            lines.Json.WriteNumber("bytes", file.Bytes);
            lines.EndLine();
        }
    }

    private static void Sum(StoreCollection collection, bool isDryRun, JsonLineWriter lines)
    {
        lines.StartLine();
        lines.Json.WriteBoolean("dry_run", isDryRun);
        lines.Json.WriteNumber("snapshots", collection.Snapshots.Count(snapshot => !snapshot.IsKept));
        lines.Json.WriteNumber("objects", collection.Objects.Count);
        lines.Json.WriteNumber("bytes", collection.Objects.Concat(collection.Parts).Sum(file => file.Bytes));
        lines.Json.WriteNumber("kept_snapshots", collection.Snapshots.Count(snapshot => snapshot.IsKept));
        lines.Json.WriteNumber("kept_objects", collection.KeptObjects);
        lines.Json.WriteNumber("young_objects", collection.YoungObjects);
        lines.EndLine();
    }
}
