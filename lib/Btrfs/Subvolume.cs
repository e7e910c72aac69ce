using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>Makes, copies, shows and changes btrfs subvolumes, by ioctl alone. Paths are host paths in the encoding of <see cref="PathText"/>.</summary>
public static unsafe partial class Subvolume
{
    // BTRFS_IOC_SNAP_CREATE_V2 = _IOW(0x94, 23, struct btrfs_ioctl_vol_args_v2)
    private const nuint BTRFS_IOC_SNAP_CREATE_V2 = 0x50009417;
    // BTRFS_IOC_SUBVOL_CREATE_V2 = _IOW(0x94, 24, struct btrfs_ioctl_vol_args_v2)
    private const nuint BTRFS_IOC_SUBVOL_CREATE_V2 = 0x50009418;
    // BTRFS_IOC_SUBVOL_GETFLAGS = _IOR(0x94, 25, __u64)
    private const nuint BTRFS_IOC_SUBVOL_GETFLAGS = 0x80089419;
    // BTRFS_IOC_SUBVOL_SETFLAGS = _IOW(0x94, 26, __u64)
    private const nuint BTRFS_IOC_SUBVOL_SETFLAGS = 0x4008941A;
    // BTRFS_IOC_GET_SUBVOL_INFO = _IOR(0x94, 60, struct btrfs_ioctl_get_subvol_info_args)
    private const nuint BTRFS_IOC_GET_SUBVOL_INFO = 0x81F8943C;
    // BTRFS_IOC_SYNC = _IO(0x94, 8)
    private const nuint BTRFS_IOC_SYNC = 0x9408;
    // BTRFS_IOC_DEFAULT_SUBVOL = _IOW(0x94, 19, __u64)
    private const nuint BTRFS_IOC_DEFAULT_SUBVOL = 0x40089413;
    // BTRFS_IOC_FS_INFO = _IOR(0x94, 31, struct btrfs_ioctl_fs_info_args)
    private const nuint BTRFS_IOC_FS_INFO = 0x8400941F;

    /// <summary>Makes an empty subvolume; its mode is 0777 less the umask, as mkdir's is.</summary>
    /// <exception cref="PosixException">EEXIST, ENOENT, ENOTTY (not on btrfs), …</exception>
    public static void Create(string path)
    {
        const string Call = "subvolume create";
        using SubvolumePath at = SubvolumePath.Open(path, Call);
        VolArgsV2 args = default;
        args.SetName(at.Name);
        SubvolumeIoctl.Run(at.Directory, BTRFS_IOC_SUBVOL_CREATE_V2, ref args, Call, path);
    }

    /// <summary>Makes <paramref name="destination"/> a copy of the subvolume <paramref name="source"/>, sharing all its blocks. Subvolumes inside are left out.</summary>
    /// <exception cref="PosixException">The source is no subvolume or on another filesystem, the destination exists, …</exception>
    public static void Snapshot(string source, string destination, bool readOnly)
    {
        const string Call = "subvolume snapshot";
        using SafeFileHandle from = Open(source, Call);
        using SubvolumePath at = SubvolumePath.Open(destination, Call);
        VolArgsV2 args = new() { Fd = (long)from.DangerousGetHandle(), Flags = readOnly ? VolArgsV2.BTRFS_SUBVOL_RDONLY : 0 };
        args.SetName(at.Name);
        try
        {
            SubvolumeIoctl.Run(at.Directory, BTRFS_IOC_SNAP_CREATE_V2, ref args, Call, destination);
        }
        catch (PosixException e) when (e.Errno == Errno.EXDEV)
        {
            throw new PosixException(Call, e.Errno, destination, $"not on the filesystem of {source}");
        }
        catch (PosixException e) when (e.Errno == Errno.ETXTBSY)
        {
            throw new PosixException(Call, e.Errno, source, "a swap file is active in it");
        }
        catch (PosixException e) when (e.Errno == Errno.EPERM)
        {
            throw new PosixException(Call, e.Errno, source, "not permitted: only its owner or root may snapshot it");
        }
    }

    /// <summary>Whether a subvolume (the top of a btrfs included) is at the path; false when nothing is there.</summary>
    public static bool IsSubvolume(string path)
    {
        try
        {
            using SafeFileHandle directory = Directories.Open(path);
            return IsSubvolume(directory, path);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return false;
        }
    }

    /// <summary>What the filesystem knows of the subvolume at the path, which must be its root and not merely lie in it.</summary>
    public static SubvolumeInfo Info(string path)
    {
        using SafeFileHandle subvolume = Open(path, "subvolume info");
        return Info(subvolume, path);
    }

    /// <summary>Sets or clears the read-only flag. A received subvolume that is made writable no longer stands for what was received: snapshot it instead.</summary>
    public static void SetReadOnly(string path, bool readOnly)
    {
        using SafeFileHandle subvolume = Open(path, "subvolume set flags");
        SetReadOnly(subvolume, readOnly, path);
    }

    /// <summary>Writes all that is dirty on the whole filesystem to its disks (BTRFS_IOC_SYNC).</summary>
    public static void Sync(string path)
    {
        using SafeFileHandle directory = Directories.Open(path);
        Sync(directory, path);
    }

    /// <summary>The id of the subvolume that a mount without "subvol=" shows.</summary>
    public static ulong GetDefault(string path)
    {
        using SafeFileHandle directory = Directories.Open(path);
        return SubvolumeSearch.Default(directory, path);
    }

    /// <summary>Makes the subvolume at the path the one that a mount without "subvol=" shows.</summary>
    public static void SetDefault(string path)
    {
        const string Call = "subvolume set default";
        using SafeFileHandle subvolume = Open(path, Call);
        ulong id = Info(subvolume, path).Id;
        SubvolumeIoctl.Run(subvolume, BTRFS_IOC_DEFAULT_SUBVOL, ref id, Call, path);
    }

    /// <summary>The uuid of the filesystem that holds the path.</summary>
    public static Guid FilesystemUuid(string path)
    {
        using SafeFileHandle directory = Directories.Open(path);
        return FilesystemUuid(directory, path);
    }

    /// <summary>Opens the root directory of a subvolume.</summary>
    /// <exception cref="PosixException">Nothing is there (ENOENT), or no subvolume (EINVAL), or not on btrfs (ENOTTY).</exception>
    internal static SafeFileHandle Open(string path, string call)
    {
        SafeFileHandle directory = Directories.Open(path);
        try
        {
            return IsSubvolume(directory, path) ? directory : throw NotOne(directory, call, path);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    internal static bool IsSubvolume(SafeFileHandle directory, string path)
    {
        try
        {
            ulong flags = 0;
            Directories.Ioctl(directory, BTRFS_IOC_SUBVOL_GETFLAGS, ref flags, "subvolume get flags", path);
            return true;
        }
        // The kernel's own check: any directory of a btrfs but the root of a subvolume, and any other filesystem.
        catch (PosixException e) when (e.Errno is Errno.EINVAL or Errno.ENOTTY or Errno.EOPNOTSUPP)
        {
            return false;
        }
    }

    /// <summary>The error for a directory that is not the root of a subvolume.</summary>
    internal static PosixException NotOne(SafeFileHandle directory, string call, string path)
    {
        try
        {
            FilesystemUuid(directory, path);
            return new PosixException(call, Errno.EINVAL, path, "a plain directory, not a subvolume");
        }
        catch (PosixException e) when (e.Errno == Errno.ENOTTY)
        {
            return new PosixException(call, Errno.ENOTTY, path, "not on btrfs");
        }
    }

    internal static SubvolumeInfo Info(SafeFileHandle subvolume, string path)
    {
        GetSubvolInfoArgs args = default;
        SubvolumeIoctl.Run(subvolume, BTRFS_IOC_GET_SUBVOL_INFO, ref args, "subvolume info", path);
        ReadOnlySpan<byte> name = new(args.Name, 256);
        return new SubvolumeInfo
        {
            Id = args.TreeId,
            ParentId = args.ParentId,
            DirectoryInode = args.DirId,
            Name = name[..name.IndexOf((byte)0)].ToArray(),
            Uuid = new Guid(new ReadOnlySpan<byte>(args.Uuid, 16), bigEndian: true),
            ParentUuid = SubvolumeInfo.ReadUuid(new ReadOnlySpan<byte>(args.ParentUuid, 16)),
            ReceivedUuid = SubvolumeInfo.ReadUuid(new ReadOnlySpan<byte>(args.ReceivedUuid, 16)),
            Generation = args.Generation,
            Flags = args.Flags,
            Changed = Event(args.CTransid, args.CTime),
            Created = Event(args.OTransid, args.OTime),
            Sent = Event(args.STransid, args.STime),
            Received = Event(args.RTransid, args.RTime),
        };

        static SubvolumeEvent Event(ulong transid, IoctlTimespec time) =>
            new(transid, new SubvolumeTime((long)time.Seconds, time.Nanoseconds));
    }

    internal static void SetReadOnly(SafeFileHandle subvolume, bool readOnly, string path)
    {
        ulong before = 0;
        SubvolumeIoctl.Run(subvolume, BTRFS_IOC_SUBVOL_GETFLAGS, ref before, "subvolume get flags", path);
        ulong after = readOnly ? before | VolArgsV2.BTRFS_SUBVOL_RDONLY : before & ~VolArgsV2.BTRFS_SUBVOL_RDONLY;
        if (after == before)
            return;
        const string Call = "subvolume set flags";
        try
        {
            SubvolumeIoctl.Run(subvolume, BTRFS_IOC_SUBVOL_SETFLAGS, ref after, Call, path);
        }
        catch (PosixException e) when (e.Errno == Errno.EPERM)
        {
            throw new PosixException(Call, e.Errno, path, "not permitted: only its owner or root may, and not while it is being sent");
        }
    }

    internal static void Sync(SafeFileHandle directory, string path)
    {
        ulong none = 0;
        SubvolumeIoctl.Run(directory, BTRFS_IOC_SYNC, ref none, "filesystem sync", path);
    }

    internal static Guid FilesystemUuid(SafeFileHandle directory, string path)
    {
        FsInfoArgs args = default;
        SubvolumeIoctl.Run(directory, BTRFS_IOC_FS_INFO, ref args, "filesystem info", path);
        return new Guid(new ReadOnlySpan<byte>(args.Fsid, 16), bigEndian: true);
    }
}
