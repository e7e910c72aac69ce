using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>What items provide and need: a path in the image, a user, or a group.</summary>
public readonly record struct Key(KeyKind Kind, TreePath Path, string Name) : IComparable<Key>
{
    public static Key OfPath(TreePath path) => new(KeyKind.Path, path, "");
    public static Key OfUser(string name) => new(KeyKind.User, TreePath.Root, name);
    public static Key OfGroup(string name) => new(KeyKind.Group, TreePath.Root, name);

    public int CompareTo(Key other) =>
        Kind != other.Kind ? Kind.CompareTo(other.Kind)
        : Kind == KeyKind.Path ? Path.CompareTo(other.Path)
        : string.CompareOrdinal(Name, other.Name);

    public override string ToString() => Kind switch
    {
        KeyKind.Path => Path.ToString(),
        KeyKind.User => $"user '{Name}'",
        _ => $"group '{Name}'",
    };
}

public enum KeyKind
{
    Path,
    User,
    Group,
}

/// <summary>What a provided path is.</summary>
public enum ProvidedKind
{
    Directory,
    /// <summary>Any leaf but a link: regular file, device, fifo, socket.</summary>
    File,
    Symlink,
    /// <summary>A mount point: satisfies no requirement, and nothing may be below it.</summary>
    MountPoint,
    User,
    Group,
}

/// <summary>How an item stands to what it provides; providers of one path run in this order.</summary>
public enum Strength
{
    /// <summary>Makes it; it must not be there.</summary>
    Makes,
    /// <summary>Makes the directory, or checks that an existing one is exactly as wanted.</summary>
    Ensures,
    /// <summary>Makes the directory with defaults if nobody else does; accepts any that is there.</summary>
    Implies,
}

/// <summary>One thing that an item provides.</summary>
/// <param name="Key">Which path, user or group.</param>
/// <param name="Kind">What it will be.</param>
/// <param name="Strength">Whether it is made, ensured or implied.</param>
/// <param name="Target">Of a symlink: where it leads, verbatim.</param>
/// <param name="SameAs">Providers that all give the same text here are not in conflict: they make the same thing.</param>
/// <param name="AcceptsExisting">Whether the parent may have that same thing already.</param>
public sealed record Provision(Key Key, ProvidedKind Kind, Strength Strength = Strength.Makes, byte[]? Target = null, string? SameAs = null, bool AcceptsExisting = false)
{
    public static Provision Directory(TreePath path) => new(Key.OfPath(path), ProvidedKind.Directory);
    public static Provision File(TreePath path) => new(Key.OfPath(path), ProvidedKind.File);
    public static Provision Symlink(TreePath path, byte[] target) => new(Key.OfPath(path), ProvidedKind.Symlink, Target: target);

    /// <summary>What an inode will be once it stands at a path.</summary>
    public static Provision Of(TreePath path, Inode inode) => inode.Kind switch
    {
        FileKind.Directory => Directory(path),
        FileKind.Symlink => Symlink(path, inode.Target),
        _ => File(path),
    };
}

/// <summary>What a required path must be.</summary>
public enum Need
{
    Exists,
    Directory,
    /// <summary>Anything but a directory.</summary>
    File,
    /// <summary>A regular file with an x bit for everybody who may need it.</summary>
    Executable,
    /// <summary>A link that leads to something, or to what exists only in a running system.</summary>
    LinkTarget,
}

/// <summary>One thing that an item needs.</summary>
/// <param name="Key">Which path, user or group. Links on the way and at the end are followed inside the image.</param>
/// <param name="Need">What it must be.</param>
/// <param name="Ordered">Needed before the item runs; otherwise only when the layer is finished (and then it can make no cycle).</param>
public sealed record Requirement(Key Key, Need Need = Need.Exists, bool Ordered = true)
{
    public static Requirement Directory(TreePath path) => new(Key.OfPath(path), Need.Directory);
    public static Requirement File(TreePath path) => new(Key.OfPath(path), Need.File);
}
