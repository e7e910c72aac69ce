using System.CommandLine;
using Layerbox.Btrfs;

namespace Layerbox.Cmd.Subvol;

/// <summary>subvol-snapshot: makes a snapshot of a subvolume.</summary>
internal static class SubvolSnapshot
{
    public static Tool Declare()
    {
        Argument<string> source = new("SRC") { Description = "The subvolume to copy. Subvolumes inside it are not copied." };
        Argument<string> destination = new("DST") { Description = "Where the snapshot is made: on the same filesystem, and nothing there yet." };
        Option<bool> readOnly = new("--read-only") { Description = "Nobody may change it, so that it can be sent." };
        Command command = new("subvol-snapshot", "Snapshot a btrfs subvolume and print the copy as a JSON line.") { source, destination, readOnly };
        return new Tool(
            command,
            "subvol-snapshot --read-only /volume/draft /volume/draft.1",
            (args, io) => Run(args.GetRequiredValue(source), args.GetRequiredValue(destination), args.GetValue(readOnly), io));
    }

    private static int Run(string source, string destination, bool readOnly, Streams io)
    {
        Subvolume.Snapshot(source, destination, readOnly);
        io.WriteJsonLine(new SubvolumeJson(destination, Subvolume.Info(destination)), SubvolJson.Default.SubvolumeJson);
        return ExitStatus.Success;
    }
}
