using System.Text;
using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>
/// Writes a tree as a full send stream whose bytes depend on nothing but the tree's state, the name and the version: the same
/// content gives the same stream on any machine, and btrfs receive makes the same tree of it. docs/canonical-stream.md tells the order.
/// </summary>
public sealed class CanonicalSendStream
{
    /// <summary>The number after that of a subvolume's root, which is 256 (BTRFS_FIRST_FREE_OBJECTID).</summary>
    private const ulong FirstInode = 257;

    // linux/stat.h
    private const ulong S_IFIFO = 0x1000, S_IFCHR = 0x2000, S_IFBLK = 0x6000, S_IFSOCK = 0xC000;

    private readonly SendStreamWriter _writer;
    private readonly CanonicalData _data;
    private readonly Dictionary<Inode, byte[]> _firstNames = new(ReferenceEqualityComparer.Instance);
    private readonly Stack<(byte[] Path, Inode Directory)> _open = new();
    private ulong _nextInode = FirstInode;

    private CanonicalSendStream(Stream output, uint version)
    {
        _writer = new SendStreamWriter(output, version);
        _data = new CanonicalData(_writer);
    }

    /// <summary>Writes the stream.</summary>
    /// <param name="output">Takes the bytes; is not closed.</param>
    /// <param name="tree">What the stream shall make. It must not change meanwhile.</param>
    /// <param name="name">The subvolume's name at the receiver.</param>
    /// <param name="version">1, which every receiver understands, or 2, with larger writes.</param>
    /// <exception cref="InvalidDataException">The name is none, or the tree holds what streams cannot say (a path beyond PATH_MAX).</exception>
    public static void Write(Stream output, Tree tree, string name, uint version = 1)
    {
        byte[] nameBytes = Encoding.UTF8.GetBytes(name);
        _ = new FileName(nameBytes);
        CanonicalSendStream stream = new(output, version);
        stream.Write(tree, nameBytes);
        stream._writer.Flush();
    }

    /// <summary>The uuid that the stream of a tree bears: the first half of its digest, marked as a uuid of version 8 (RFC 9562: custom).</summary>
    public static Guid UuidOf(Tree tree)
    {
        Span<byte> uuid = TreeDigest.Compute(tree).AsSpan(0, SendStreamFormat.UuidLength);
        uuid[6] = (byte)((uuid[6] & 0x0F) | 0x80);
        uuid[8] = (byte)((uuid[8] & 0x3F) | 0x80);
        return new Guid(uuid, bigEndian: true);
    }

    private void Write(Tree tree, byte[] name)
    {
        _writer.Begin(SendCommandKind.Subvol).Bytes(A.Path, name).Uuid(A.Uuid, UuidOf(tree)).UInt64(A.Ctransid, 1).End();
        for (TreeCursor at = new(tree); at.MoveNext();)
        {
            while (_open.Count > at.Depth)
                FinishDirectory();
            if (at.Path.Length > SendStreamFormat.MaxPathLength)
                throw Unsayable(at.Path, $"a path of {at.Path.Length} bytes, a send stream can say {SendStreamFormat.MaxPathLength}");
            if (at.Inode.IsDirectory)
                BeginDirectory(at.Path.ToArray(), at.Inode);
            else if (at.Inode.Links > 1 && _firstNames.TryGetValue(at.Inode, out byte[]? first))
                Begin(SendCommandKind.Link, at.Path).Bytes(A.PathLink, first).End();
            else
                WriteInode(at.Path, at.Inode);
        }
        while (_open.Count > 0)
            FinishDirectory();
        _writer.Begin(SendCommandKind.End).End();
    }

    private void BeginDirectory(byte[] path, Inode directory)
    {
        if (path.Length > 0)
            BeginInode(SendCommandKind.Mkdir, path).End();
        _open.Push((path, directory));
    }

    // After its content: what is made in a directory changes its time, and takes over its setgid bit, default ACL and properties.
    private void FinishDirectory()
    {
        (byte[] path, Inode directory) = _open.Pop();
        WriteAttributes(path, directory);
    }

    private void WriteInode(ReadOnlySpan<byte> path, Inode inode)
    {
        if (inode.Links > 1)
            _firstNames.Add(inode, path.ToArray());
        switch (inode.Kind)
        {
            case FileKind.File:
                BeginInode(SendCommandKind.Mkfile, path).End();
                _data.Write(path, inode.Content!);
                break;
            case FileKind.Symlink:
                if (inode.Target.Length is 0 or > SendStreamFormat.MaxPathLength)
                    throw Unsayable(path, $"a link's target of {inode.Target.Length} bytes, expected 1 to {SendStreamFormat.MaxPathLength}");
                BeginInode(SendCommandKind.Symlink, path).Bytes(A.PathLink, inode.Target).End();
                break;
            case FileKind.CharDevice:
                WriteNode(SendCommandKind.Mknod, path, inode, S_IFCHR);
                break;
            case FileKind.BlockDevice:
                WriteNode(SendCommandKind.Mknod, path, inode, S_IFBLK);
                break;
            case FileKind.Fifo:
                WriteNode(SendCommandKind.Mkfifo, path, inode, S_IFIFO);
                break;
            default:
                WriteNode(SendCommandKind.Mksock, path, inode, S_IFSOCK);
                break;
        }
        WriteAttributes(path, inode);
    }

    private void WriteNode(SendCommandKind kind, ReadOnlySpan<byte> path, Inode inode, ulong type)
    {
        if (inode.DeviceMajor > DeviceNumber.MaxMajor || inode.DeviceMinor > DeviceNumber.MaxMinor)
            throw Unsayable(path, $"device {inode.DeviceMajor}:{inode.DeviceMinor}, numbers reach to {DeviceNumber.MaxMajor}:{DeviceNumber.MaxMinor}");
        BeginInode(kind, path).UInt64(A.Rdev, DeviceNumber.Join(inode.DeviceMajor, inode.DeviceMinor)).UInt64(A.Mode, type | inode.Mode).End();
    }

    // The owner comes first: a change of owner takes setuid and setgid bits and capabilities away.
    private void WriteAttributes(ReadOnlySpan<byte> path, Inode inode)
    {
        Begin(SendCommandKind.Chown, path).UInt64(A.Uid, inode.Uid).UInt64(A.Gid, inode.Gid).End();
        if (inode.Kind != FileKind.Symlink)
            Begin(SendCommandKind.Chmod, path).UInt64(A.Mode, inode.Mode).End();
        foreach (Xattr xattr in inode.Xattrs.Items)
        {
            if (xattr.Value.Length > SendStreamFormat.MaxAttributeLength)
                throw Unsayable(path, $"extended attribute '{BytesText.Escape(xattr.Name)}' of {xattr.Value.Length} bytes, "
                    + $"a send stream can say {SendStreamFormat.MaxAttributeLength}");
            Begin(SendCommandKind.SetXattr, path).Bytes(A.XattrName, xattr.Name).Bytes(A.XattrData, xattr.Value).End();
        }
        Timestamp time = inode.ModificationTime;
        Begin(SendCommandKind.Utimes, path).Time(A.Atime, time).Time(A.Mtime, time).Time(A.Ctime, time).End();
    }

    private SendStreamWriter Begin(SendCommandKind kind, ReadOnlySpan<byte> path) => _writer.Begin(kind).Bytes(A.Path, path);

    private SendStreamWriter BeginInode(SendCommandKind kind, ReadOnlySpan<byte> path) => Begin(kind, path).UInt64(A.Ino, _nextInode++);

    private static InvalidDataException Unsayable(ReadOnlySpan<byte> path, string reason) => new($"{StreamPaths.Show(path)}: {reason}");
}
