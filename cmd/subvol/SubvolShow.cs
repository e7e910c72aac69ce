using System.CommandLine;
using Layerbox.Btrfs;
using Layerbox.Posix;

namespace Layerbox.Cmd.Subvol;

/// <summary>subvol-show: says what the filesystem knows of a subvolume.</summary>
internal static class SubvolShow
{
    public static Tool Declare()
    {
        Argument<string> path = new("PATH") { Description = "The subvolume." };
        Command command = new("subvol-show", "Show a btrfs subvolume as a JSON line; root also sees whether it is the default one, and its quota.") { path };
        return new Tool(command, "subvol-show /volume/draft", (args, io) => Run(args.GetRequiredValue(path), io));
    }

    private static int Run(string path, Streams io)
    {
        io.WriteJsonLine(Show(path), SubvolJson.Default.SubvolumeJson);
        return ExitStatus.Success;
    }

    /// <summary>All that can be learned of a subvolume with the privilege at hand.</summary>
    internal static SubvolumeJson Show(string path)
    {
        SubvolumeJson shown = new(path, Subvolume.Info(path));
        try
        {
            return shown with
            {
                Default = Subvolume.GetDefault(path) == shown.Id,
                Quota = Quota.Usage(path) is { } usage
                    ? new QuotaJson(usage.Referenced, usage.Exclusive, usage.MaxReferenced, usage.MaxExclusive)
                    : null,
            };
        }
        catch (PosixException e) when (e.Errno == Errno.EPERM)
        {
            return shown;
        }
    }
}
