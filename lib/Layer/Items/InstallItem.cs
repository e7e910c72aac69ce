using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// install: a file, or a folder with all that is in it, from outside into the image. Of the source only names, bytes, links and the
/// owner's x bit are taken; modes, owner and times are the item's. Nothing may be there before.
/// </summary>
internal sealed class InstallItem : Item
{
    private readonly FileInput _source;
    private readonly TreePath _dest;
    private readonly uint? _mode, _dirMode, _exeMode, _dataMode;
    private readonly Ownership _owner;
    private readonly XattrSet _xattrs;
    private readonly bool _allowDangling;

    private InstallItem(SpecObject spec, SpecContext context) : base(spec.Place)
    {
        string source = spec.Text("source");
        _source = context.Sources.File(source, spec.Place);
        _dest = spec.Path("dest", out bool endsInSlash);
        if (endsInSlash)
            _dest = System.IO.Path.GetFileName(source.TrimEnd('/')) is { Length: > 0 } name and not ("." or "..")
                ? _dest.Append(new FileName(name))
                : throw spec.Error($"member 'dest' ends in a slash, but '{source}' has no name that could come after it");
        if (_dest.IsRoot)
            throw spec.Error("member 'dest': the root of the image cannot be replaced");
        _mode = spec.OptionalMode("mode");
        _dirMode = spec.OptionalMode("dir_mode");
        _exeMode = spec.OptionalMode("exe_mode");
        _dataMode = spec.OptionalMode("data_mode");
        _owner = Ownership.Parse(spec);
        _xattrs = XattrMembers.Parse(spec);
        _allowDangling = spec.Flag("allow_dangling", false);
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new InstallItem(spec, context);

    public override string Label => $"install {_dest}";
    public override string Text => TextOf("install", ("dest", _dest.ToString()), ("source", _source.Digest), ("mode", Octal(_mode)), ("dir_mode", Octal(_dirMode)),
        ("exe_mode", Octal(_exeMode)), ("data_mode", Octal(_dataMode)), ("owner", _owner.ToString()), ("xattrs", XattrMembers.TextOf(_xattrs)), ("allow_dangling", _allowDangling ? "true" : null));
    public override IEnumerable<Input> Inputs => [_source];

    public override void Prepare(LayerDraft draft)
    {
        Inode root = _source.Root;
        if (root.Kind is not (FileKind.File or FileKind.Directory))
            throw Error($"source '{_source.Name}' is a {Kind(root)}; a regular file or a folder can be installed");
        if (root.IsDirectory && _mode is not null)
            throw Error("'mode' is for a file; a folder takes 'dir_mode', 'exe_mode' and 'data_mode'");
        if (!root.IsDirectory && (_dirMode ?? _exeMode ?? _dataMode) is not null)
            throw Error("'dir_mode', 'exe_mode' and 'data_mode' are for a folder; a file takes 'mode'");
        if (root.IsDirectory && _xattrs.Count > 0)
            throw Error("'xattrs' and 'setcap' are for a file");
        if (!root.IsDirectory)
            return;
        foreach ((TreePath path, Inode inode) in _source.Tree.Walk())
            if (inode.Kind is not (FileKind.File or FileKind.Directory or FileKind.Symlink))
                throw Error($"source '{_source.Name}': {path} is a {Kind(inode)}; only files, folders and links can be installed");
    }

    public override IEnumerable<Provision> Provides(LayerDraft draft) =>
        new Tree(_source.Root).Walk().Select(entry => Provision.Of(_dest.Append(entry.Key), entry.Value));

    public override IEnumerable<Requirement> Requires(LayerDraft draft)
    {
        yield return Requirement.Directory(_dest.Parent);
        foreach (Requirement owner in _owner.Requires())
            yield return owner;
        if (_allowDangling || !_source.Root.IsDirectory)
            yield break;
        foreach ((TreePath path, Inode inode) in _source.Tree.Walk())
            if (inode.Kind == FileKind.Symlink)
                yield return new Requirement(Key.OfPath(_dest.Append(path)), Need.LinkTarget, Ordered: false);
    }

    public override void Apply(LayerDraft draft)
    {
        (uint uid, uint gid) = _owner.Resolve(draft, this);
        Dictionary<TreePath, Inode> made = [];
        foreach ((TreePath path, Inode source) in new Tree(_source.Root).Walk())
        {
            Inode inode = source.Kind switch
            {
                FileKind.Directory => Inode.Directory(_dirMode ?? InodeMode.Directory),
                FileKind.Symlink => Inode.Symlink(source.Target),
                _ => Inode.File(_mode ?? (FileInput.IsProgram(source) ? _exeMode ?? InodeMode.Program : _dataMode ?? InodeMode.Data), source.Content!),
            };
            inode.Owned(uid, gid, draft.Epoch).With(_xattrs);
            if (path.IsRoot)
                draft.Add(this, _dest, inode);
            else
            {
                inode.MadeBy = Label;
                made[path.Parent].Add(path.Name, inode);
            }
            if (inode.IsDirectory)
                made.Add(path, inode);
        }
    }

    internal static string Kind(Inode inode) => inode.Kind switch
    {
        FileKind.Symlink => "symlink",
        FileKind.Directory => "folder",
        FileKind.Socket => "socket",
        FileKind.Fifo => "fifo",
        FileKind.File => "file",
        _ => "device",
    };

    private static string? Octal(uint? mode) => mode is { } m ? InodeMode.Text(m) : null;
}
