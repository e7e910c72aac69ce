using System.Security.Cryptography;
using System.Text;
using Layerbox.Archive;
using Layerbox.Btrfs;
using Layerbox.Compression;
using Layerbox.FileTree;
using Layerbox.Rootfs;
using Layerbox.SendStream;

namespace Layerbox.Layer;

/// <summary>
/// Makes a layer of a pinned archive or send-stream, compressed or not. The content is exactly what the file says, times included: the
/// pin already makes it the same everywhere.
/// </summary>
public sealed class LayerImporter(Volume volume, CompileOptions options)
{
    private const int RecipeVersion = 1;

    /// <summary>
    /// Host paths that the image may ask to have mounted. Who made an image is not who runs it: what of this machine its commands see is
    /// for the one who imports it to say.
    /// </summary>
    public IReadOnlySet<string> AllowedHostMounts { get; init; } = new HashSet<string>();

    private static ReadOnlySpan<byte> SendStreamMagic => "btrfs-stream\0"u8;

    /// <param name="name">The layer's name.</param>
    /// <param name="sha256">The pin, "sha256:…"; when a layer of this pin is there, the file is not even read.</param>
    /// <param name="open">Opens the file.</param>
    /// <param name="place">What messages call it.</param>
    /// <exception cref="LayerException">The bytes are not those that were pinned.</exception>
    /// <exception cref="InvalidDataException">They are no archive and no stream, or a broken one.</exception>
    public CompileResult Import(string name, string sha256, Func<Stream> open, string place)
    {
        string recipe = LayerSeal.Sha256(SHA256.HashData(Encoding.UTF8.GetBytes($"layerbox import {RecipeVersion}\ntool {options.ToolVersion}\nname {name}\nsource {sha256}\n{string.Concat(AllowedHostMounts.Order(StringComparer.Ordinal).Select(path => $"mount {path}\n"))}")));
        if (!options.NoCache && LayerSeal.FindCached(volume, name, recipe) is { } cached)
            return new CompileResult(cached, WasCached: true);
        LayerBuild build = volume.Layers.Begin(LayerSeal.Digits(recipe));
        try
        {
            Subvolume.Create(build.SubvolumePath);
            Tree tree;
            using (StagedContentStore store = new(build.SubvolumePath))
            {
                tree = Read(open, sha256, new GrowingStore(store, volume), place);
                CheckMetadata(tree, place);
                foreach ((TreePath _, Inode inode) in tree.Walk())
                    inode.MadeBy = $"import {sha256}";
                RootfsWriter.Apply(build.SubvolumePath, LayerSeal.EmptySubvolume(), tree, new RootfsWriteOptions
                {
                    Progress = p =>
                    {
                        options.Progress?.Invoke("writing", p.Inodes, null);
                        options.Cancellation.ThrowIfCancellationRequested();
                    },
                });
            }
            return new CompileResult(LayerSeal.Seal(volume, build, new Sealed(name, tree, null, default, recipe), options), WasCached: false);
        }
        catch (Exception e)
        {
            build.Dispose();
            LayerSeal.ExplainFull(e);
            throw;
        }
    }

    private Tree Read(Func<Stream> open, string sha256, ContentStore store, string place)
    {
        using Stream file = open();
        using DigestingStream digesting = new(file, read =>
        {
            options.Progress?.Invoke("reading", read, null);
            options.Cancellation.ThrowIfCancellationRequested();
        });
        Tree tree;
        try
        {
            using Stream stream = Decompression.Open(digesting, out _, leaveOpen: true);
            byte[] start = new byte[SendStreamMagic.Length];
            int length = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            if (length == 0)
                throw new InvalidDataException("empty: neither an archive nor a send-stream");
            using PrefixedStream whole = new(start.AsMemory(0, length), stream, leaveOpen: true);
            tree = start.AsSpan(0, length).SequenceEqual(SendStreamMagic)
                ? SendStreamTree.Apply(whole, null, store).Tree
                : TarTree.Read(whole, store);
        }
        catch (Exception e) when (e is InvalidDataException or SendStreamException)
        {
            // A file that is not the pinned one says nothing about the pinned one's format.
            string broken = digesting.Finish();
            throw broken == sha256 ? new LayerException($"{place}: {e.Message}") : Mismatch(place, broken, sha256);
        }
        string found = digesting.Finish();
        return found == sha256 ? tree : throw Mismatch(place, found, sha256);
    }

    // What the image says about itself is understood now, or no child of it could be compiled.
    private void CheckMetadata(Tree tree, string place)
    {
        try
        {
            if (ImageMetadata.Read(tree).Mounts.FirstOrDefault(m => m.Type == Mount.OfHost && !AllowedHostMounts.Contains(m.Source)) is { } mount)
                throw new LayerException($"{mount.MountPoint} is to show {mount.Source} of the host; allow it with --allow-host-mount if that is meant");
        }
        catch (LayerException e)
        {
            throw new LayerException($"{place}: {e.Message}");
        }
    }

    private static LayerException Mismatch(string place, string found, string wanted) => new($"{place}: its digest is {found}, not {wanted}");
}
