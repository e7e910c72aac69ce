using System.Runtime.ExceptionServices;
using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>One run of <see cref="RootfsReader"/>. The time goes into three system calls an entry, so two threads share the directories.</summary>
internal sealed class TreeReading(DiskRoot root, RootfsReadOptions options)
{
    private const ulong BTRFS_EMPTY_SUBVOL_DIR_OBJECTID = 2; // linux/btrfs_tree.h: what a snapshot has where a subvolume was

    /// <summary>As many directories must wait before a second thread is worth its start.</summary>
    private const int WorthHelp = 8;

    private readonly Stack<(DiskDirectory Place, Inode Inode)> _pending = new();
    private readonly Dictionary<(ulong, uint, uint), Inode> _linked = [];
    private readonly Lock _asking = new();
    private int _unfinished;
    private Thread? _helper;
    private ExceptionDispatchInfo? _failure;

    public Tree Run()
    {
        Tree tree = new(Inode.Directory(root.Status.Mode));
        SetFacts(tree.Root, Files.Status(root.Handle), Xattrs.Read(root.Handle));
        Push([(root.Directory, tree.Root)]);
        ReadDirectories();
        _helper?.Join();
        _failure?.Throw();
        return tree;
    }

    private void ReadDirectories()
    {
        // A child of the directory read last is opened by its name below that one's handle; all others by their path from the root.
        DiskDirectory? last = null;
        SafeFileHandle? handle = null;
        List<(DiskDirectory Place, Inode Inode)> found = [];
        try
        {
            while (Pop() is { } next)
            {
                SafeFileHandle opened = Open(next.Place, last, handle);
                handle?.Dispose();
                (last, handle) = (next.Place, opened);
                found.Clear();
                ReadEntries(next.Place, next.Inode, handle, found);
                Push(found);
                Finish();
            }
        }
        catch (Exception e)
        {
            lock (_pending)
            {
                _failure ??= ExceptionDispatchInfo.Capture(e);
                _pending.Clear();
                _unfinished = 0;
                Monitor.PulseAll(_pending);
            }
        }
        finally
        {
            handle?.Dispose();
        }
    }

    private void Push(List<(DiskDirectory Place, Inode Inode)> found)
    {
        lock (_pending)
        {
            if (_failure is not null)
                return;
            foreach ((DiskDirectory, Inode) directory in found)
                _pending.Push(directory);
            _unfinished += found.Count;
            if (_helper is not null)
                Monitor.Pulse(_pending);
            else if (_pending.Count >= WorthHelp && Environment.ProcessorCount > 1)
            {
                _helper = new Thread(ReadDirectories) { IsBackground = true, Name = "tree reader" };
                _helper.Start();
            }
        }
    }

    /// <summary>The next directory, waiting for one while the other thread may still find some; null at the end.</summary>
    private (DiskDirectory Place, Inode Inode)? Pop()
    {
        lock (_pending)
        {
            while (_pending.Count == 0 && _unfinished > 0)
                Monitor.Wait(_pending);
            return _pending.TryPop(out (DiskDirectory, Inode) next) ? next : null;
        }
    }

    private void Finish()
    {
        lock (_pending)
        {
            if (--_unfinished <= 0)
                Monitor.PulseAll(_pending);
        }
    }

    private static SafeFileHandle Open(DiskDirectory place, DiskDirectory? last, SafeFileHandle? handle)
    {
        if (last is null || place.Parent != last)
            return place.Open();
        try
        {
            return Directories.Open(handle!, place.NameBytes);
        }
        catch (PosixException e)
        {
            throw new PosixException(e.Call, e.Errno, place.Describe());
        }
    }

    private void ReadEntries(DiskDirectory place, Inode inode, SafeFileHandle handle, List<(DiskDirectory Place, Inode Inode)> found)
    {
        foreach ((byte[] name, _) in Directories.List(handle))
        {
            try
            {
                FileStatus status = Files.Status(handle, name);
                if (status.Links > 1 && !status.IsDirectory)
                    ReadLinked(place, inode, handle, name, status);
                else if (ReadEntry(place, handle, name, status, found) is { } child)
                    inode.Add(new FileName(name), child);
            }
            catch (PosixException e)
            {
                throw new PosixException(e.Call, e.Errno, place.Describe(name));
            }
        }
    }

    /// <summary>An inode with several names; two threads may meet two of them at once.</summary>
    private void ReadLinked(DiskDirectory place, Inode inode, SafeFileHandle handle, byte[] name, in FileStatus status)
    {
        lock (_linked)
        {
            (ulong, uint, uint) identity = (status.Inode, status.DevMajor, status.DevMinor);
            if (!_linked.TryGetValue(identity, out Inode? child))
                _linked.Add(identity, child = ReadEntry(place, handle, name, status, []));
            inode.Add(new FileName(name), child);
        }
    }

    private Inode ReadEntry(
        DiskDirectory place, SafeFileHandle handle, byte[] name, in FileStatus status, List<(DiskDirectory Place, Inode Inode)> found)
    {
        bool isNested = status.IsMountRoot || IsOtherVolume(status, handle);
        if (isNested && (options.NestedVolumes == NestedVolumes.Refuse || !status.IsDirectory))
            throw new InvalidDataException($"{place.Describe(name)}: another subvolume or a mount lies here; found in what must be one filesystem");
        Inode child = MakeInode(place, name, handle, status);
        SetFacts(child, status, Xattrs.Read(handle, name));
        if (child.IsDirectory && !isNested)
            found.Add((place.Below(name), child));
        return child;
    }

    private Inode MakeInode(DiskDirectory place, byte[] name, SafeFileHandle handle, in FileStatus status)
    {
        switch (status.Type)
        {
            case FileStatus.S_IFDIR:
                return Inode.Directory(status.Mode);
            case FileStatus.S_IFREG:
                DiskContent content = new(place, name, status);
                if (KnownDigest(place, name, status) is { } digest)
                    content.SetDigest(digest);
                return Inode.File(status.Mode, content);
            case FileStatus.S_IFLNK:
                return Inode.Symlink(Files.ReadLink(handle, name));
            case FileStatus.S_IFCHR or FileStatus.S_IFBLK:
                return Inode.Device(status.Type == FileStatus.S_IFBLK, status.Mode, status.RdevMajor, status.RdevMinor);
            case FileStatus.S_IFIFO:
                return Inode.Fifo(status.Mode);
            case FileStatus.S_IFSOCK:
                return Inode.Socket(status.Mode);
            default:
                throw new InvalidDataException($"{place.Describe(name)}: type {status.Type:x} of inode is unknown");
        }
    }

    private byte[]? KnownDigest(DiskDirectory place, byte[] name, in FileStatus status)
    {
        if (options.KnownDigest is null)
            return null;
        lock (_asking)
            return options.KnownDigest(place.PathOf(new FileName(name)), status);
    }

    private static void SetFacts(Inode inode, in FileStatus status, List<(byte[] Name, byte[] Value)> xattrs)
    {
        inode.Mode = inode.Kind == FileKind.Symlink ? inode.Mode : status.Mode;
        inode.Uid = status.Uid;
        inode.Gid = status.Gid;
        inode.ModificationTime = new Timestamp(status.ModificationSeconds, status.ModificationNanoseconds);
        if (xattrs.Count > 0)
            inode.Xattrs = XattrSet.From(xattrs.Select(xattr => new Xattr(xattr.Name, xattr.Value)));
    }

    /// <summary>Only directories tell: on overlayfs files keep the device number of the layer that they come from.</summary>
    private bool IsOtherVolume(in FileStatus status, SafeFileHandle directory) =>
        status.IsDirectory
        && ((status.DevMajor, status.DevMinor) != (root.Status.DevMajor, root.Status.DevMinor)
            || (status.Inode == BTRFS_EMPTY_SUBVOL_DIR_OBJECTID && Files.IsOnBtrfs(directory)));
}
