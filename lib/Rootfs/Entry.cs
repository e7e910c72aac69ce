using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>An inode on disk whose facts are changed: a handle, or a name below one. No call follows a link.</summary>
internal readonly ref struct Entry(SafeFileHandle handle, ReadOnlySpan<byte> name = default)
{
    private readonly ReadOnlySpan<byte> _name = name;

    public void SetOwner(uint uid, uint gid)
    {
        if (_name.IsEmpty)
            Files.SetOwner(handle, uid, gid);
        else
            Files.SetOwner(handle, _name, uid, gid);
    }

    public void SetMode(uint mode)
    {
        if (_name.IsEmpty)
            Files.SetMode(handle, mode);
        else
            Files.SetModeNoFollow(handle, _name, mode);
    }

    public void SetTime(Timestamp time)
    {
        if (_name.IsEmpty)
            Files.SetTimes(handle, time.Seconds, time.Nanoseconds);
        else
            Files.SetTimes(handle, _name, time.Seconds, time.Nanoseconds);
    }

    public void SetXattr(in Xattr xattr)
    {
        if (_name.IsEmpty)
            Xattrs.Set(handle, xattr.Name, xattr.Value);
        else
            Xattrs.Set(handle, _name, xattr.Name, xattr.Value);
    }

    /// <summary>One that is not there, because the kernel dropped it with a change of owner or content, is as good as removed.</summary>
    public void RemoveXattr(ReadOnlySpan<byte> key)
    {
        try
        {
            if (_name.IsEmpty)
                Xattrs.Remove(handle, key);
            else
                Xattrs.Remove(handle, _name, key);
        }
        catch (PosixException e) when (e.Errno is Errno.ENODATA or Errno.EOPNOTSUPP)
        {
        }
    }

    /// <summary>Takes away what a default ACL of the directory above gave a new inode.</summary>
    public static void RemoveInheritedAcls(Entry entry, bool isDirectory)
    {
        entry.RemoveXattr(InodeFacts.AccessAcl);
        if (isDirectory)
            entry.RemoveXattr(InodeFacts.DefaultAcl);
    }
}
