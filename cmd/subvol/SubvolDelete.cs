using System.CommandLine;
using Layerbox.Btrfs;
using Layerbox.Posix;

namespace Layerbox.Cmd.Subvol;

/// <summary>subvol-delete: deletes subvolumes.</summary>
internal static class SubvolDelete
{
    public static Tool Declare()
    {
        Argument<string[]> paths = new("PATH") { Description = "The subvolumes to delete.", Arity = ArgumentArity.OneOrMore };
        Option<bool> recursive = new("--recursive", "-r") { Description = "Delete the subvolumes inside too, deepest first, read-only ones included." };
        Option<bool> dryRun = new("--dry-run", "-n") { Description = "Print what would be deleted, and delete nothing." };
        Command command = new("subvol-delete", "Delete btrfs subvolumes and print each as a JSON line. A failure does not keep the others from being deleted.")
        {
            paths, recursive, dryRun,
        };
        return new Tool(
            command,
            "subvol-delete --recursive /volume/scratch",
            (args, io) => Run(args.GetRequiredValue(paths), args.GetValue(recursive), args.GetValue(dryRun), io));
    }

    private static int Run(string[] paths, bool recursive, bool dryRun, Streams io)
    {
        int status = ExitStatus.Success;
        foreach (string path in paths)
        {
            try
            {
                if (dryRun)
                    foreach (SubvolumeEntry entry in Subvolume.Deletions(path, recursive))
                        Write(entry, io);
                else
                    Subvolume.Delete(path, recursive, entry => Write(entry, io));
            }
            catch (PosixException e) when (e.Path != FdStream.StandardOutput.Name)
            {
                io.Err.WriteLine(PathText.Printable($"subvol-delete: {e.Message}"));
                status = ExitStatus.Trouble;
            }
        }
        return status;
    }

    private static void Write(SubvolumeEntry entry, Streams io) =>
        io.WriteJsonLine(new SubvolumeJson(entry.Path, entry.Info), SubvolJson.Default.SubvolumeJson);
}
