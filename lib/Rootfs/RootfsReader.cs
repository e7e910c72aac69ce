using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>What to do with a mount or subvolume inside the directory that is read.</summary>
public enum NestedVolumes
{
    /// <summary>An <see cref="InvalidDataException"/> names it.</summary>
    Refuse,

    /// <summary>It stands in the tree as an empty directory, with the owner and mode of its root.</summary>
    AsEmptyDirectories,
}

/// <summary>How <see cref="RootfsReader"/> reads.</summary>
public sealed record RootfsReadOptions
{
    public NestedVolumes NestedVolumes { get; init; }

    /// <summary>
    /// Asked for each regular file: its SHA-256 where the caller knows it without reading (an inode that has not changed since), or null.
    /// </summary>
    public Func<TreePath, FileStatus, byte[]?>? KnownDigest { get; init; }
}

/// <summary>Reads a directory of this machine, with all below it, into a <see cref="Tree"/>. No link is followed and no file is opened.</summary>
public static class RootfsReader
{
    private const ulong BTRFS_EMPTY_SUBVOL_DIR_OBJECTID = 2; // linux/btrfs_tree.h: what a snapshot has where a subvolume was

    /// <exception cref="PosixException">Something cannot be read.</exception>
    /// <exception cref="InvalidDataException">A mount or a subvolume lies below.</exception>
    public static Tree Read(string directory, RootfsReadOptions? options = null) => Read(new DiskRoot(directory), options);

    /// <inheritdoc cref="Read(string, RootfsReadOptions?)"/>
    public static Tree Read(DiskRoot root, RootfsReadOptions? options = null)
    {
        options ??= new RootfsReadOptions();
        Dictionary<(ulong, uint, uint), Inode> linked = [];
        Tree tree = new(Inode.Directory(root.Status.Mode));
        SetFacts(tree.Root, Files.Status(root.Handle), Xattrs.Read(root.Handle));
        Stack<(DiskDirectory Place, Inode Inode)> pending = new();
        pending.Push((root.Directory, tree.Root));
        // A child of the directory read last is opened by its name below that one's handle; all others by their path from the root.
        DiskDirectory? at = null;
        SafeFileHandle? handle = null;
        try
        {
            while (pending.TryPop(out (DiskDirectory Place, Inode Inode) next))
            {
                SafeFileHandle opened = Open(next.Place, at, handle);
                handle?.Dispose();
                (at, handle) = (next.Place, opened);
                ReadEntries(next.Place, next.Inode, handle, options, linked, pending);
            }
        }
        finally
        {
            handle?.Dispose();
        }
        return tree;
    }

    private static SafeFileHandle Open(DiskDirectory place, DiskDirectory? last, SafeFileHandle? handle)
    {
        try
        {
            return last is not null && place.Parent == last ? Directories.Open(handle!, place.NameBytes) : place.Open();
        }
        catch (PosixException e)
        {
            throw new PosixException(e.Call, e.Errno, place.Describe());
        }
    }

    private static void ReadEntries(
        DiskDirectory place, Inode inode, SafeFileHandle handle, RootfsReadOptions options,
        Dictionary<(ulong, uint, uint), Inode> linked, Stack<(DiskDirectory Place, Inode Inode)> pending)
    {
        DiskRoot root = place.Root;
        foreach ((byte[] name, _) in Directories.List(handle))
        {
            try
            {
                FileStatus status = Files.Status(handle, name);
                FileName fileName = new(name);
                bool isLinked = status.Links > 1 && !status.IsDirectory;
                (ulong, uint, uint) identity = (status.Inode, status.DevMajor, status.DevMinor);
                if (isLinked && linked.TryGetValue(identity, out Inode? known))
                {
                    inode.Add(fileName, known);
                    continue;
                }
                bool isNested = status.IsMountRoot || IsOtherVolume(status, root.Status, handle);
                if (isNested && (options.NestedVolumes == NestedVolumes.Refuse || !status.IsDirectory))
                    throw new InvalidDataException($"{place.Describe(name)}: another subvolume or a mount lies here; found in what must be one filesystem");
                Inode child = MakeInode(place, name, handle, status, options);
                SetFacts(child, status, Xattrs.Read(handle, name));
                inode.Add(fileName, child);
                if (isLinked)
                    linked.Add(identity, child);
                if (child.IsDirectory && !isNested)
                    pending.Push((place.Below(name), child));
            }
            catch (PosixException e)
            {
                throw new PosixException(e.Call, e.Errno, place.Describe(name));
            }
        }
    }

    private static Inode MakeInode(DiskDirectory place, byte[] name, SafeFileHandle handle, in FileStatus status, RootfsReadOptions options)
    {
        switch (status.Type)
        {
            case FileStatus.S_IFDIR:
                return Inode.Directory(status.Mode);
            case FileStatus.S_IFREG:
                DiskContent content = new(place, name, status);
                if (options.KnownDigest?.Invoke(place.PathOf(new FileName(name)), status) is { } digest)
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
    private static bool IsOtherVolume(in FileStatus status, in FileStatus root, SafeFileHandle directory) =>
        status.IsDirectory
        && ((status.DevMajor, status.DevMinor) != (root.DevMajor, root.DevMinor)
            || (status.Inode == BTRFS_EMPTY_SUBVOL_DIR_OBJECTID && Files.IsOnBtrfs(directory)));
}
