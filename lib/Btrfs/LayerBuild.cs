using Layerbox.Posix;

namespace Layerbox.Btrfs;

/// <summary>
/// A layer in the making. The builder makes the subvolume <c>volume</c> in <see cref="Directory"/>, and facts beside it, then commits. Disposing
/// lets go of the committed layer, or removes what was not committed; so a handle is written in between.
/// </summary>
public sealed class LayerBuild : IDisposable
{
    /// <summary>The name of the file with facts about a layer, beside its subvolume.</summary>
    public const string FactsName = "facts.jsonl";

    private readonly LayerStore _store;
    private readonly TemporaryFolder _folder;

    internal LayerBuild(LayerStore store, TemporaryFolder folder) => (_store, _folder) = (store, folder);

    /// <summary>The id that the layer will have.</summary>
    public string Id => Path.GetFileName(_folder.Directory);

    /// <summary>The folder to build in; another one after <see cref="Commit"/>.</summary>
    public string Directory => _folder.Directory;

    /// <summary>Where the subvolume is to be made.</summary>
    public string SubvolumePath => Path.Combine(Directory, LayerStore.SubvolumeName);

    /// <summary>Where facts are to be written.</summary>
    public string FactsPath => Path.Combine(Directory, FactsName);

    /// <summary>Moves the folder to <c>layers/</c> by one rename: until then there is no layer, from then on a whole one, held until disposal.</summary>
    /// <exception cref="InvalidOperationException">There is no subvolume, or it may still be written to.</exception>
    public StoredLayer Commit()
    {
        if (!Subvolume.IsSubvolume(SubvolumePath) || !Subvolume.Info(SubvolumePath).IsReadOnly)
            throw new InvalidOperationException($"{SubvolumePath}: a layer is committed with a read-only subvolume in it");
        StoredLayer layer = new(_store, Id);
        _folder.Hold.Touch();
        Files.Rename(_folder.Directory, layer.Directory, replace: false);
        _folder.Keep();
        return layer;
    }

    public void Dispose() => _folder.Dispose();
}
