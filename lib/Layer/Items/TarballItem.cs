using Layerbox.Archive;
using Layerbox.Compression;
using Layerbox.FileTree;
using Layerbox.Posix;

namespace Layerbox.Layer;

/// <summary>
/// tarball: unpacks an archive (plain, gzip, zstd, xz, bzip2) into a directory that exists. Members may not replace anything; directories
/// that are there keep their mode and owner. Times are clamped to the layer's.
/// </summary>
internal sealed class TarballItem : Item
{
    private readonly BlobInput _source;
    private readonly TreePath _into;
    private readonly bool _forceRootOwnership;
    private readonly string? _sha256;
    private Tree? _members;

    private TarballItem(SpecObject spec, SpecContext context) : base(spec.Place)
    {
        _source = context.Sources.Blob(spec.Text("source"), spec.Place);
        _into = spec.Path("into");
        _forceRootOwnership = spec.Flag("force_root_ownership", false);
        _sha256 = spec.OptionalSha256("sha256");
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new TarballItem(spec, context);

    public override string Label => $"tarball {_source.Name}";

    public override string Text
    {
        get
        {
            if (_sha256 is not null && _sha256 != _source.Digest)
                throw Error($"its digest is {_source.Digest}, not {_sha256}");
            return TextOf("tarball", ("into", _into.ToString()), ("source", _source.Digest), ("force_root_ownership", _forceRootOwnership ? "true" : null));
        }
    }

    public override IEnumerable<Input> Inputs => [_source];

    public override void Prepare(LayerDraft draft)
    {
        using FdStream file = _source.Open();
        // What is unpacked must be what the recipe says: the file may have changed since it was digested.
        using DigestingStream digesting = new(file);
        string? broken = null;
        try
        {
            using Stream stream = Decompression.Open(digesting, out _, leaveOpen: true);
            _members = TarTree.Read(stream, draft.Store);
        }
        catch (InvalidDataException e)
        {
            broken = e.Message;
        }
        if (digesting.Finish() != _source.Digest)
            throw Error("the archive changed while it was being read");
        if (broken is not null)
            throw Error(broken);
    }

    /// <summary>A step for each directory, which only says how it is made if nobody else makes it, and one for all other members.</summary>
    public override IEnumerable<Item> Expand()
    {
        List<KeyValuePair<TreePath, Inode>> leaves = [];
        foreach ((TreePath path, Inode member) in _members!.Walk().Skip(1))
        {
            TreePath at = _into.Append(path);
            if (!member.IsDirectory)
                leaves.Add(new(at, member));
            else
                yield return new Part(this, TextOf("tarball_dir", ("path", at.ToString()), ("tarball", Text)),
                    [Provision.Directory(at) with { Strength = Strength.Implies }], [Requirement.Directory(at.Parent)], (draft, item) =>
                    {
                        if (draft.Follow(item, at) is not { } existing)
                            draft.Add(item, at, Made(member, draft));
                        else if (!existing.IsDirectory)
                            throw item.Error($"{at} is there, but is no directory");
                    });
        }
        yield return new Part(this, Text, leaves.Select(m => Provision.Of(m.Key, m.Value)),
            [Requirement.Directory(_into), .. leaves.Select(m => m.Key.Parent).Distinct().Select(Requirement.Directory)], (draft, item) => AddLeaves(draft, item, leaves));
    }

    public override void Apply(LayerDraft draft) => throw new InvalidOperationException("tarball is expanded before it runs");

    private void AddLeaves(LayerDraft draft, Item item, List<KeyValuePair<TreePath, Inode>> leaves)
    {
        Dictionary<Inode, Inode> made = [];
        foreach ((TreePath at, Inode member) in leaves)
        {
            if (!made.TryGetValue(member, out Inode? inode))
                made.Add(member, inode = Made(member, draft));
            draft.Add(item, at, inode);
        }
        // Its own members touch a directory; what the archive says about its time holds once they are in.
        foreach ((TreePath path, Inode member) in _members!.Walk().Skip(1))
            if (member.IsDirectory && draft.Follow(item, _into.Append(path)) is { IsDirectory: true } directory && directory.MadeBy == Label)
                directory.ModificationTime = member.ModificationTime.ClampedTo(draft.Epoch);
    }

    private Inode Made(Inode member, LayerDraft draft)
    {
        Inode inode = member.CopyWithoutChildren();
        inode.ModificationTime = member.ModificationTime.ClampedTo(draft.Epoch);
        if (_forceRootOwnership)
            (inode.Uid, inode.Gid) = (0, 0);
        return inode;
    }
}
