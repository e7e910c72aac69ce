namespace Layerbox.FileTree;

/// <summary>One extended attribute; the name with its namespace ("user.origin", "security.capability").</summary>
public readonly record struct Xattr(byte[] Name, byte[] Value);

/// <summary>An inode's extended attributes: immutable, sorted by the bytes of the names, each name once.</summary>
public sealed class XattrSet : IEquatable<XattrSet>
{
    public static XattrSet Empty { get; } = new([]);

    private readonly Xattr[] _sorted;

    private XattrSet(Xattr[] sorted) => _sorted = sorted;

    public IReadOnlyList<Xattr> Items => _sorted;
    public int Count => _sorted.Length;

    /// <exception cref="InvalidDataException">A name occurs twice.</exception>
    public static XattrSet From(IEnumerable<Xattr> xattrs)
    {
        Xattr[] sorted = [.. xattrs];
        if (sorted.Length == 0)
            return Empty;
        Array.Sort(sorted, static (a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));
        for (int i = 1; i < sorted.Length; i++)
            if (sorted[i].Name.AsSpan().SequenceEqual(sorted[i - 1].Name))
                throw new InvalidDataException($"extended attribute '{BytesText.Escape(sorted[i].Name)}' is given twice");
        return new XattrSet(sorted);
    }

    public byte[]? Find(ReadOnlySpan<byte> name) => IndexOf(name) is var at and >= 0 ? _sorted[at].Value : null;

    /// <summary>The same set with one attribute added or replaced.</summary>
    public XattrSet With(byte[] name, byte[] value)
    {
        int at = IndexOf(name);
        int before = at < 0 ? ~at : at, after = at < 0 ? ~at : at + 1;
        return new XattrSet([.. _sorted.AsSpan(0, before), new Xattr(name, value), .. _sorted.AsSpan(after)]);
    }

    /// <summary>The same set without one attribute; itself if it is not there.</summary>
    public XattrSet Without(byte[] name)
    {
        int at = IndexOf(name);
        return at < 0 ? this : _sorted.Length == 1 ? Empty : new XattrSet([.. _sorted.AsSpan(0, at), .. _sorted.AsSpan(at + 1)]);
    }

    /// <summary>Where the name is; the complement of where it would be when it is not there.</summary>
    private int IndexOf(ReadOnlySpan<byte> name)
    {
        int low = 0, high = _sorted.Length;
        while (low < high)
        {
            int middle = (low + high) / 2, order = name.SequenceCompareTo(_sorted[middle].Name);
            if (order == 0)
                return middle;
            if (order < 0)
                high = middle;
            else
                low = middle + 1;
        }
        return ~low;
    }

    public bool Equals(XattrSet? other)
    {
        if (ReferenceEquals(this, other))
            return true;
        if (other is null || other._sorted.Length != _sorted.Length)
            return false;
        for (int i = 0; i < _sorted.Length; i++)
            if (!_sorted[i].Name.AsSpan().SequenceEqual(other._sorted[i].Name) || !_sorted[i].Value.AsSpan().SequenceEqual(other._sorted[i].Value))
                return false;
        return true;
    }

    public override bool Equals(object? obj) => Equals(obj as XattrSet);
    public override int GetHashCode() => _sorted.Length;
}
