using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>
/// A btrfs in a sparse file <c>volume.img</c>, mounted on the folder <c>volume</c> beside it: made once, mounted by whoever comes first
/// (after a reboot, again), grown when it runs short. All changes happen under a lock on <c>volume.lock</c>.
/// </summary>
internal sealed unsafe class VolumeImage(string folder)
{
    public const string ImageName = "volume.img", MountName = "volume";
    public const long DefaultSize = 100L << 30, MinimumSize = 256L << 20;

    // A size that is no multiple of the block size locks up some kernels (antlir saw it with loop devices).
    private const long BlockSize = 4096;
    // BTRFS_IOC_RESIZE = _IOW(0x94, 3, struct btrfs_ioctl_vol_args)
    private const nuint BTRFS_IOC_RESIZE = 0x50009403;
    // Freed blocks go back to the disk below; containers' owners may remove their snapshots; reading a layer writes nothing.
    private const string MountOptions = "user_subvol_rm_allowed,discard=async";

    public string ImagePath { get; } = Path.Combine(folder, ImageName);
    public string MountPoint { get; } = Path.Combine(folder, MountName);
    private string LockPath { get; } = Path.Combine(folder, "volume.lock");

    /// <summary>The image that belongs to a folder, or to its parent when the folder is where the image is mounted; null when there is none.</summary>
    /// <param name="directory">Absolute and without links.</param>
    public static VolumeImage? Locate(string directory)
    {
        if (Files.Exists(Path.Combine(directory, ImageName)))
            return new VolumeImage(directory);
        return Path.GetFileName(directory) == MountName && Path.GetDirectoryName(directory) is { } above && Files.Exists(Path.Combine(above, ImageName))
            ? new VolumeImage(above)
            : null;
    }

    /// <summary>Mounts the image unless it is mounted.</summary>
    /// <exception cref="VolumeException">Damaged, no privilege, or something else is mounted there.</exception>
    public void EnsureMounted()
    {
        if (IsMounted())
            return;
        using SafeFileHandle held = Lock();
        Mount();
    }

    /// <summary>Makes the image unless it is there, and mounts it. An image that is there is never formatted, whatever it holds.</summary>
    public void EnsureMade(long size)
    {
        using SafeFileHandle held = Lock();
        if (!Files.Exists(ImagePath))
            Make(size);
        Mount();
    }

    /// <summary>The size of the image in bytes, which the filesystem may use; most of it are holes.</summary>
    public long Size => Files.Status(ImagePath).Size;

    /// <summary>Bytes of the disk below that are taken.</summary>
    public long Allocated => Files.Status(ImagePath).Blocks * 512;

    /// <summary>Makes the image larger until <paramref name="isEnough"/>, which is asked under the lock, is content.</summary>
    /// <param name="isEnough">Gives how many bytes are missing; 0 or less ends it.</param>
    public void Grow(Func<long> isEnough)
    {
        // Two copies of metadata are kept, and chunks are reserved in large pieces: what is missing is not all that is needed.
        const long Slack = 64 << 20;
        const int Attempts = 6;
        using SafeFileHandle held = Lock();
        for (int attempt = 0; isEnough() is var missing and > 0; attempt++)
        {
            if (attempt == Attempts)
                throw new VolumeException($"{ImagePath}: grown to {Bytes(Size)}, and {Bytes(missing)} are still missing");
            GrowTo(Size + missing + (missing / 4) + Slack);
        }
    }

    /// <summary>Makes the image at least so large; never smaller.</summary>
    public void GrowToAtLeast(long size)
    {
        using SafeFileHandle held = Lock();
        if (Size < RoundUp(size))
            GrowTo(size);
    }

    private void GrowTo(long size)
    {
        RequirePrivilege("growing the volume");
        using LoopDevice device = LoopDevice.Find(ImagePath) ?? throw new VolumeException($"{ImagePath}: is not attached to a loop device any more: was it unmounted?");
        using (SafeFileHandle image = Files.Open(ImagePath, OpenFlags.WriteOnly))
            Files.Truncate(image, RoundUp(size), ImagePath);
        device.UpdateCapacity();
        VolumeArgs args = default;
        "max"u8.CopyTo(new Span<byte>(args.Name, VolumeArgs.NameMax));
        using SafeFileHandle mounted = Directories.Open(MountPoint);
        Directories.Ioctl(mounted, BTRFS_IOC_RESIZE, ref args, "resize filesystem", MountPoint);
    }

    private bool IsMounted()
    {
        if (Mounts.At(MountPoint) is not { } mount)
            return false;
        if (mount.Type == "btrfs" && LoopDevice.BackingFile(mount.Source) == ImagePath)
            return true;
        // Seen from another chroot or mount namespace the same file has another path.
        if (ProcessCapabilities.HasSysAdmin() && Files.Exists(ImagePath))
        {
            using LoopDevice? device = LoopDevice.Find(ImagePath);
            if (device?.Path == mount.Source)
                return true;
        }
        throw new VolumeException($"{MountPoint}: {LoopDevice.BackingFile(mount.Source) ?? mount.Source} is mounted there, not {ImagePath}: 'umount {MountPoint}' and try again");
    }

    private void Make(long size)
    {
        if (Mounts.At(MountPoint) is { } mount)
            throw new VolumeException($"{ImagePath}: is gone, but {mount.Source} is still mounted on {MountPoint}: 'umount {MountPoint}' and try again");
        RequirePrivilege("mounting a volume");
        if (ProgramStart.TryFind("mkfs.btrfs") is not { } mkfs)
            throw new VolumeException("mkfs.btrfs: not found, and a new volume needs it: install the package btrfs-progs (Debian: apt install btrfs-progs; Fedora: dnf install btrfs-progs)");
        // Under a name of its own until it is whole: what bears the final name has always been formatted.
        string unfinished = ImagePath + ".new";
        if (Files.Exists(unfinished))
            Files.Remove(unfinished);
        try
        {
            using (SafeFileHandle image = Files.Open(unfinished, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive, 0x180 /* 0600 */))
            {
                Files.Truncate(image, RoundUp(size), unfinished);
                ChildProcess.Run(new ProgramStart(mkfs, "--quiet", "--label", "layerbox", unfinished)).ThrowIfFailed();
                Files.Sync(image, unfinished);
            }
            Files.Rename(unfinished, ImagePath, replace: false);
        }
        catch
        {
            if (Files.Exists(unfinished))
                Files.Remove(unfinished);
            throw;
        }
    }

    private void Mount()
    {
        if (IsMounted())
            return;
        RequirePrivilege("mounting a volume");
        Directories.MakeAll(MountPoint);
        try
        {
            using LoopDevice device = LoopDevice.Attach(ImagePath);
            Mounts.Mount(device.Path, MountPoint, "btrfs", MountFlags.MS_NOATIME, MountOptions);
        }
        catch (PosixException e)
        {
            throw new VolumeException($"{ImagePath}: {e.Call}: {PosixException.Reason(e.Errno)}: {Explain(e)}", e);
        }
    }

    private string Explain(PosixException e) => e.Errno switch
    {
        Errno.EPERM or Errno.EACCES => "loop devices and mounts need CAP_SYS_ADMIN and access to /dev: run as root, or point --volume at a folder on a btrfs filesystem",
        Errno.ENODEV => "this kernel has no btrfs: 'modprobe btrfs', or point --volume at a folder on another machine's",
        Errno.EEXIST => "a copy of this filesystem (the same uuid) is mounted elsewhere: unmount that one first",
        Errno.EINVAL or Errno.EIO or Errno.EUCLEAN or Errno.EBADMSG or Errno.EFBIG when e.Call == "mount" =>
            $"the image seems damaged; it is left as it is. 'rm {Quoted(ImagePath)} && layerbox volume-make {Quoted(folder)}' starts afresh without its layers",
        _ => $"{e.Path ?? "kernel"} refused",
    };

    private void RequirePrivilege(string what)
    {
        if (!ProcessCapabilities.HasSysAdmin())
            throw new VolumeException($"{ImagePath}: {what} needs CAP_SYS_ADMIN: run as root, or point --volume at a folder on a btrfs filesystem");
    }

    private SafeFileHandle Lock()
    {
        SafeFileHandle file = Files.Open(LockPath, OpenFlags.ReadWrite | OpenFlags.Create, 0x180 /* 0600 */);
        Files.Lock(file, exclusive: true, wait: true, LockPath);
        return file;
    }

    private static long RoundUp(long size) => (size + BlockSize - 1) / BlockSize * BlockSize;

    private static string Bytes(long count) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{count} bytes");

    private static string Quoted(string path) =>
        path.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '_' or '-' or '+' or '@' or ':') ? path : $"'{path.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>struct btrfs_ioctl_vol_args, 4096 bytes.</summary>
    private struct VolumeArgs
    {
        public const int NameMax = 4087;

#pragma warning disable CS0649 // The kernel wants it, resizing leaves it 0.
        public long Fd;
#pragma warning restore CS0649
        public fixed byte Name[NameMax + 1];
    }
}
