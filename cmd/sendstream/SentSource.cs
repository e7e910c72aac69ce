using Layerbox.Btrfs;
using Layerbox.Cmd.Layers;
using Layerbox.FileTree;
using Layerbox.Layer;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Sendstream;

/// <summary>What is sent: a folder by its path, or a layer by its handle, which is held meanwhile.</summary>
internal sealed class SentSource : IDisposable
{
    private readonly BuiltLayer? _layer;
    private readonly Lazy<Tree> _tree;

    private SentSource(string path, BuiltLayer? layer)
    {
        Path = path;
        _layer = layer;
        _tree = new Lazy<Tree>(() => layer?.Tree ?? RootfsReader.Read(path));
    }

    public string Path { get; }
    public string Name => _layer?.Handle.Layer ?? System.IO.Path.GetFileName(RealPath.Of(Path));
    public Tree Tree => _tree.Value;

    public static SentSource Open(string path, string? volume, Streams io)
    {
        // What is not there is left to who opens it, and words it.
        if (path != "-" && (!Files.Exists(path) || Files.Status(path, followLinks: true).IsDirectory))
            return new SentSource(path, null);
        BuiltLayer layer = LayerArguments.Open(path, volume, io);
        return new SentSource(layer.Path, layer);
    }

    /// <summary>Whether addresses on disk mean the same for both: subvolumes of one btrfs have device numbers of their own.</summary>
    public bool IsOnFilesystemOf(SentSource other)
    {
        using SafeFileHandle a = Directories.Open(Path), b = Directories.Open(other.Path);
        if (Files.IsOnBtrfs(a) && Files.IsOnBtrfs(b))
            return Subvolume.FilesystemUuid(Path) == Subvolume.FilesystemUuid(other.Path);
        FileStatus one = Files.Status(a), two = Files.Status(b);
        return (one.DevMajor, one.DevMinor) == (two.DevMajor, two.DevMinor);
    }

    public void Dispose() => _layer?.Dispose();
}
