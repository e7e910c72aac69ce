using System.Globalization;
using Layerbox.Posix;

namespace Layerbox.Btrfs;

/// <summary>The btrfs that layers live on: a folder of a filesystem that is there, or one of our own in a loop-mounted image.</summary>
public sealed class Volume
{
    /// <summary>The size that an image gets when nobody says one, in bytes. It is sparse: only what is written takes room.</summary>
    public const long DefaultSize = VolumeImage.DefaultSize;

    /// <summary>The least that an image may have, in bytes.</summary>
    public const long MinimumSize = VolumeImage.MinimumSize;

    /// <summary>An image of ours is grown when less than this would stay free, since nobody knows exactly what a build will write.</summary>
    private const long Reserve = 256L << 20;

    private readonly VolumeImage? _image;

    private Volume(string path, VolumeImage? image)
    {
        (Path, _image) = (path, image);
        Uuid = Subvolume.FilesystemUuid(path);
        Layers = LayerStore.Open(this);
    }

    /// <summary>The folder with <c>layers/</c>, <c>tmp/</c> and <c>roots/</c>: absolute and without links.</summary>
    public string Path { get; }

    /// <summary>The filesystem's uuid, which handles carry.</summary>
    public Guid Uuid { get; }

    /// <summary>The image behind it; null where the filesystem was given to us.</summary>
    public string? Image => _image?.ImagePath;

    /// <summary>The layers on it.</summary>
    public LayerStore Layers { get; }

    /// <summary>Bytes in all: those of the image, or of the filesystem that was given.</summary>
    public long Size => _image?.Size ?? FilesystemStatus.Of(Path).Size;

    /// <summary>Bytes that can be written now, by the filesystem's own estimate.</summary>
    public long Free => FilesystemStatus.Of(Path).Available;

    /// <summary>
    /// Finds the volume: <paramref name="explicitPath"/> (what --volume said), else $LAYERBOX_VOLUME, else the <c>.layerbox/</c> of the current
    /// folder or one above it, else the default one in the cache, which is made on first use. An image that is not mounted gets mounted.
    /// </summary>
    /// <exception cref="VolumeException">It is not there, damaged, or a privilege is missing.</exception>
    public static Volume Open(string? explicitPath = null) => Open(explicitPath, EnvironmentVariable.Get, RealPath.Of("."));

    /// <summary>As <see cref="Open(string?)"/>, but null instead of making the default volume: then there is nothing on it either.</summary>
    public static Volume? OpenExisting(string? explicitPath = null)
    {
        VolumeLocation? location = VolumeLocation.TryFind(explicitPath, EnvironmentVariable.Get, RealPath.Of("."));
        return location is null || (location.IsDefault && !Files.Exists(location.Directory)) ? null : OpenAt(location);
    }

    internal static Volume Open(string? explicitPath, Func<string, string?> variable, string currentDirectory)
    {
        VolumeLocation location = VolumeLocation.Find(explicitPath, variable, currentDirectory);
        return location.IsDefault ? Make(location, null) : OpenAt(location);
    }

    /// <summary>
    /// Makes the volume that <see cref="Open(string?)"/> of the same folder gives: prepares a folder on btrfs, or makes an image in any other
    /// one. What is there already is kept and used. Without a folder: where the tools would look.
    /// </summary>
    /// <param name="directory">Where; made when missing.</param>
    /// <param name="size">Bytes of a new image; one that is there grows to it and never shrinks.</param>
    public static Volume Make(string? directory, long? size = null)
    {
        if (size < MinimumSize)
            throw new VolumeException(string.Create(CultureInfo.InvariantCulture, $"a volume of {size} bytes is too small: it has at least {MinimumSize}"));
        return Make(VolumeLocation.Find(directory, EnvironmentVariable.Get, RealPath.Of(".")), size);
    }

    private static Volume Make(VolumeLocation location, long? size)
    {
        try
        {
            Directories.MakeAll(location.Directory.TrimEnd('/') is { Length: > 0 } folder ? folder : "/");
            string directory = RealPath.Of(location.Directory);
            VolumeImage? image = VolumeImage.Locate(directory);
            if (image is null && FilesystemStatus.Of(directory).IsBtrfs)
                return new Volume(directory, null);
            bool isNew = image is null;
            image ??= new VolumeImage(directory);
            if (isNew)
                image.EnsureMade(size ?? DefaultSize);
            else
                image.EnsureMounted();
            if (size is { } wanted && wanted > image.Size)
                image.GrowToAtLeast(wanted);
            return new Volume(image.MountPoint, image);
        }
        catch (PosixException e) when (location.IsDefault && e.Errno is Errno.EACCES or Errno.EPERM or Errno.EROFS or Errno.ENOTDIR or Errno.ENOENT or Errno.EEXIST)
        {
            throw location.Unusable(e);
        }
    }

    private static Volume OpenAt(VolumeLocation location)
    {
        string directory = RealPath.Of(location.Directory);
        if (VolumeImage.Locate(directory) is { } image)
        {
            image.EnsureMounted();
            return new Volume(image.MountPoint, image);
        }
        if (!FilesystemStatus.Of(directory).IsBtrfs)
            throw new VolumeException($"{location.Directory}: not on btrfs, and there is no {VolumeImage.ImageName} in it: 'layerbox volume-make {location.Directory}' makes a volume there");
        return new Volume(directory, null);
    }

    /// <summary>Sees to it that so many bytes can be written: grows an image of ours when it runs short.</summary>
    /// <exception cref="VolumeException">The filesystem is not ours to grow, or the disk below it is full: says how much is missing.</exception>
    public void EnsureFree(long bytes)
    {
        if (_image is null)
        {
            if (Free is var free && free < bytes)
                throw Short(Path, bytes, free);
            return;
        }
        // Blocks of the image that hold nothing any more take no new room below.
        FilesystemStatus status = FilesystemStatus.Of(Path);
        long reusable = Math.Max(0, _image.Allocated - (status.Size - status.Available));
        if (FilesystemStatus.Of(_image.ImagePath).Available + reusable is var below && below < bytes)
            throw Short(System.IO.Path.GetDirectoryName(_image.ImagePath)!, bytes, below);
        bool isOnlyReserve = status.Available >= bytes;
        if (status.Available >= bytes + Reserve || (isOnlyReserve && !ProcessCapabilities.HasSysAdmin()))
            return;
        _image.Grow(() => bytes + Reserve - Free);
    }

    /// <summary>The same as far as it can be done: what is not to be had is for the writer to find out, who may need less.</summary>
    public void MakeRoom(long bytes)
    {
        try
        {
            EnsureFree(bytes);
        }
        catch (VolumeException)
        {
        }
    }

    private static VolumeException Short(string path, long wanted, long free) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{path}: {wanted - free} bytes are missing: {wanted} are needed and {free} free: 'layerbox subvol-gc' removes what nobody uses"));
}
