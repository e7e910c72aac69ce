using Layerbox.FileTree;
using Use = Layerbox.SendStream.CheckedNodes.Use;

namespace Layerbox.SendStream;

/// <summary>
/// The state of a subvolume as far as a check needs it. What it has from its parent it looks up there: only what commands change is its own.
/// Nodes are numbered in the order in which commands tell of them, over all subvolumes.
/// </summary>
internal sealed class CheckedState : SubvolumeState<uint>
{
    /// <summary>Stands for a name, or an attribute, that is known not to be there, whatever the parent has.</summary>
    private const uint Gone = 0;

    private const long UnknownSize = long.MaxValue;

    private readonly CheckedNodes _nodes;
    private readonly int _number;
    private readonly CheckedState? _parent;
    private readonly uint _firstOwn; // nodes from here on are no parent's
    private byte[] _decoded = [];

    /// <summary>An empty subvolume, or one of which commands will tell what it has.</summary>
    public CheckedState(CheckedNodes nodes, int number, bool isTakenForGranted)
    {
        (_nodes, _number, _firstOwn) = (nodes, number, nodes.Next);
        Root = nodes.Add(new CheckedNode(FileKind.Directory, 0) { Links = 1, IsTakenForGranted = isTakenForGranted });
    }

    /// <summary>One that starts as another is.</summary>
    public CheckedState(CheckedState parent, int number) => (_nodes, _number, _parent, _firstOwn, Root) = (parent._nodes, number, parent, parent._nodes.Next, parent.Root);

    public override uint Root { get; }

    /// <summary>Whether no command changes it any more. What is taken for granted in it later, others that started from it do not see.</summary>
    public bool IsComplete { get; set; }

    public override bool TryFind(uint folder, ReadOnlySpan<byte> name, out uint node)
    {
        node = Find(Use.Name, folder, name) ?? (IsComplete ? _nodes.Find(_number, Use.LateName, folder, name) : null) ?? Gone;
        return node != Gone;
    }

    public override bool TryDiscover(uint folder, ReadOnlySpan<byte> name, out uint node)
    {
        node = Gone;
        if (!Get(folder).IsTakenForGranted || !FileName.IsPossible(name) || Find(Use.Name, folder, name) is not null)
            return false;
        node = _nodes.Add(new CheckedNode(FileKind.File, UnknownSize) { Links = 1, IsTakenForGranted = true, IsKindOpen = true });
        _nodes.Set(_number, IsComplete ? Use.LateName : Use.Name, folder, name, node);
        if (!IsComplete)
            Count(folder, 1);
        return true;
    }

    public override uint AsDirectory(uint folder, ReadOnlySpan<byte> name, uint node)
    {
        if (Get(node) is { IsKindOpen: true, Links: 1 } known)
            Set(node, known with { Kind = FileKind.Directory, Amount = 0, IsKindOpen = false });
        return node;
    }

    public override FileKind KindOf(uint node) => Get(node).Kind;

    public override bool HasChildren(uint node) => Get(node) is { Kind: FileKind.Directory, Amount: > 0 };

    public override bool IsTakenForGranted(uint node) => Get(node).IsTakenForGranted;

    public override void Note(uint node, TreeAspects known)
    {
        if (known.HasFlag(TreeAspects.Kind) && Get(node) is { IsKindOpen: true } open)
            Set(node, open with { IsKindOpen = false });
    }

    public override uint New(FileKind kind, uint mode) => _nodes.Add(new CheckedNode(kind, 0));

    public override uint NewSymlink(ReadOnlySpan<byte> target) => _nodes.Add(new CheckedNode(FileKind.Symlink, 0));

    public override uint NewDevice(bool isBlock, uint mode, uint major, uint minor) => _nodes.Add(new CheckedNode(isBlock ? FileKind.BlockDevice : FileKind.CharDevice, 0));

    public override void Add(uint folder, ReadOnlySpan<byte> name, uint node)
    {
        _nodes.Set(_number, Use.Name, folder, name, node);
        Count(folder, 1);
        Link(node, 1);
    }

    public override void Remove(uint folder, ReadOnlySpan<byte> name, uint node)
    {
        // A temporary name leaves nothing behind, where nobody could take it for one of before.
        if (Get(folder).IsTakenForGranted || FindInParents(Use.Name, folder, name) is not null)
            _nodes.Set(_number, Use.Name, folder, name, Gone);
        else
            _nodes.Remove(_number, Use.Name, folder, name);
        Count(folder, -1);
        Link(node, -1);
    }

    // What these say changes nothing that a command could ask for.
    public override void SetMode(uint node, uint mode) { }

    public override void SetOwner(uint node, uint uid, uint gid) { }

    public override void SetTime(uint node, Timestamp modification) { }

    public override bool HasXattr(uint node, ReadOnlySpan<byte> name) => Find(Use.Xattr, node, name) is not (null or Gone);

    public override int XattrListLength(uint node) => (int)(Find(Use.XattrList, node, []) ?? 0);

    public override void SetXattr(uint node, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (HasXattr(node, name))
            return;
        _nodes.Set(_number, Use.Xattr, node, name, 1);
        _nodes.Set(_number, Use.XattrList, node, [], (uint)(XattrListLength(node) + name.Length + 1));
    }

    public override void RemoveXattr(uint node, ReadOnlySpan<byte> name)
    {
        if (!HasXattr(node, name))
            return;
        _nodes.Set(_number, Use.Xattr, node, name, Gone);
        _nodes.Set(_number, Use.XattrList, node, [], (uint)(XattrListLength(node) - name.Length - 1));
    }

    public override long SizeOf(uint file) => Get(file).Amount;

    public override void Write(uint file, long offset, SendCommand command) => Grow(file, offset + command.Bytes(SendAttribute.Data).Length);

    /// <summary>Decodes what is encoded, to see that it can be.</summary>
    /// <inheritdoc/>
    public override void WriteEncoded(uint file, long offset, EncodedExtent extent, SendCommand command)
    {
        if (_decoded.Length < extent.DecodedLength)
            _decoded = new byte[extent.DecodedLength];
        _ = extent.Decode(command, _decoded);
        if (extent.Used > 0)
            Grow(file, offset + extent.Used);
    }

    public override void Mark(uint file, long offset, long length, SendCommand command) => Grow(file, offset + length);

    public override void Copy(uint source, long sourceOffset, long length, uint file, long offset, SendCommand command) => Grow(file, offset + length);

    public override void SetSize(uint file, long size, SendCommand command) => Set(file, Get(file) with { Amount = size });

    public override void Clear(uint file, long offset, long length, SendCommand command) { }

    private void Grow(uint file, long end)
    {
        if (Get(file) is var node && end > node.Amount)
            Set(file, node with { Amount = end });
    }

    private void Count(uint folder, int names)
    {
        CheckedNode node = Get(folder);
        Set(folder, node with { Amount = node.Amount + names });
    }

    private void Link(uint node, int names)
    {
        CheckedNode linked = Get(node);
        if (linked.Links < CheckedNode.MaxLinks)
            Set(node, linked with { Links = linked.Links + names });
    }

    private CheckedNode Get(uint node) => _nodes[Place(node, out _)];

    private void Set(uint node, CheckedNode state)
    {
        uint place = Place(node, out bool isOwn);
        if (isOwn)
            _nodes[place] = state;
        else
            _nodes.Set(_number, Use.Changed, node, [], _nodes.Add(state));
    }

    /// <summary>Where the state of a node is kept: at its own number, or where the last subvolume put it that changed it.</summary>
    private uint Place(uint node, out bool isOwn)
    {
        CheckedState at = this;
        for (; node < at._firstOwn; at = at._parent!)
            if (_nodes.Find(at._number, Use.Changed, node, []) is { } changed)
            {
                isOwn = ReferenceEquals(at, this);
                return changed;
            }
        isOwn = ReferenceEquals(at, this);
        return node;
    }

    private uint? Find(Use use, uint node, ReadOnlySpan<byte> name) => _nodes.Find(_number, use, node, name) ?? FindInParents(use, node, name);

    private uint? FindInParents(Use use, uint node, ReadOnlySpan<byte> name)
    {
        for (CheckedState at = this; node < at._firstOwn;)
        {
            at = at._parent!;
            if (_nodes.Find(at._number, use, node, name) is { } found)
                return found;
        }
        return null;
    }
}
