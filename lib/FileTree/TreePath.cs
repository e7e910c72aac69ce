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

    // A path is either a list of names or one name below another path, so that a walk makes one small object a path whatever
    // the depth; the list is made from the chain when someone asks for it.
    private readonly TreePath? _parent;
    private readonly FileName _name;
    private FileName[]? _names;

    private TreePath(FileName[] names)
    {
        _names = names;
        Depth = names.Length;
        _name = names.Length > 0 ? names[^1] : default;
    }

    private TreePath(TreePath parent, FileName name)
    {
        _parent = parent;
        _name = name;
        Depth = parent.Depth + 1;
    }

    public IReadOnlyList<FileName> Names => List;
    public bool IsRoot => Depth == 0;
    public int Depth { get; }

    /// <exception cref="InvalidOperationException">The root has no name.</exception>
    public FileName Name => Depth > 0 ? _name : throw new InvalidOperationException("the root has no name");

    /// <exception cref="InvalidOperationException">The root has no parent.</exception>
    public TreePath Parent =>
        _parent ?? (Depth > 0 ? Of(List.AsSpan(..^1).ToArray()) : throw new InvalidOperationException("the root has no parent"));

    private FileName[] List => _names ??= ListOfChain();

    private FileName[] ListOfChain()
    {
        FileName[] names = new FileName[Depth];
        for (TreePath at = this; ; at = at._parent)
        {
            if (at._names is { } known)
            {
                known.CopyTo(names, 0);
                return names;
            }
            names[at.Depth - 1] = at._name;
            if (at._parent is null)
                return names;
        }
    }

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

    public TreePath Append(FileName name) => new(this, name);
    public TreePath Append(TreePath below) => below.IsRoot ? this : new([.. List, .. below.List]);

    /// <summary>Whether this is the given path or lies below it.</summary>
    public bool StartsWith(TreePath above) =>
        above.Depth <= Depth && List.AsSpan(0, above.Depth).SequenceEqual(above.List);

    /// <summary>Bytes without a leading slash ("usr/bin/sh"; the root is empty): the form of JSON lines, tar and mtree.</summary>
    public byte[] ToBytes()
    {
        if (IsRoot)
            return [];
        // From the end, without the list: a walk of deep folders would keep one for each path.
        int length = Depth - 1;
        TreePath at = this;
        for (; at._names is null; at = at._parent!)
            length += at._name.Bytes.Length;
        foreach (FileName name in at._names)
            length += name.Bytes.Length;
        byte[] bytes = new byte[length];
        for (at = this; at._names is null; at = at._parent!)
            Put(at._name);
        for (int i = at._names.Length - 1; i >= 0; i--)
            Put(at._names[i]);
        return bytes;

        void Put(FileName name)
        {
            length -= name.Bytes.Length;
            name.Bytes.CopyTo(bytes.AsSpan(length));
            if (length > 0)
                bytes[--length] = (byte)'/';
        }
    }

    /// <summary>For messages: with a leading slash, escaped.</summary>
    public override string ToString() => "/" + BytesText.Escape(ToBytes());

    /// <summary>Canonical order: name by name, so that a directory comes before what it holds and its content stays together.</summary>
    public int CompareTo(TreePath? other)
    {
        if (other is null)
            return 1;
        for (int i = 0; i < Math.Min(Depth, other.Depth); i++)
            if (List[i].CompareTo(other.List[i]) is var order and not 0)
                return order;
        return Depth.CompareTo(other.Depth);
    }

    public bool Equals(TreePath? other) => ReferenceEquals(this, other) || (other is not null && other.Depth == Depth && List.AsSpan().SequenceEqual(other.List));
    public override bool Equals(object? obj) => Equals(obj as TreePath);

    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (FileName name in List)
            hash.Add(name);
        return hash.ToHashCode();
    }
}
