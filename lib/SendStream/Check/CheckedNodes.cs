using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>What a check knows of a file or directory.</summary>
/// <param name="Kind">What it is, or looks like.</param>
/// <param name="Amount">Of a file its size, the largest there is where nobody knows; of a directory how many names it has.</param>
internal readonly record struct CheckedNode(FileKind Kind, long Amount)
{
    /// <summary>How many names it has; sticks at <see cref="MaxLinks"/>.</summary>
    public int Links { get; init; }

    /// <summary>Whether a subvolume that was not given had it.</summary>
    public bool IsTakenForGranted { get; init; }

    /// <summary>Whether nobody told its kind.</summary>
    public bool IsKindOpen { get; init; }

    public const int MaxLinks = 0xFFFF;
}

/// <summary>
/// What a check remembers of all subvolumes: no names and no data, but hashes of names under a secret, which are taken for the names. That
/// two of n names get one hash has the probability of n² / 2^65, one in three hundred thousand for ten million names.
/// </summary>
internal sealed class CheckedNodes(UInt128 secret, CheckedPages pages)
{
    private const int GrantedBit = 1 << 8, OpenBit = 1 << 9, LinksShift = 16;

    private readonly SipHash _hash = new(secret);
    private readonly CheckedTable _table = new(pages);
    private readonly CheckedEntries _nodes = new(pages);

    /// <summary>What a number in the table is kept for.</summary>
    public enum Use
    {
        /// <summary>Which node stands under a name in a directory.</summary>
        Name,

        /// <summary>The same, of what was told of a subvolume after its end.</summary>
        LateName,

        /// <summary>Where a subvolume keeps its own state of a node of its parent.</summary>
        Changed,

        /// <summary>That a node has an extended attribute of a name.</summary>
        Xattr,

        /// <summary>How many bytes the names of all its extended attributes take.</summary>
        XattrList,
    }

    /// <summary>The number that the next node gets; they grow.</summary>
    public uint Next => (uint)_nodes.Count + 1;

    public uint Add(CheckedNode node)
    {
        if (_nodes.Count == uint.MaxValue - 1)
            throw new InvalidDataException("more files than a check can tell apart");
        _nodes.Grow(1);
        uint number = (uint)_nodes.Count;
        this[number] = node;
        return number;
    }

    public CheckedNode this[uint number]
    {
        get
        {
            CheckedEntry entry = _nodes[number - 1];
            return new CheckedNode((FileKind)(byte)entry.Half, (long)entry.Word)
            {
                Links = (int)(entry.Half >> LinksShift),
                IsTakenForGranted = (entry.Half & GrantedBit) != 0,
                IsKindOpen = (entry.Half & OpenBit) != 0,
            };
        }
        set => _nodes[number - 1] = new CheckedEntry
        {
            Word = (ulong)value.Amount,
            Half = (uint)value.Kind | (value.IsTakenForGranted ? GrantedBit : 0u) | (value.IsKindOpen ? OpenBit : 0u) | ((uint)value.Links << LinksShift),
        };
    }

    public uint? Find(int subvolume, Use use, uint node, ReadOnlySpan<byte> name) => _table.Find(Key(subvolume, use, node, name));

    public void Set(int subvolume, Use use, uint node, ReadOnlySpan<byte> name, uint number) => _table.Set(Key(subvolume, use, node, name), number);

    public void Remove(int subvolume, Use use, uint node, ReadOnlySpan<byte> name) => _table.Remove(Key(subvolume, use, node, name));

    private ulong Key(int subvolume, Use use, uint node, ReadOnlySpan<byte> name) => _hash.Of((ulong)(uint)subvolume << 32 | (uint)use, node, name);
}
