using Layerbox.Btrfs;
using Layerbox.Cmd.Layers;
using Layerbox.FileTree;
using Layerbox.Layer;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Layerbox.SendStream;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Sendstream;

/// <summary>
/// What is sent: a folder by its path, or a layer by its handle, which is held meanwhile; canonically also what send-streams describe.
/// </summary>
internal sealed class SentSource : IDisposable
{
    private readonly string? _path;
    private readonly IDisposable? _held;
    private readonly Lazy<Tree> _tree;

    private SentSource(FileName name, Func<Tree> tree, string? path, IDisposable? held) => (Name, _tree, _path, _held) = (name, new Lazy<Tree>(tree), path, held);

    public FileName Name { get; }
    public Tree Tree => _tree.Value;

    /// <summary>Opens a folder or a layer.</summary>
    public static SentSource Open(string path, string? volume, Streams io)
    {
        // What is not there is left to who opens it, and words it.
        if (path != InputFile.StandardInput && (!Files.Exists(path) || Files.Status(path, followLinks: true).IsDirectory))
            return new SentSource(new FileName(PathText.ToBytes(System.IO.Path.GetFileName(RealPath.Of(path)))), () => RootfsReader.Read(path), path, null);
        if (path != InputFile.StandardInput && Files.Status(path, followLinks: true).IsRegular && !IsHandle(path))
            throw new InvalidDataException($"{path}: neither a folder nor the handle of a layer: --canonical takes send-streams, too");
        BuiltLayer layer = LayerArguments.Open(path, volume, io);
        return new SentSource(new FileName(layer.Handle.Layer), () => layer.Tree, layer.Path, layer);
    }

    /// <summary>Opens anything that has a tree: a file that is no handle is one of send-streams, whose last subvolume is meant.</summary>
    /// <param name="path">The operand.</param>
    /// <param name="parent">What the streams may build upon; null for nothing.</param>
    /// <param name="volume">Where layers are looked for.</param>
    /// <param name="progress">Is told how much of the streams was read.</param>
    /// <param name="io">Where standard input comes from.</param>
    public static SentSource OpenTree(string path, SentSource? parent, string? volume, Progress progress, Streams io)
    {
        if (path == InputFile.StandardInput || !Files.Exists(path) || !Files.Status(path, followLinks: true).IsRegular || IsHandle(path))
            return Open(path, volume, io);
        StreamChain chain = new(io, new Reading { Progress = progress, ParentAdvice = "name its streams with --parent" }) { Set = new SubvolumeSet { Known = uuid => (parent?._held as StreamChain)?.Set.Find(uuid)?.Tree } };
        try
        {
            ReceivedSubvolume last = chain.Receive([path]);
            return new SentSource(last.Name, () => last.Tree, null, chain);
        }
        catch
        {
            chain.Dispose();
            throw;
        }
    }

    /// <summary>The folder that the kernel is to send.</summary>
    public string Path => _path ?? throw new InvalidOperationException("the kernel can send folders only");

    /// <summary>Whether an operand is a directory or the handle of a layer, rather than a file of send-streams, a pipe, or nothing.</summary>
    public static bool IsNoStream(string path)
    {
        if (path == InputFile.StandardInput || !Files.Exists(path))
            return false;
        FileStatus status = Files.Status(path, followLinks: true);
        return status.IsDirectory || (status.IsRegular && IsHandle(path));
    }

    private static bool IsHandle(string path)
    {
        using SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly);
        Span<byte> first = stackalloc byte[1];
        return Files.ReadAt(file, first, 0) == 1 && first[0] == (byte)'{'; // one line of JSON
    }

    /// <summary>Where the bytes of a content are: on disk, or in the streams. Nothing where that is not known.</summary>
    public IReadOnlyList<StoredRun> StorageOf(FileContent content) => (content, _held) switch
    {
        (DiskContent disk, _) => disk.FindStorage(),
        (_, StreamChain chain) => [.. chain.Set.StorageOf(content, withHoles: false)],
        _ => [],
    };

    /// <summary>Whether <see cref="StorageOf"/> of the other one also says where the bytes of this one are, in the same terms.</summary>
    public bool SharesStorageWith(SentSource other)
    {
        if (_held is StreamChain && other._held is StreamChain)
            return true; // what a stream did not touch is the parent's very content
        if (_path is null || other._path is null)
            return false;
        // Subvolumes of one btrfs have device numbers of their own.
        using SafeFileHandle a = Directories.Open(_path), b = Directories.Open(other._path);
        if (Files.IsOnBtrfs(a) && Files.IsOnBtrfs(b))
            return Subvolume.FilesystemUuid(_path) == Subvolume.FilesystemUuid(other._path);
        FileStatus one = Files.Status(a), two = Files.Status(b);
        return (one.DevMajor, one.DevMinor) == (two.DevMajor, two.DevMinor);
    }

    public void Dispose() => _held?.Dispose();
}
