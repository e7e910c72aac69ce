using Layerbox.Btrfs;

namespace Layerbox.Cmd.Subvol;

/// <summary>Sets a limit for the tools that take --quota.</summary>
internal static class QuotaLimit
{
    /// <summary>Limits a subvolume, turning quotas on first where they are off; that is said, since it concerns the whole filesystem.</summary>
    public static void Set(string path, ulong limit, string tool, Streams io)
    {
        if (Quota.Mode(path) == QuotaMode.Off)
        {
            // Full ones: simple ones would keep older kernels, and perhaps the boot loader, from reading the filesystem for ever.
            Quota.SetMode(path, QuotaMode.Full);
            io.Err.WriteLine($"{tool}: quotas were off on filesystem {Subvolume.FilesystemUuid(path)}: full quotas are now on");
        }
        Quota.SetLimit(path, limit);
    }
}
