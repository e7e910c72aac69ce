using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer;

/// <summary>
/// What an image on disk says about being run, and its mounts found on this machine. Layers that are mounted are kept from being cleared
/// away until this is disposed.
/// </summary>
public sealed class RuntimeImage : IDisposable
{
    private readonly List<IDisposable> _holds = [];

    private RuntimeImage(RunConfig config) => Config = config;

    public RunConfig Config { get; }

    /// <summary>The recorded mounts, read-only.</summary>
    public IReadOnlyList<ContainerBind> Binds { get; private set; } = [];

    /// <param name="root">The folder with the image.</param>
    /// <param name="volume">Finds where the layers are that it mounts, which takes longer than the rest; null: there are none.</param>
    /// <param name="allowedHostMounts">The paths of this machine that it may have mounted; null: whoever made the layer was asked already.</param>
    /// <exception cref="LayerException">
    /// What is recorded cannot be understood, is not allowed, or a layer that is to be mounted is not on the volume.
    /// </exception>
    public static RuntimeImage Open(string root, Func<Volume?> volume, IReadOnlyCollection<string>? allowedHostMounts = null)
    {
        ImageMetadata metadata;
        try
        {
            metadata = ReadMetadata(root);
        }
        catch (LayerException e) when (!e.Message.StartsWith(root, StringComparison.Ordinal))
        {
            throw new LayerException($"{root}: {e.Message}");
        }
        if (metadata.Mounts.FirstOrDefault(m => m.Type == Mount.OfHost && allowedHostMounts?.Contains(m.Source) == false) is { } mount)
            throw new LayerException($"{root}: {mount.MountPoint} is to show {mount.Source} of the host; allow it with --allow-host-mount if that is meant");
        RuntimeImage image = new(metadata.Config ?? new RunConfig());
        try
        {
            image.Binds = [.. metadata.Mounts.Select(mount => image.BindOf(mount, volume))];
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    public void Dispose() => _holds.ForEach(hold => hold.Dispose());

    // Only the one folder is read: a walk of the whole image would take longer than most commands do.
    private static ImageMetadata ReadMetadata(string root)
    {
        string name = PathText.FromBytes(ImageMetadata.Folder.ToBytes());
        using SafeFileHandle directory = Directories.Open(root);
        if (Files.TryStatus(directory, ImageMetadata.Folder.ToBytes()) is not { } folder)
            return new ImageMetadata();
        if (!folder.IsDirectory)
            throw new LayerException($"{root}: {ImageMetadata.Folder}: a directory is expected");
        using (SafeFileHandle inside = Directories.Open(directory, ImageMetadata.Folder.ToBytes()))
        {
            if (RunConfigReader.TryRead(inside) is { } config)
                return new ImageMetadata { Config = config };
        }
        if (!Module.IsWhole)
            throw new NotInThisModuleException("a walk of the image's metadata");
        Tree tree = new();
        tree.Root.Add(ImageMetadata.Folder.Name, RootfsReader.Read(Path.Combine(root, name)).Root);
        return ImageMetadata.Read(tree);
    }

    // A layer is part of the image; what is the host's stays so.
    private ContainerBind BindOf(Mount mount, Func<Volume?> volume) =>
        new(SourceOf(mount, volume), PathText.FromBytes([(byte)'/', .. mount.MountPoint.ToBytes()]), ReadOnly: true) { KeepsOwners = mount.Type != Mount.OfHost };

    private string SourceOf(Mount mount, Func<Volume?> volume)
    {
        if (mount.Type == Mount.OfHost)
            return mount.Source;
        foreach (StoredLayer stored in volume()?.Layers.List() ?? [])
        {
            if (stored.TryHold() is not { } hold)
                continue;
            if (LayerFacts.ReadHeader(stored.FactsPath) is { } facts && facts.Digest == mount.Digest && Subvolume.IsSubvolume(stored.SubvolumePath) && facts.IsAbout(Subvolume.Info(stored.SubvolumePath)))
            {
                _holds.Add(hold);
                return stored.SubvolumePath;
            }
            hold.Dispose();
        }
        throw new LayerException($"{mount.MountPoint}: layer '{mount.Source}' with {mount.Digest}, which is to be mounted there, is not on the volume: compile it again");
    }
}
