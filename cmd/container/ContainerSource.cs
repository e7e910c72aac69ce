using Layerbox.Btrfs;
using Layerbox.Cmd.Layers;
using Layerbox.Layer;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>The folder that a container runs in: a snapshot that goes when this is disposed, or with --in-place the folder itself.</summary>
internal sealed class ContainerSource : IDisposable
{
    private const string SnapshotName = "root";

    private readonly BuiltLayer? _layer;
    private readonly TemporaryFolder? _temporary;
    private readonly RuntimeImage _image;

    private ContainerSource(string root, BuiltLayer? layer, TemporaryFolder? temporary, Volume? volume)
    {
        (Root, _layer, _temporary) = (root, layer, temporary);
        _image = RuntimeImage.Open(root, volume);
    }

    public string Root { get; }

    public RunConfig Config => _image.Config;

    /// <summary>What the image itself wants mounted.</summary>
    public IReadOnlyList<ContainerBind> Binds => _image.Binds;

    public static ContainerSource Open(string handle, string? volumePath, bool inPlace, Streams io)
    {
        if (handle != "-" && Files.Status(handle, followLinks: true).IsDirectory)
            return OpenFolder(handle, volumePath, inPlace);
        if (inPlace)
            throw new UsageException("--in-place: a layer never changes; snapshot it with subvol-snapshot and run in that");
        LayerHandle layer = LayerArguments.Read(handle, io);
        Volume volume = Volume.Open(volumePath);
        BuiltLayer built = BuiltLayer.Open(layer, volume, handle == "-" ? "standard input" : handle);
        return Snapshot(built.Path, built, volume);
    }

    public void Dispose()
    {
        _image.Dispose();
        _temporary?.Dispose();
        _layer?.Dispose();
    }

    private static ContainerSource OpenFolder(string folder, string? volumePath, bool inPlace)
    {
        bool isSubvolume = Subvolume.IsSubvolume(folder);
        if (inPlace)
        {
            return isSubvolume && Subvolume.Info(folder).IsReadOnly
                ? throw new ContainerException($"{folder}: is a read-only subvolume: leave out --in-place, or snapshot it with subvol-snapshot")
                : new ContainerSource(folder, null, null, Volume.OpenExisting(volumePath));
        }
        if (!isSubvolume)
            throw new ContainerException($"{folder}: is no btrfs subvolume, so it cannot be snapshotted: --in-place runs in the folder itself");
        return Volume.OpenExisting(volumePath) is { } volume && volume.Uuid == Subvolume.FilesystemUuid(folder)
            ? Snapshot(folder, null, volume)
            : throw new ContainerException($"{folder}: is not on the filesystem of a layerbox volume, where snapshots are cleared away: name one with --volume, or use --in-place");
    }

    private static ContainerSource Snapshot(string subvolume, BuiltLayer? layer, Volume volume)
    {
        TemporaryFolder temporary = volume.Layers.BeginTemporary();
        try
        {
            string root = Path.Combine(temporary.Directory, SnapshotName);
            Subvolume.Snapshot(subvolume, root, readOnly: false);
            return new ContainerSource(root, layer, temporary, volume);
        }
        catch
        {
            temporary.Dispose();
            layer?.Dispose();
            throw;
        }
    }
}
