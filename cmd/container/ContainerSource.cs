using Layerbox.Btrfs;
using Layerbox.Cmd.Layers;
using Layerbox.Layer;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>The folder that a container runs in: a layer's or a plain one, or a snapshot of it that goes when this is disposed.</summary>
internal sealed class ContainerSource : IDisposable
{
    private const string SnapshotName = "root";

    private readonly BuiltLayer? _layer;
    private readonly TemporaryFolder? _temporary;
    private readonly RuntimeImage _image;
    private string? _unused;

    // Volume: asked for only when the image mounts a layer.
    private ContainerSource(string root, BuiltLayer? layer, TemporaryFolder? temporary, Func<Volume?> volume, IReadOnlyCollection<string>? hostMounts)
    {
        (Root, _layer, _temporary) = (root, layer, temporary);
        _image = RuntimeImage.Open(root, volume, hostMounts);
    }

    public string Root { get; }

    public RunConfig Config => _image.Config;

    /// <summary>What the image itself wants mounted.</summary>
    public IReadOnlyList<ContainerBind> Binds => _image.Binds;

    /// <param name="handle">A handle file, "-", or a folder.</param>
    /// <param name="volumePath">Where layers and snapshots are; null: found.</param>
    /// <param name="mode">What becomes of changes.</param>
    /// <param name="keep">Where the snapshot is made with <see cref="RootMode.Keep"/>.</param>
    /// <param name="hostMounts">What a folder, of which nobody knows where it comes from, may have mounted of this machine.</param>
    /// <param name="io">For a handle on standard input.</param>
    public static ContainerSource Open(string handle, string? volumePath, RootMode mode, string? keep, IReadOnlyCollection<string> hostMounts, Streams io)
    {
        if (mode is RootMode.Snapshot or RootMode.Keep && !Module.IsWhole)
            throw new NotInThisModuleException("snapshots");
        if (handle != "-" && Files.Status(handle, followLinks: true).IsDirectory)
            return OpenFolder(handle, volumePath, mode, keep, hostMounts);
        if (mode == RootMode.InPlace)
            throw new UsageException("--in-place: a layer never changes: --keep DIR runs in a snapshot of it that stays");
        LayerHandle layer = HandleInput.Read(handle, io);
        Volume volume = Volume.Open(volumePath);
        BuiltLayer built = BuiltLayer.Open(layer, volume, handle == "-" ? "standard input" : handle);
        if (Module.IsWhole)
        {
            if (mode == RootMode.Snapshot)
                return Snapshot(built.Path, built, volume, null);
            if (mode == RootMode.Keep)
                return Kept(built.Path, keep!, built, () => volume, null);
        }
        return new ContainerSource(built.Path, built, null, () => volume, null);
    }

    /// <summary>The container runs, so what was made to be kept is kept.</summary>
    public void Used() => _unused = null;

    public void Dispose()
    {
        _image.Dispose();
        if (_unused is not null)
            Subvolume.Delete(_unused);
        _temporary?.Dispose();
        _layer?.Dispose();
    }

    private static ContainerSource OpenFolder(string folder, string? volumePath, RootMode mode, string? keep, IReadOnlyCollection<string> hostMounts)
    {
        if (mode == RootMode.Memory)
            return new ContainerSource(folder, null, null, () => Volume.OpenExisting(volumePath), hostMounts);
        bool isSubvolume = Subvolume.IsSubvolume(folder);
        if (mode == RootMode.InPlace)
        {
            return isSubvolume && Subvolume.Info(folder).IsReadOnly
                ? throw new ContainerException($"{folder}: is a read-only subvolume: leave out --in-place, or snapshot it with subvol-snapshot")
                : new ContainerSource(folder, null, null, () => Volume.OpenExisting(volumePath), hostMounts);
        }
        if (!Module.IsWhole)
            throw new NotInThisModuleException("snapshots");
        string option = mode == RootMode.Keep ? "--keep" : "--snapshot";
        if (!isSubvolume)
            throw new ContainerException($"{folder}: is no btrfs subvolume, so it cannot be snapshotted: leave out {option}, and changes are in memory");
        if (mode == RootMode.Keep)
            return Kept(folder, keep!, null, () => Volume.OpenExisting(volumePath), hostMounts);
        return Volume.OpenExisting(volumePath) is { } volume && volume.Uuid == Subvolume.FilesystemUuid(folder)
            ? Snapshot(folder, null, volume, hostMounts)
            : throw new ContainerException($"{folder}: is not on the filesystem of a layerbox volume, where snapshots are cleared away: name one with --volume, or leave out --snapshot");
    }

    private static ContainerSource Kept(string subvolume, string path, BuiltLayer? layer, Func<Volume?> volume, IReadOnlyCollection<string>? hostMounts)
    {
        try
        {
            Subvolume.Snapshot(subvolume, path, readOnly: false);
            return new ContainerSource(path, layer, null, volume, hostMounts) { _unused = path };
        }
        catch (PosixException e)
        {
            layer?.Dispose();
            throw e.Errno is Errno.EXDEV or Errno.ENOTTY ? new ContainerException($"--keep: {path}: is not on the filesystem of {subvolume}: name a folder there") : new ContainerException($"--keep: {e.Message}");
        }
    }

    private static ContainerSource Snapshot(string subvolume, BuiltLayer? layer, Volume volume, IReadOnlyCollection<string>? hostMounts)
    {
        TemporaryFolder temporary = volume.Layers.BeginTemporary();
        try
        {
            string root = Path.Combine(temporary.Directory, SnapshotName);
            Subvolume.Snapshot(subvolume, root, readOnly: false);
            return new ContainerSource(root, layer, temporary, () => volume, hostMounts);
        }
        catch
        {
            temporary.Dispose();
            layer?.Dispose();
            throw;
        }
    }
}

/// <summary>What becomes of the changes that a command makes.</summary>
internal enum RootMode
{
    /// <summary>They are in memory and end with the container.</summary>
    Memory,

    /// <summary>They are in a snapshot, which is deleted afterwards.</summary>
    Snapshot,

    /// <summary>They are kept.</summary>
    InPlace,

    /// <summary>They are kept in a snapshot.</summary>
    Keep,
}
