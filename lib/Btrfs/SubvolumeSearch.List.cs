using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

public static unsafe partial class SubvolumeSearch
{
    // btrfs_tree.h
    private const ulong BTRFS_ROOT_TREE_OBJECTID = 1, BTRFS_ROOT_TREE_DIR_OBJECTID = 6;
    private const uint BTRFS_DIR_ITEM_KEY = 84;

    /// <summary>The id of the default subvolume: the location that the entry "default" of the root tree's directory names.</summary>
    internal static ulong Default(SafeFileHandle directory, string path)
    {
        // struct btrfs_dir_item { struct btrfs_disk_key location {u64 objectid; u8 type; u64 offset}; u64 transid; u16 data_len, name_len; u8 type; } name
        const int NameLengthOffset = 27, NameOffset = 30;
        foreach (TreeItem item in new SubvolumeTreeSearch(directory, path, new SearchArgsV2
        {
            TreeId = BTRFS_ROOT_TREE_OBJECTID,
            MinObjectId = BTRFS_ROOT_TREE_DIR_OBJECTID,
            MaxObjectId = BTRFS_ROOT_TREE_DIR_OBJECTID,
            MinType = BTRFS_DIR_ITEM_KEY,
            MaxType = BTRFS_DIR_ITEM_KEY,
            MaxOffset = ulong.MaxValue,
        }))
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(item.Data[NameLengthOffset..]);
            if (item.Data.Slice(NameOffset, length).SequenceEqual("default"u8))
                return item.UInt64(0);
        }
        return SubvolumeInfo.TopLevelId;
    }
}
