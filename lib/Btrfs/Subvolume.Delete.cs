using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

public static unsafe partial class Subvolume
{
    // BTRFS_IOC_SNAP_DESTROY_V2 = _IOW(0x94, 63, struct btrfs_ioctl_vol_args_v2)
    private const nuint BTRFS_IOC_SNAP_DESTROY_V2 = 0x5000943F;
    private const string DeleteCall = "subvolume delete";

    /// <summary>Deletes a subvolume; the kernel frees its blocks later. With <paramref name="recursive"/> those inside go first, deepest first.</summary>
    /// <param name="path">The subvolume; a link to one is refused.</param>
    /// <param name="recursive">Whether subvolumes inside go too; without it they make the call fail.</param>
    /// <param name="onDeleted">Told of each, with its path and what it was, once it is gone.</param>
    /// <exception cref="PosixException">ENOTEMPTY names the subvolumes inside; EPERM says what is in the way.</exception>
    public static void Delete(string path, bool recursive = false, Action<SubvolumeEntry>? onDeleted = null) =>
        Delete(path, recursive, isDryRun: false, onDeleted ?? (_ => { }));

    /// <summary>What <see cref="Delete(string, bool, Action{SubvolumeEntry})"/> would delete, in its order; refuses what that would refuse, as far as can be known.</summary>
    public static IReadOnlyList<SubvolumeEntry> Deletions(string path, bool recursive = false)
    {
        List<SubvolumeEntry> found = [];
        Delete(path, recursive, isDryRun: true, found.Add);
        return found;
    }

    private static void Delete(string path, bool recursive, bool isDryRun, Action<SubvolumeEntry> onDeleted)
    {
        using SubvolumePath at = SubvolumePath.Open(path, DeleteCall);
        using SafeFileHandle subvolume = OpenNamed(at, path);
        SubvolumeInfo info = Info(subvolume, path);
        if (info.DirectoryInode != Files.Status(at.Directory).Inode || !at.Name.AsSpan().SequenceEqual(info.Name))
            throw new PosixException(DeleteCall, Errno.EBUSY, path, "mounted here: unmount it first");
        if (!recursive && SubvolumeSearch.Children(subvolume, path) is { Count: > 0 } inside)
            throw new PosixException(DeleteCall, Errno.ENOTEMPTY, path, $"holds other subvolumes, which go only when deleted recursively: {Enumerate(inside)}");
        DeleteInside(subvolume, info, path, isDryRun, onDeleted);
        Destroy(at.Directory, new SubvolumeEntry(path, info), isDryRun, onDeleted);
    }

    private static void DeleteInside(SafeFileHandle subvolume, SubvolumeInfo info, string path, bool isDryRun, Action<SubvolumeEntry> onDeleted)
    {
        List<SubvolumeSearch.Child> children = SubvolumeSearch.Children(subvolume, path);
        if (children.Count == 0)
            return;
        bool makeWritable = info.IsReadOnly && !isDryRun;
        if (makeWritable)
            SetReadOnly(subvolume, readOnly: false, path);
        try
        {
            foreach (SubvolumeSearch.Child child in children)
            {
                string childPath = Path.Join(path, PathText.FromBytes(child.RelativePath));
                using SafeFileHandle directory = SubvolumeSearch.OpenBelow(subvolume, child.Directory, childPath);
                using SafeFileHandle opened = SubvolumeSearch.OpenBelow(directory, child.Name, childPath);
                if (!IsSubvolume(opened, childPath) || Info(opened, childPath) is not { } childInfo || childInfo.Id != child.Id)
                    throw new PosixException(DeleteCall, Errno.EBUSY, childPath, "covered by a mount: unmount it first");
                DeleteInside(opened, childInfo, childPath, isDryRun, onDeleted);
                Destroy(directory, new SubvolumeEntry(childPath, childInfo), isDryRun, onDeleted);
            }
        }
        catch when (makeWritable)
        {
            SetReadOnly(subvolume, readOnly: true, path);
            throw;
        }
    }

    private static SafeFileHandle OpenNamed(SubvolumePath at, string path)
    {
        SafeFileHandle directory = SubvolumeSearch.OpenBelow(at.Directory, at.Name, path);
        if (IsSubvolume(directory, path))
            return directory;
        using (directory)
            throw NotOne(directory, DeleteCall, path);
    }

    private static void Destroy(SafeFileHandle directory, SubvolumeEntry entry, bool isDryRun, Action<SubvolumeEntry> onDeleted)
    {
        if (!isDryRun)
        {
            VolArgsV2 args = default;
            args.SetName(entry.Info.Name);
            try
            {
                SubvolumeIoctl.Run(directory, BTRFS_IOC_SNAP_DESTROY_V2, ref args, DeleteCall, entry.Path);
            }
            catch (PosixException e) when (e.Errno is Errno.EPERM or Errno.EROFS or Errno.EBUSY)
            {
                throw new PosixException(DeleteCall, e.Errno, entry.Path, WhyNot(e.Errno, directory, entry));
            }
        }
        onDeleted(entry);
    }

    // The kernel says EPERM for four different reasons.
    private static string WhyNot(Errno errno, SafeFileHandle directory, SubvolumeEntry entry)
    {
        if (errno == Errno.EBUSY)
            return "in use: it or a directory in it is a mount point";
        if (errno == Errno.EROFS)
            return "read-only: the mount, the subvolume that holds it or, unless you are root, the subvolume itself";
        try
        {
            return SubvolumeSearch.Default(directory, entry.Path) == entry.Info.Id
                ? "it is the default subvolume of the filesystem: make another one the default first"
                : "not permitted while it is being sent or a swap file in it is active";
        }
        catch (PosixException e) when (e.Errno == Errno.EPERM)
        {
            return "not permitted: run as root, or own it on a filesystem mounted with user_subvol_rm_allowed";
        }
    }

    private static string Enumerate(List<SubvolumeSearch.Child> children)
    {
        const int Shown = 5;
        string names = string.Join(", ", children.Take(Shown).Select(child => PathText.FromBytes(child.RelativePath)));
        return children.Count > Shown ? $"{names} and {children.Count - Shown} more" : names;
    }
}
