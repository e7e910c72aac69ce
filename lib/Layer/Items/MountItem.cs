using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// mount: makes an empty mount point and records what belongs there. Nothing is mounted while layers are built; container-run binds
/// it, read-only. A mount from the host needs the specification's "allow_host_mounts", because it ties the image to a machine.
/// </summary>
internal sealed class MountItem : Item
{
    private readonly TreePath _mountPoint;
    private readonly LayerInput? _layer;
    private readonly string? _hostPath;
    private readonly bool _isDirectory;
    private readonly System.Text.Json.JsonElement? _runtimeSource;

    private MountItem(SpecObject spec, SpecContext context) : base(spec.Place)
    {
        _mountPoint = spec.Path("mountpoint");
        if (_mountPoint.IsRoot)
            throw spec.Error("member 'mountpoint': the root of the image cannot be a mount point");
        string? layer = spec.OptionalText("layer");
        _hostPath = spec.OptionalText("host");
        if (layer is null == _hostPath is null)
            throw spec.Error("exactly one of 'layer' and 'host' says what is mounted");
        if (_hostPath is not null && !_hostPath.StartsWith('/'))
            throw spec.Error($"member 'host': '{_hostPath}' is not absolute");
        if (_hostPath is not null && !context.AllowedHostMounts.Contains(_hostPath))
            throw spec.Error($"'{_hostPath}' is not in the layer's 'allow_host_mounts'");
        _layer = layer is null ? null : context.Sources.Layer(layer, spec.Place);
        bool isFile = spec.Flag("is_file", false);
        if (isFile && layer is not null)
            throw spec.Error("a layer is mounted on a directory; 'is_file' is for host mounts");
        _isDirectory = !isFile;
        _runtimeSource = spec.OptionalJson("runtime_source");
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new MountItem(spec, context);

    public override string Label => $"mount {_mountPoint}";
    public override string Text => TextOf("mount", ("mountpoint", _mountPoint.ToString()), ("layer", _layer?.Digest), ("layer_name", _layer?.LayerName), ("host", _hostPath),
        ("is_directory", _isDirectory ? "true" : "false"), ("runtime_source", _runtimeSource?.GetRawText()));
    public override IEnumerable<Input> Inputs => _layer is null ? [] : [_layer];

    public override IEnumerable<Provision> Provides(LayerDraft draft) => [new Provision(Key.OfPath(_mountPoint), ProvidedKind.MountPoint)];
    public override IEnumerable<Requirement> Requires(LayerDraft draft) => [Requirement.Directory(_mountPoint.Parent)];

    public override void Apply(LayerDraft draft)
    {
        Inode point = _isDirectory ? Inode.Directory(InodeMode.Directory) : Inode.File(InodeMode.Data, new MemoryContent([]));
        TreePath path = draft.Resolve(this, _mountPoint.Parent).Append(_mountPoint.Name);
        draft.Add(this, path, point.Owned(0, 0, draft.Epoch));
        draft.Metadata.AddMount(_layer is { } layer
            ? new Mount(path, Mount.OfLayer, layer.LayerName, true, layer.Digest, _runtimeSource)
            : new Mount(path, Mount.OfHost, _hostPath!, _isDirectory, null, _runtimeSource));
    }
}
