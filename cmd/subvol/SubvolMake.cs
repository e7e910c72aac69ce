using System.CommandLine;
using Layerbox.Btrfs;

namespace Layerbox.Cmd.Subvol;

/// <summary>subvol-make: makes an empty subvolume.</summary>
internal static class SubvolMake
{
    public static Tool Declare()
    {
        Argument<string> path = new("PATH") { Description = "Where the subvolume is made; the directory above it must exist, on btrfs." };
        Option<string> quota = new("--quota")
        {
            Description = "Limit what it may hold; turns full quotas on for the filesystem where they are off (root only).",
            HelpName = "SIZE",
        };
        Command command = new("subvol-make", "Make an empty btrfs subvolume and print it as a JSON line.") { path, quota };
        return new Tool(command, "subvol-make /volume/scratch --quota 10G", (args, io) => Run(args.GetRequiredValue(path), args.GetValue(quota), io));
    }

    private static int Run(string path, string? quota, Streams io)
    {
        long? limit = quota is null ? null : Quantity.Bytes(quota, "--quota");
        Subvolume.Create(path);
        try
        {
            if (limit is { } bytes)
                QuotaLimit.Set(path, (ulong)bytes, "subvol-make", io);
        }
        catch
        {
            // All or nothing: without its limit it is not what was asked for.
            Subvolume.Delete(path);
            throw;
        }
        io.WriteJsonLine(new SubvolumeJson(path, Subvolume.Info(path)), SubvolJson.Default.SubvolumeJson);
        return ExitStatus.Success;
    }
}
