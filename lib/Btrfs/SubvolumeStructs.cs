using System.Runtime.InteropServices;

namespace Layerbox.Btrfs;

/// <summary>struct btrfs_ioctl_vol_args_v2. The union over <c>name</c> holds the id with BTRFS_SUBVOL_SPEC_BY_ID.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct VolArgsV2
{
    public const int NameMax = 4039;
    public const ulong BTRFS_SUBVOL_RDONLY = 1 << 1;

    public long Fd;
    public ulong Transid;
    public ulong Flags;
    public fixed ulong Unused[4];
    public fixed byte Name[NameMax + 1];

    public void SetName(ReadOnlySpan<byte> name)
    {
        fixed (byte* p = Name)
            name.CopyTo(new Span<byte>(p, NameMax));
    }
}

/// <summary>struct btrfs_ioctl_timespec: padded to 16 bytes, unlike its counterpart on disk.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoctlTimespec
{
    public ulong Seconds;
    public uint Nanoseconds;
    private readonly uint _padding;
}

/// <summary>struct btrfs_ioctl_get_subvol_info_args.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct GetSubvolInfoArgs
{
    public ulong TreeId;
    public fixed byte Name[256];
    public ulong ParentId, DirId, Generation, Flags;
    public fixed byte Uuid[16];
    public fixed byte ParentUuid[16];
    public fixed byte ReceivedUuid[16];
    public ulong CTransid, OTransid, STransid, RTransid;
    public IoctlTimespec CTime, OTime, STime, RTime;
    public fixed ulong Reserved[8];
}

/// <summary>struct btrfs_ioctl_fs_info_args.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct FsInfoArgs
{
    public ulong MaxId, NumDevices;
    public fixed byte Fsid[16];
    public uint NodeSize, SectorSize, CloneAlignment;
    public ushort CsumType, CsumSize;
    public ulong Flags, Generation;
    public fixed byte MetadataUuid[16];
    public fixed byte Reserved[944];
}

/// <summary>struct btrfs_ioctl_get_subvol_rootref_args: pairs of (treeid, dirid), then how many there are.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct GetSubvolRootrefArgs
{
    public const int Max = 255;

    public ulong MinTreeId;
    public fixed ulong RootRefs[2 * Max];
    public byte NumItems;
    public fixed byte Align[7];
}

/// <summary>struct btrfs_ioctl_ino_lookup_args.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct InoLookupArgs
{
    public const int PathMax = 4080;

    public ulong TreeId, ObjectId;
    public fixed byte Path[PathMax];
}

/// <summary>struct btrfs_ioctl_ino_lookup_user_args.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct InoLookupUserArgs
{
    public const int NameMax = 255, PathMax = 4080 - NameMax - 1;

    public ulong DirId, TreeId;
    public fixed byte Name[NameMax + 1];
    public fixed byte Path[PathMax];
}

/// <summary>struct btrfs_ioctl_search_key, followed by buf_size as in struct btrfs_ioctl_search_args_v2.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SearchArgsV2
{
    public ulong TreeId, MinObjectId, MaxObjectId, MinOffset, MaxOffset, MinTransid, MaxTransid;
    public uint MinType, MaxType, ItemCount;
    private readonly uint _unused;
    private readonly ulong _unused1, _unused2, _unused3, _unused4;
    public ulong BufferSize;
}

/// <summary>struct btrfs_ioctl_search_header.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SearchHeader
{
    public ulong Transid, ObjectId, Offset;
    public uint Type, Length;
}

/// <summary>struct btrfs_ioctl_quota_ctl_args.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct QuotaCtlArgs
{
    public ulong Command, Status;
}

/// <summary>struct btrfs_ioctl_qgroup_limit_args, with its struct btrfs_qgroup_limit.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct QgroupLimitArgs
{
    public ulong QgroupId, Flags, MaxReferenced, MaxExclusive, ReservedReferenced, ReservedExclusive;
}

/// <summary>struct btrfs_ioctl_send_args.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SendArgs
{
    public long SendFd;
    public ulong CloneSourcesCount;
    public ulong* CloneSources;
    public ulong ParentRoot, Flags;
    public uint Version;
    public fixed byte Reserved[28];
}
