using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>Writes what makes inodes, apart from their bytes and further names, and what gives them their attributes.</summary>
internal sealed class CanonicalInodes(SendStreamWriter writer, ulong firstNumber)
{
    // linux/stat.h
    private const ulong S_IFIFO = 0x1000, S_IFCHR = 0x2000, S_IFBLK = 0x6000, S_IFSOCK = 0xC000;

    private ulong _next = firstNumber;

    /// <summary>Makes an inode under a name that is free: an empty file or directory, or a complete link or node.</summary>
    /// <exception cref="InvalidDataException">It is something that streams cannot say.</exception>
    public void Make(ReadOnlySpan<byte> path, Inode inode)
    {
        switch (inode.Kind)
        {
            case FileKind.Directory:
                Begin(SendCommandKind.Mkdir, path).End();
                break;
            case FileKind.File:
                Begin(SendCommandKind.Mkfile, path).End();
                break;
            case FileKind.Symlink:
                if (inode.Target.Length is 0 or > SendStreamFormat.MaxPathLength)
                    throw Unsayable(path, $"a link's target of {inode.Target.Length} bytes, expected 1 to {SendStreamFormat.MaxPathLength}");
                Begin(SendCommandKind.Symlink, path).Bytes(A.PathLink, inode.Target).End();
                break;
            case FileKind.CharDevice:
                MakeNode(SendCommandKind.Mknod, path, inode, S_IFCHR);
                break;
            case FileKind.BlockDevice:
                MakeNode(SendCommandKind.Mknod, path, inode, S_IFBLK);
                break;
            case FileKind.Fifo:
                MakeNode(SendCommandKind.Mkfifo, path, inode, S_IFIFO);
                break;
            default:
                MakeNode(SendCommandKind.Mksock, path, inode, S_IFSOCK);
                break;
        }
    }

    /// <summary>Whether what is made in a directory with this attribute takes it over: default ACLs and btrfs properties.</summary>
    public static bool IsHandedDown(ReadOnlySpan<byte> xattr) => xattr.SequenceEqual("system.posix_acl_default"u8) || xattr.StartsWith("btrfs."u8);

    /// <summary>Takes away the attributes that a directory hands down; says whether it has any.</summary>
    public bool RemoveHandedDown(ReadOnlySpan<byte> path, XattrSet xattrs)
    {
        bool hasAny = false;
        foreach (Xattr xattr in xattrs.Items)
            if (IsHandedDown(xattr.Name))
            {
                Remove(path, xattr);
                hasAny = true;
            }
        return hasAny;
    }

    /// <summary>Takes away the extended attributes that an inode shall not have any more. Before its bytes change: that takes away capabilities.</summary>
    public void RemoveXattrs(ReadOnlySpan<byte> path, XattrSet from, XattrSet to)
    {
        if (ReferenceEquals(from, to))
            return;
        foreach (Xattr xattr in from.Items)
            if (to.Find(xattr.Name) is null)
                Remove(path, xattr);
    }

    /// <summary>Gives an inode the attributes that it lacks.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="to">How it shall be.</param>
    /// <param name="from">How it is, but for extended attributes that it shall not have; null for a new one.</param>
    /// <param name="isWritten">Whether its bytes, or a directory's names, have changed.</param>
    /// <exception cref="InvalidDataException">It is something that streams cannot say.</exception>
    public void WriteAttributes(ReadOnlySpan<byte> path, Inode to, Inode? from, bool isWritten)
    {
        // The owner comes first: a change of owner takes setuid and setgid bits and capabilities away; so may a change of bytes.
        bool isOwnerWritten = from is null || from.Uid != to.Uid || from.Gid != to.Gid;
        bool mayHaveLost = isOwnerWritten || (isWritten && !to.IsDirectory);
        if (isOwnerWritten)
            writer.Begin(SendCommandKind.Chown, path).UInt64(A.Uid, to.Uid).UInt64(A.Gid, to.Gid).End();
        if (to.Kind != FileKind.Symlink && (mayHaveLost || from!.Mode != to.Mode))
            writer.Begin(SendCommandKind.Chmod, path).UInt64(A.Mode, to.Mode).End();
        foreach (Xattr xattr in to.Xattrs.Items)
            if (from?.Xattrs.Find(xattr.Name) is not { } value
                || !value.AsSpan().SequenceEqual(xattr.Value)
                || (mayHaveLost && xattr.Name.AsSpan().SequenceEqual("security.capability"u8)))
                Set(path, xattr);
        if (isWritten || from is null || from.ModificationTime != to.ModificationTime)
        {
            Timestamp time = to.ModificationTime;
            writer.Begin(SendCommandKind.Utimes, path).Time(A.Atime, time).Time(A.Mtime, time).Time(A.Ctime, time).End();
        }
    }

    public static InvalidDataException Unsayable(ReadOnlySpan<byte> path, string reason) => new($"{StreamPaths.Show(path)}: {reason}");

    private void MakeNode(SendCommandKind kind, ReadOnlySpan<byte> path, Inode inode, ulong type)
    {
        if (inode.DeviceMajor > DeviceNumber.MaxMajor || inode.DeviceMinor > DeviceNumber.MaxMinor)
            throw Unsayable(path, $"device {inode.DeviceMajor}:{inode.DeviceMinor}, numbers reach to {DeviceNumber.MaxMajor}:{DeviceNumber.MaxMinor}");
        Begin(kind, path).UInt64(A.Rdev, DeviceNumber.Join(inode.DeviceMajor, inode.DeviceMinor)).UInt64(A.Mode, type | inode.Mode).End();
    }

    private void Set(ReadOnlySpan<byte> path, Xattr xattr)
    {
        if (xattr.Value.Length > SendStreamFormat.MaxAttributeLength)
            throw Unsayable(path, $"extended attribute '{BytesText.Escape(xattr.Name)}' of {xattr.Value.Length} bytes, "
                + $"a send stream can say {SendStreamFormat.MaxAttributeLength}");
        writer.Begin(SendCommandKind.SetXattr, path).Bytes(A.XattrName, xattr.Name).Bytes(A.XattrData, xattr.Value).End();
    }

    private void Remove(ReadOnlySpan<byte> path, Xattr xattr) => writer.Begin(SendCommandKind.RemoveXattr, path).Bytes(A.XattrName, xattr.Name).End();

    private SendStreamWriter Begin(SendCommandKind kind, ReadOnlySpan<byte> path) => writer.Begin(kind, path).UInt64(A.Ino, _next++);
}
