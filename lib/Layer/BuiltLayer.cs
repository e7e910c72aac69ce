using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Layer;

/// <summary>A layer that is there: its handle was checked against the volume, and nobody clears it away until this is disposed.</summary>
public sealed class BuiltLayer : IDisposable
{
    private readonly StoredLayer _stored;
    private readonly IDisposable _hold;
    private readonly ulong _transid;
    private Tree? _tree;

    private BuiltLayer(LayerHandle handle, StoredLayer stored, IDisposable hold, ulong transid)
    {
        Handle = handle;
        _stored = stored;
        _hold = hold;
        _transid = transid;
    }

    public LayerHandle Handle { get; }

    /// <summary>The subvolume on this machine.</summary>
    public string Path => _stored.SubvolumePath;

    /// <summary>
    /// The complete state. Read from the facts when they are about this very state of the subvolume, else walked. Shared: who wants to
    /// change it makes a copy.
    /// </summary>
    /// <exception cref="LayerException">It is not the state that the handle names.</exception>
    public Tree Tree => _tree ??= ReadTree();

    /// <summary>What its rpm database lists, with the digests of the package files; null when no list was kept.</summary>
    public IReadOnlyList<RpmRecord>? Packages => RpmRecord.Read(_stored.Directory);

    /// <exception cref="LayerException">One sentence for each thing that can be wrong with a handle.</exception>
    public static BuiltLayer Open(LayerHandle handle, Volume volume, string place)
    {
        if (handle.VolumeUuid != volume.Uuid.ToString("D"))
            throw new LayerException($"{place}: layer '{handle.Layer}' is on volume {handle.VolumeUuid}; this one, {volume.Path}, is {volume.Uuid:D}");
        StoredLayer stored;
        IDisposable hold;
        try
        {
            stored = volume.Layers.Resolve(handle.Subvolume);
            hold = stored.Hold();
        }
        catch (Exception e) when (e is VolumeException or InvalidDataException)
        {
            throw new LayerException($"{place}: layer '{handle.Layer}': {e.Message}");
        }
        string path = stored.SubvolumePath;
        try
        {
            SubvolumeInfo info = Subvolume.Info(path);
            if (info.Uuid.ToString("D") != handle.Uuid)
                throw new LayerException($"{place}: layer '{handle.Layer}': {path} has uuid {info.Uuid:D}, not {handle.Uuid}");
            if (!info.IsReadOnly)
                throw new LayerException($"{place}: layer '{handle.Layer}': {path} is not read-only; somebody may have changed it");
            BuiltLayer layer = new(handle, stored, hold, info.Changed.Transid);
            // Nobody is handed a layer that was writable in between, even if its files are not looked at here.
            if (LayerFacts.ReadHeader(stored.FactsPath) is not { } facts || !layer.IsDescribedBy(facts))
            {
                if (!Module.IsWhole)
                    throw new NotInThisModuleException("a walk of the layer");
                layer._tree = layer.ReadTree();
            }
            return layer;
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }

    internal static BuiltLayer OfBuild(LayerHandle handle, StoredLayer stored, IDisposable hold, ulong transid, Tree tree) =>
        new(handle, stored, hold, transid) { _tree = tree };

    public void Dispose() => _hold.Dispose();

    private bool IsDescribedBy(LayerFacts facts) => facts.Uuid == Handle.Uuid && facts.Transid == _transid && facts.Digest == Handle.Digest;

    private Tree ReadTree()
    {
        if (LayerFacts.Read(_stored.FactsPath, Path) is { } known && IsDescribedBy(known.Facts))
            return known.Tree;
        Tree tree = RootfsReader.Read(Path);
        ContentDigests.ComputeAll(tree.Walk().Where(e => e.Value.Kind == FileKind.File).Select(e => e.Value.Content!));
        string digest = LayerSeal.Sha256(TreeDigest.Compute(tree));
        return digest == Handle.Digest
            ? tree
            : throw new LayerException($"{Path}: layer '{Handle.Layer}' was changed since it was built: its digest is {digest}, not {Handle.Digest}");
    }
}
