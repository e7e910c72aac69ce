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

    public byte[]? Find(ReadOnlySpan<byte> name)
    {
        foreach (Xattr xattr in _sorted)
            if (name.SequenceEqual(xattr.Name))
                return xattr.Value;
        return null;
    }

    /// <summary>The same set with one attribute added or replaced.</summary>
    public XattrSet With(byte[] name, byte[] value) => From([.. Without(name)._sorted, new Xattr(name, value)]);

    /// <summary>The same set without one attribute; itself if it is not there.</summary>
    public XattrSet Without(byte[] name) =>
        Find(name) is null ? this : From(_sorted.Where(x => !x.Name.AsSpan().SequenceEqual(name)));

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
