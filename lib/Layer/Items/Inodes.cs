using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>Inodes with all their metadata in one expression.</summary>
internal static class Inodes
{
    public static Inode Directory(uint mode, uint uid, uint gid, Timestamp time) => Inode.Directory(mode).Owned(uid, gid, time);

    public static Inode Owned(this Inode inode, uint uid, uint gid, Timestamp time)
    {
        (inode.Uid, inode.Gid, inode.ModificationTime) = (uid, gid, time);
        return inode;
    }

    public static Inode With(this Inode inode, XattrSet xattrs)
    {
        inode.Xattrs = xattrs;
        return inode;
    }
}
