namespace Layerbox.Btrfs;

/// <summary>A finished layer on the volume, which may be gone at any moment unless it is held.</summary>
public sealed class StoredLayer
{
    private const int IdLength = 41, DashAt = 32;

    private readonly LayerStore _store;

    internal StoredLayer(LayerStore store, string id) => (_store, Id) = (store, id);

    /// <summary>The first 32 digits of the recipe, a dash and 8 random digits.</summary>
    public string Id { get; }

    /// <summary>The layer's folder.</summary>
    public string Directory => Path.Combine(_store.LayersPath, Id);

    /// <summary>The subvolume, as a host path.</summary>
    public string SubvolumePath => Path.Combine(Directory, LayerStore.SubvolumeName);

    /// <summary>The subvolume as handles name it: <c>layers/ID/volume</c>.</summary>
    public string RelativePath => LayerStore.RelativePath(Id);

    /// <summary>Where the facts of the layer are kept.</summary>
    public string FactsPath => Path.Combine(Directory, LayerBuild.FactsName);

    /// <summary>Keeps the collector away until disposed; null when the layer is gone already.</summary>
    public IDisposable? TryHold() => FolderHold.TryShare(Directory) is { } hold ? new Use(hold) : null;

    /// <inheritdoc cref="TryHold"/>
    /// <exception cref="VolumeException">The layer is gone.</exception>
    public IDisposable Hold() => TryHold() ?? throw new VolumeException($"{Directory}: no such layer: it was removed");

    internal static bool IsId(string name) =>
        name.Length == IdLength && name[DashAt] == '-' && name.Where((_, i) => i != DashAt).All(char.IsAsciiHexDigitLower);

    // The age counts from the last use, its end included: then a handle may be on its way through a pipe.
    private sealed class Use : IDisposable
    {
        private readonly FolderHold _hold;

        public Use(FolderHold hold)
        {
            _hold = hold;
            _hold.Touch();
        }

        public void Dispose()
        {
            if (_hold.Directory.IsClosed)
                return;
            _hold.Touch();
            _hold.Dispose();
        }
    }
}
