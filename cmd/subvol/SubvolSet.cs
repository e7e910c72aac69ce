using System.CommandLine;
using Layerbox.Btrfs;

namespace Layerbox.Cmd.Subvol;

/// <summary>subvol-set: changes what can be changed of a subvolume.</summary>
internal static class SubvolSet
{
    public static Tool Declare()
    {
        Argument<string> path = new("PATH") { Description = "The subvolume." };
        Option<bool?> readOnly = new("--read-only") { Description = "true: nobody may change it. false: writable again." };
        Option<bool> isDefault = new("--default") { Description = "Make it what a mount without subvol= shows." };
        Option<string> quota = new("--quota")
        {
            Description = "Limit what it may hold, or none; turns full quotas on for the filesystem where they are off.",
            HelpName = "SIZE|none",
        };
        Option<bool> force = new("--force") { Description = "Make even a received subvolume writable, after which nothing can be received on top of it." };
        Command command = new("subvol-set", "Change a btrfs subvolume and print it as a JSON line.") { path, readOnly, isDefault, quota, force };
        return new Tool(
            command,
            "subvol-set --read-only true --quota 10G /volume/draft",
            (args, io) => Run(
                args.GetRequiredValue(path),
                new Changes(args.GetValue(readOnly), args.GetValue(isDefault), args.GetValue(quota), args.GetValue(force)),
                io));
    }

    private static int Run(string path, Changes changes, Streams io)
    {
        if (changes is { ReadOnly: null, Default: false, Quota: null })
            throw new UsageException("nothing to change: give --read-only, --default or --quota");
        long? limit = changes.Quota is null or "none" ? null : Quantity.Bytes(changes.Quota, "--quota");
        if (changes is { ReadOnly: false, Force: false } && Subvolume.Info(path) is { IsReadOnly: true, ReceivedUuid: not null })
            throw new InvalidDataException($"{path}: was received, and would no longer be what was sent: snapshot it instead, or use --force");
        if (changes.Quota == "none")
            Quota.SetLimit(path, null);
        else if (limit is { } bytes)
            QuotaLimit.Set(path, (ulong)bytes, "subvol-set", io);
        if (changes.Default)
            Subvolume.SetDefault(path);
        if (changes.ReadOnly is { } readOnly)
            Subvolume.SetReadOnly(path, readOnly);
        io.WriteJsonLine(SubvolShow.Show(path), SubvolJson.Default.SubvolumeJson);
        return ExitStatus.Success;
    }

    private sealed record Changes(bool? ReadOnly, bool Default, string? Quota, bool Force);
}
