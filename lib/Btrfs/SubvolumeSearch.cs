using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>Finds subvolumes: those directly inside one, and all of a filesystem.</summary>
public static unsafe partial class SubvolumeSearch
{
    // BTRFS_IOC_GET_SUBVOL_ROOTREF = _IOWR(0x94, 61, struct btrfs_ioctl_get_subvol_rootref_args)
    private const nuint BTRFS_IOC_GET_SUBVOL_ROOTREF = 0xD000943D;
    // BTRFS_IOC_INO_LOOKUP_USER = _IOWR(0x94, 62, struct btrfs_ioctl_ino_lookup_user_args)
    private const nuint BTRFS_IOC_INO_LOOKUP_USER = 0xD000943E;

    /// <summary>A subvolume right inside another: its id, the directory in the outer one (without slash at either end) and its name there.</summary>
    internal sealed record Child(ulong Id, byte[] Directory, byte[] Name)
    {
        public byte[] RelativePath => Directory is [] ? Name : [.. Directory, (byte)'/', .. Name];
    }

    /// <summary>The subvolumes right inside the one whose root is given; needs no privilege but to read the directories on the way.</summary>
    /// <param name="subvolume">Its root directory.</param>
    /// <param name="path">Its path, for errors.</param>
    /// <param name="onlyReadable">Leave out, instead of failing, those in directories that the caller may not read.</param>
    internal static List<Child> Children(SafeFileHandle subvolume, string path, bool onlyReadable = false)
    {
        List<Child> children = [];
        GetSubvolRootrefArgs args = default;
        bool isMore = true;
        while (isMore)
        {
            try
            {
                SubvolumeIoctl.Run(subvolume, BTRFS_IOC_GET_SUBVOL_ROOTREF, ref args, "subvolume search", path);
                isMore = false;
            }
            catch (PosixException e) when (e.Errno == Errno.EOVERFLOW)
            {
                // The struct is full, and there are more.
            }
            for (int i = 0; i < args.NumItems; i++)
            {
                ulong id = args.RootRefs[2 * i];
                if (NameOf(subvolume, id, args.RootRefs[(2 * i) + 1], path, onlyReadable) is { } child)
                    children.Add(child);
                args.MinTreeId = id + 1;
            }
        }
        return children;
    }

    /// <summary>Opens a directory by a relative path, name by name: no link is followed and no length is too much. Errors bear <paramref name="path"/>.</summary>
    internal static SafeFileHandle OpenBelow(SafeFileHandle directory, ReadOnlySpan<byte> relative, string path)
    {
        SafeFileHandle? current = null;
        try
        {
            foreach (Range part in relative.Split((byte)'/'))
            {
                ReadOnlySpan<byte> name = relative[part];
                SafeFileHandle next = Directories.Open(current ?? directory, name.IsEmpty ? "."u8 : name);
                current?.Dispose();
                current = next;
            }
            return current!;
        }
        catch (PosixException e)
        {
            current?.Dispose();
            throw new PosixException(e.Call, e.Errno, path);
        }
    }

    // Null when it went away since it was found.
    private static Child? NameOf(SafeFileHandle subvolume, ulong id, ulong directory, string path, bool onlyReadable)
    {
        InoLookupUserArgs args = new() { TreeId = id, DirId = directory };
        try
        {
            SubvolumeIoctl.Run(subvolume, BTRFS_IOC_INO_LOOKUP_USER, ref args, "subvolume search", path);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT || (onlyReadable && e.Errno == Errno.EACCES))
        {
            return null;
        }
        ReadOnlySpan<byte> name = new(args.Name, InoLookupUserArgs.NameMax + 1);
        ReadOnlySpan<byte> above = new(args.Path, InoLookupUserArgs.PathMax);
        return new Child(id, above[..above.IndexOf((byte)0)].TrimEnd((byte)'/').ToArray(), name[..name.IndexOf((byte)0)].ToArray());
    }
}
