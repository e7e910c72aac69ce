using System.Runtime.CompilerServices;
using Layerbox.Btrfs;

namespace Layerbox.Tests.Btrfs;

public class SubvolumeStructTests
{
    // What sizeof says of each struct of linux/btrfs.h.
    public static TheoryData<int, int, string> Sizes => new()
    {
        { 4096, Unsafe.SizeOf<VolArgsV2>(), "struct btrfs_ioctl_vol_args_v2" },
        { 504, Unsafe.SizeOf<GetSubvolInfoArgs>(), "struct btrfs_ioctl_get_subvol_info_args" },
        { 16, Unsafe.SizeOf<IoctlTimespec>(), "struct btrfs_ioctl_timespec" },
        { 1024, Unsafe.SizeOf<FsInfoArgs>(), "struct btrfs_ioctl_fs_info_args" },
        { 4096, Unsafe.SizeOf<GetSubvolRootrefArgs>(), "struct btrfs_ioctl_get_subvol_rootref_args" },
        { 4096, Unsafe.SizeOf<InoLookupArgs>(), "struct btrfs_ioctl_ino_lookup_args" },
        { 4096, Unsafe.SizeOf<InoLookupUserArgs>(), "struct btrfs_ioctl_ino_lookup_user_args" },
        { 112, Unsafe.SizeOf<SearchArgsV2>(), "struct btrfs_ioctl_search_args_v2" },
        { 32, Unsafe.SizeOf<SearchHeader>(), "struct btrfs_ioctl_search_header" },
        { 16, Unsafe.SizeOf<QuotaCtlArgs>(), "struct btrfs_ioctl_quota_ctl_args" },
        { 48, Unsafe.SizeOf<QgroupLimitArgs>(), "struct btrfs_ioctl_qgroup_limit_args" },
        { 72, Unsafe.SizeOf<SendArgs>(), "struct btrfs_ioctl_send_args" },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Is_as_large_as_in_the_kernel_header(int expected, int actual, string name) =>
        Assert.Equal((name, expected), (name, actual));
}
