using System.Text;

namespace Layerbox.FileTree;

/// <summary>
/// A path inside an image: the names from the root down, without a leading slash in mind ("/" is the empty list).
/// Made from text it is normalised: "//", "." and inner ".." are folded; one that climbs above the root is refused.
/// </summary>
public sealed class TreePath : IEquatable<TreePath>, IComparable<TreePath>
{
    /// <summary>PATH_MAX of Linux, less the final NUL.</summary>
    public const int MaxLength = 4095;

    public static TreePath Root { get; } = new([]);

    private readonly FileName[] _names;

    private TreePath(FileName[] names) => _names = names;

    public IReadOnlyList<FileName> Names => _names;
    public bool IsRoot => _names.Length == 0;
    public int Depth => _names.Length;
    public FileName Name => _names[^1];
    public TreePath Parent => new(_names[..^1]);

    /// <exception cref="InvalidDataException">A name is not possible, the path is too long, or ".." leads above the root.</exception>
    public static TreePath Parse(ReadOnlySpan<byte> path)
    {
        List<FileName> names = [];
        int length = 0;
        foreach (Range range in path.Split((byte)'/'))
        {
            ReadOnlySpan<byte> part = path[range];
            if (part.IsEmpty || part.SequenceEqual("."u8))
                continue;
            if (part.SequenceEqual(".."u8))
            {
                if (names.Count == 0)
                    throw new InvalidDataException($"'{BytesText.Escape(path)}' leads above the root");
                length -= names[^1].Bytes.Length + 1;
                names.RemoveAt(names.Count - 1);
                continue;
            }
            names.Add(new FileName(part.ToArray()));
            length += part.Length + 1;
            if (length > MaxLength + 1)
                throw new InvalidDataException($"'{BytesText.Escape(path[..64])}…' is longer than {MaxLength} bytes");
        }
        return names.Count == 0 ? Root : new TreePath([.. names]);
    }

    /// <summary>The path made of these names, root first.</summary>
    public static TreePath Of(IEnumerable<FileName> names) => names.ToArray() is { Length: > 0 } array ? new TreePath(array) : Root;

    public static TreePath Parse(string path) => Parse(Encoding.UTF8.GetBytes(path));

    public TreePath Append(FileName name) => new([.. _names, name]);
    public TreePath Append(TreePath below) => below.IsRoot ? this : new([.. _names, .. below._names]);

    /// <summary>Whether this is the given path or lies below it.</summary>
    public bool StartsWith(TreePath above) =>
        above._names.Length <= _names.Length && _names.AsSpan(0, above._names.Length).SequenceEqual(above._names);

    /// <summary>Bytes without a leading slash ("usr/bin/sh"; the root is empty): the form of JSON lines, tar and mtree.</summary>
    public byte[] ToBytes()
    {
        using MemoryStream bytes = new();
        for (int i = 0; i < _names.Length; i++)
        {
            if (i > 0)
                bytes.WriteByte((byte)'/');
            bytes.Write(_names[i].Bytes);
        }
        return bytes.ToArray();
    }

    /// <summary>For messages: with a leading slash, escaped.</summary>
    public override string ToString() => "/" + string.Join('/', _names);

    /// <summary>Canonical order: name by name, so that a directory comes before what it holds and its content stays together.</summary>
    public int CompareTo(TreePath? other)
    {
        if (other is null)
            return 1;
        for (int i = 0; i < Math.Min(_names.Length, other._names.Length); i++)
            if (_names[i].CompareTo(other._names[i]) is var order and not 0)
                return order;
        return _names.Length.CompareTo(other._names.Length);
    }

    public bool Equals(TreePath? other) => other is not null && _names.AsSpan().SequenceEqual(other._names);
    public override bool Equals(object? obj) => Equals(obj as TreePath);

    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (FileName name in _names)
            hash.Add(name);
        return hash.ToHashCode();
    }
}
