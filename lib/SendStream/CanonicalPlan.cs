using System.Buffers.Binary;
using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// What must be known before the first command of an incremental stream: which inodes with several names stay (each inode of the parent can
/// become one of the tree), and which of the bytes that must come are in a file of the parent already.
/// </summary>
internal sealed class CanonicalPlan
{
    private readonly Dictionary<Inode, (Inode From, byte[] Name)> _kept = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<(UInt128, UInt128), byte[]?> _sources = []; // null until the parent's file is found

    public CanonicalPlan(Tree? parent, Tree tree)
    {
        if (parent is null)
            return;
        HashSet<Inode> claimed = new(ReferenceEqualityComparer.Instance);
        for (TreePairCursor at = new(parent, tree); at.MoveNext();)
        {
            if (at.To is not { IsDirectory: false } to)
                continue;
            bool hasNames = at.From is not null && (at.From.Links > 1 || to.Links > 1);
            if (hasNames && TreeMerge.CanBecome(at.From!, to) && !_kept.ContainsKey(to) && claimed.Add(at.From!))
                _kept.Add(to, (at.From!, at.Path.ToArray()));
            bool isThere = at.From is not null && Keeps(at.From, to) && TreeMerge.HaveSameContent(at.From, to);
            if (!isThere && to.Content?.Size >= CanonicalData.BlockLength)
                _sources.TryAdd(KeyOf(to.Content), null);
        }
        FindSources(parent);
    }

    /// <summary>How many inodes the parent has, its root not counted.</summary>
    public ulong ParentInodes { get; private set; }

    /// <summary>Whether what the parent has at a path stays there and is changed in place.</summary>
    public bool Keeps(Inode from, Inode to) =>
        from.IsDirectory || (from.Links <= 1 && to.Links <= 1)
            ? TreeMerge.CanBecome(from, to)
            : _kept.TryGetValue(to, out (Inode From, byte[]) kept) && ReferenceEquals(kept.From, from);

    /// <summary>A name that an inode with several has from the beginning to the end; null when it is made anew.</summary>
    public byte[]? KeptName(Inode to) => _kept.TryGetValue(to, out (Inode, byte[] Name) kept) ? kept.Name : null;

    /// <summary>The first path in the parent of a file with these bytes; null when it has none, or the bytes are too few to be worth a clone.</summary>
    public byte[]? SourceOf(FileContent content) =>
        _sources.Count > 0 && content.Size >= CanonicalData.BlockLength && _sources.TryGetValue(KeyOf(content), out byte[]? path) ? path : null;

    private void FindSources(Tree parent)
    {
        HashSet<Inode> seen = new(ReferenceEqualityComparer.Instance);
        for (TreeCursor at = new(parent); at.MoveNext();)
        {
            if (at.Inode.Links > 1 && !seen.Add(at.Inode))
                continue;
            if (at.Depth > 0)
                ParentInodes++;
            if (at.Inode.Content is { Size: >= CanonicalData.BlockLength } content && _sources.TryGetValue(KeyOf(content), out byte[]? known) && known is null)
                _sources[KeyOf(content)] = at.Path.ToArray();
        }
    }

    private static (UInt128, UInt128) KeyOf(FileContent content) =>
        (BinaryPrimitives.ReadUInt128LittleEndian(content.Digest), BinaryPrimitives.ReadUInt128LittleEndian(content.Digest.AsSpan(16)));
}
