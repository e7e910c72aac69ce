using System.CommandLine;
using System.Text.Json.Serialization;
using Layerbox.Btrfs;
using Layerbox.Cmd.Volumes;
using Layerbox.Posix;

namespace Layerbox.Cmd.Subvol;

/// <summary>subvol-gc: removes layers that nothing keeps, and what dead processes left behind.</summary>
internal static class SubvolGc
{
    private const string Name = "subvol-gc";

    public static Tool Declare()
    {
        Option<bool> dryRun = new("--dry-run", "-n") { Description = "Remove nothing; print what would be removed, and what is kept." };
        Option<bool> verbose = new("--verbose", "-v") { Description = "Print what is kept too, with the reason." };
        Option<string> grace = new("--grace")
        {
            Description = "Keep what was used so recently, such as 90s, 10m, 12h or 7d: a handle may be on its way through a pipe.",
            HelpName = "DURATION",
            DefaultValueFactory = _ => "10m",
        };
        Option<string?> volume = new("--volume") { HelpName = "DIR", Description = "The volume: a folder on btrfs, or one that volume-make made." };
        Command command = new(
            Name,
            "Remove what nothing needs any more from a volume. That is: layers that no handle written with --output names and no process uses, unfinished work of processes that died, and records of handles that are gone. "
            + "Each is a JSON line with the reason. Exit status 2 when something was found that it does not understand or cannot remove.")
        {
            dryRun, verbose, grace, volume,
        };
        return new Tool(
            command,
            "subvol-gc --dry-run\nsubvol-gc --grace 1h --volume /srv/layerbox",
            (args, io) => Run(args.GetValue(volume), Quantity.Duration(args.GetRequiredValue(grace), "--grace"), args.GetValue(dryRun), args.GetValue(verbose), io));
    }

    private static int Run(string? path, TimeSpan grace, bool isDryRun, bool isVerbose, Streams io)
    {
        if (Volume.OpenExisting(path) is not { } volume)
            return ExitStatus.Success;
        using GarbageCollector? collector = GarbageCollector.TryBegin(volume.Layers, grace, isDryRun);
        if (collector is null)
        {
            io.Err.WriteLine(PathText.Printable($"{Name}: {volume.Path}: another {Name} is at work here; nothing done"));
            return ExitStatus.Success;
        }
        int status = ExitStatus.Success;
        foreach (Collected item in collector.Run())
        {
            if (item.Outcome != CollectionOutcome.Kept || isVerbose || isDryRun)
                io.WriteJsonLine(CollectedLine.Of(item, isDryRun), VolumeJson.Default.CollectedLine);
            if (item.Outcome != CollectionOutcome.Unexpected)
                continue;
            io.Err.WriteLine(PathText.Printable($"{Name}: {System.IO.Path.Combine(volume.Path, item.Path)}: {item.Reason}"));
            status = ExitStatus.Trouble;
        }
        return status;
    }
}

/// <summary>A line of subvol-gc: exactly one of the first four members.</summary>
/// <param name="Removed">What was removed, relative to the volume.</param>
/// <param name="WouldRemove">The same in a dry run.</param>
/// <param name="Kept">What stays.</param>
/// <param name="Unexpected">What stays since it is not understood or resists.</param>
/// <param name="Reason">Why.</param>
/// <param name="Root">The path of the handle that it is about.</param>
/// <param name="RootB64">The same where it is not UTF-8.</param>
internal sealed record CollectedLine(
    string? Removed, string? WouldRemove, string? Kept, string? Unexpected, string Reason, string? Root, [property: JsonPropertyName("root_b64")] string? RootB64)
{
    public static CollectedLine Of(Collected item, bool isDryRun)
    {
        (string? root, string? base64) = item.Root is null ? (null, null) : PathJson.Split(item.Root);
        string path = PathText.Printable(item.Path);
        bool isRemoved = item.Outcome == CollectionOutcome.Removed;
        return new CollectedLine(
            isRemoved && !isDryRun ? path : null,
            isRemoved && isDryRun ? path : null,
            item.Outcome == CollectionOutcome.Kept ? path : null,
            item.Outcome == CollectionOutcome.Unexpected ? path : null,
            item.Reason, root, base64);
    }
}
