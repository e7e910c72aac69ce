using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>How a filesystem accounts for what its subvolumes hold.</summary>
public enum QuotaMode
{
    Off,

    /// <summary>Shared and exclusive bytes, exact and costly where there are many snapshots. Can be turned off without a trace.</summary>
    Full,

    /// <summary>Each extent belongs to the subvolume that first wrote it: nearly free. Older kernels than 6.7 can no longer mount the filesystem.</summary>
    Simple,
}

/// <summary>What a subvolume holds and may hold, in bytes; a limit of null is none.</summary>
public sealed record QuotaUsage(ulong Referenced, ulong Exclusive, ulong? MaxReferenced, ulong? MaxExclusive);

/// <summary>Quota groups of btrfs, as far as one for each subvolume goes.</summary>
public static class Quota
{
    // BTRFS_IOC_QUOTA_CTL = _IOWR(0x94, 40, struct btrfs_ioctl_quota_ctl_args)
    private const nuint BTRFS_IOC_QUOTA_CTL = 0xC0109428;
    // BTRFS_IOC_QGROUP_LIMIT = _IOR(0x94, 43, struct btrfs_ioctl_qgroup_limit_args)
    private const nuint BTRFS_IOC_QGROUP_LIMIT = 0x8030942B;
    // BTRFS_IOC_QUOTA_RESCAN_WAIT = _IO(0x94, 46)
    private const nuint BTRFS_IOC_QUOTA_RESCAN_WAIT = 0x942E;

    private const ulong BTRFS_QUOTA_CTL_ENABLE = 1, BTRFS_QUOTA_CTL_DISABLE = 2, BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA = 4;
    private const ulong BTRFS_QGROUP_LIMIT_MAX_RFER = 1, BTRFS_QGROUP_LIMIT_MAX_EXCL = 2;

    // linux/btrfs_tree.h
    private const ulong BTRFS_QUOTA_TREE_OBJECTID = 8;
    private const uint BTRFS_QGROUP_STATUS_KEY = 240, BTRFS_QGROUP_INFO_KEY = 242, BTRFS_QGROUP_LIMIT_KEY = 244;
    private const ulong BTRFS_QGROUP_STATUS_FLAG_ON = 1 << 0, BTRFS_QGROUP_STATUS_FLAG_SIMPLE_MODE = 1 << 3;

    /// <summary>How the filesystem that holds the path accounts. Needs CAP_SYS_ADMIN.</summary>
    public static QuotaMode Mode(string path)
    {
        using SafeFileHandle directory = Directories.Open(path);
        return Mode(directory, path);
    }

    /// <summary>Turns accounting on or off for the whole filesystem; with <see cref="QuotaMode.Full"/> waits until what is there is counted.</summary>
    /// <exception cref="PosixException">EOPNOTSUPP: another mode is on, or the kernel knows no simple quotas.</exception>
    public static void SetMode(string path, QuotaMode mode)
    {
        const string Call = "quota control";
        using SafeFileHandle directory = Directories.Open(path);
        QuotaMode before = Mode(directory, path);
        if (mode == before)
            return;
        if (mode != QuotaMode.Off && before != QuotaMode.Off)
            throw new PosixException(Call, Errno.EEXIST, path, $"{Name(before)} quotas are on: turn them off first");
        QuotaCtlArgs args = new()
        {
            Command = mode switch
            {
                QuotaMode.Full => BTRFS_QUOTA_CTL_ENABLE,
                QuotaMode.Simple => BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA,
                _ => BTRFS_QUOTA_CTL_DISABLE,
            },
        };
        try
        {
            SubvolumeIoctl.Run(directory, BTRFS_IOC_QUOTA_CTL, ref args, Call, path);
        }
        catch (PosixException e) when (e.Errno == Errno.EINVAL && mode == QuotaMode.Simple)
        {
            throw new PosixException(Call, Errno.EOPNOTSUPP, path, "simple quotas need Linux 6.7 or newer");
        }
        ulong none = 0;
        if (mode == QuotaMode.Full)
            SubvolumeIoctl.Run(directory, BTRFS_IOC_QUOTA_RESCAN_WAIT, ref none, "quota rescan", path);
    }

    /// <summary>Limits what the subvolume may refer to; null lifts the limit. Quotas must be on.</summary>
    public static void SetLimit(string path, ulong? maxReferenced)
    {
        const string Call = "quota limit";
        // -1 is "none" to the kernel.
        using SafeFileHandle subvolume = Subvolume.Open(path, Call);
        QgroupLimitArgs args = new()
        {
            QgroupId = Subvolume.Info(subvolume, path).Id,
            Flags = BTRFS_QGROUP_LIMIT_MAX_RFER,
            MaxReferenced = maxReferenced ?? ulong.MaxValue,
        };
        try
        {
            SubvolumeIoctl.Run(subvolume, BTRFS_IOC_QGROUP_LIMIT, ref args, Call, path);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOTCONN or Errno.EINVAL or Errno.ENOENT)
        {
            throw new PosixException(Call, e.Errno, path, "quotas are off on this filesystem");
        }
    }

    /// <summary>What the subvolume held when the filesystem last committed (<see cref="Subvolume.Sync(string)"/> makes that now); null when quotas are off. Needs CAP_SYS_ADMIN.</summary>
    public static QuotaUsage? Usage(string path)
    {
        using SafeFileHandle subvolume = Subvolume.Open(path, "quota usage");
        ulong id = Subvolume.Info(subvolume, path).Id;
        // struct btrfs_qgroup_info_item { u64 generation, rfer, rfer_cmpr, excl, excl_cmpr; }
        // struct btrfs_qgroup_limit_item { u64 flags, max_rfer, max_excl, rsv_rfer, rsv_excl; }
        if (Find(subvolume, BTRFS_QGROUP_INFO_KEY, id, path) is not [_, var referenced, _, var exclusive, ..])
            return null;
        return Find(subvolume, BTRFS_QGROUP_LIMIT_KEY, id, path) is [var flags, var maxReferenced, var maxExclusive, ..]
            ? new QuotaUsage(
                referenced,
                exclusive,
                (flags & BTRFS_QGROUP_LIMIT_MAX_RFER) != 0 ? maxReferenced : null,
                (flags & BTRFS_QGROUP_LIMIT_MAX_EXCL) != 0 ? maxExclusive : null)
            : new QuotaUsage(referenced, exclusive, null, null);
    }

    private static QuotaMode Mode(SafeFileHandle directory, string path)
    {
        // struct btrfs_qgroup_status_item { u64 version, generation, flags, rescan; }
        if (Find(directory, BTRFS_QGROUP_STATUS_KEY, 0, path) is not [_, _, var flags, ..] || (flags & BTRFS_QGROUP_STATUS_FLAG_ON) == 0)
            return QuotaMode.Off;
        return (flags & BTRFS_QGROUP_STATUS_FLAG_SIMPLE_MODE) != 0 ? QuotaMode.Simple : QuotaMode.Full;
    }

    // All items of the quota tree are made of u64.
    private static ulong[]? Find(SafeFileHandle directory, uint type, ulong offset, string path)
    {
        try
        {
            foreach (TreeItem item in new SubvolumeTreeSearch(directory, path, new SearchArgsV2
            {
                TreeId = BTRFS_QUOTA_TREE_OBJECTID,
                MinType = type,
                MaxType = type,
                MinOffset = offset,
                MaxOffset = offset,
            }))
            {
                ulong[] fields = new ulong[item.Data.Length / sizeof(ulong)];
                for (int i = 0; i < fields.Length; i++)
                    fields[i] = item.UInt64(i * sizeof(ulong));
                return fields;
            }
            return null;
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
    }

    private static string Name(QuotaMode mode) => mode == QuotaMode.Full ? "full" : "simple";
}
