using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>A directory below a <see cref="DiskRoot"/>, known by its name and the directory above it: 10,000 files need no 10,000 paths.</summary>
internal sealed class DiskDirectory
{
    /// <summary>PATH_MAX of Linux, less the final NUL: the longest path of one system call.</summary>
    private const int PathMax = 4095;

    /// <summary>Paths up to this length take no memory but the stack's.</summary>
    private const int PathInline = 512;

    private readonly byte[] _name;
    private readonly int _pathLength;

    internal DiskDirectory(DiskRoot root, DiskDirectory? parent, byte[] name)
    {
        Root = root;
        Parent = parent;
        _name = name;
        _pathLength = parent is null ? 0 : parent._pathLength + name.Length + 1;
    }

    public DiskRoot Root { get; }
    public DiskDirectory? Parent { get; }

    /// <summary>Its name; not to be asked of the root.</summary>
    public FileName Name => new(_name);

    public ReadOnlySpan<byte> NameBytes => _name;

    public DiskDirectory Below(FileName name) => new(Root, this, name.Bytes.ToArray());
    public DiskDirectory Below(byte[] name) => new(Root, this, name);

    /// <summary>A new handle of the directory itself.</summary>
    public SafeFileHandle Open(OpenFlags flags = OpenFlags.ReadOnly) =>
        Parent is null
            ? Directories.OpenBeneath(Root.Handle, "."u8, flags | OpenFlags.Directory)
            : Parent.Open(_name, flags | OpenFlags.Directory | OpenFlags.NoFollow);

    /// <summary>Opens what the directory holds under a name. No link is followed on the way, nor at the end.</summary>
    /// <exception cref="PosixException">It cannot be opened (EXDEV: a mount is on the way); the path in it is the whole one.</exception>
    public SafeFileHandle Open(ReadOnlySpan<byte> name, OpenFlags flags, bool crossMounts = false)
    {
        int length = _pathLength + name.Length;
        try
        {
            if (length > PathMax)
            {
                using SafeFileHandle above = OpenByChunks(crossMounts);
                return Directories.OpenBeneath(above, name, flags | OpenFlags.NoFollow, crossMounts);
            }
            Span<byte> path = length <= PathInline ? stackalloc byte[PathInline] : new byte[length];
            name.CopyTo(path[_pathLength..]);
            WritePath(path, null);
            return Directories.OpenBeneath(Root.Handle, path[..length], flags | OpenFlags.NoFollow, crossMounts);
        }
        catch (PosixException e)
        {
            throw new PosixException(e.Call, e.Errno, Describe(name));
        }
    }

    /// <summary>The way to a name in this directory, with the host's path of the root; for messages.</summary>
    public string Describe(ReadOnlySpan<byte> name)
    {
        byte[] path = new byte[_pathLength + name.Length];
        name.CopyTo(path.AsSpan(_pathLength));
        WritePath(path, null);
        string below = PathText.FromBytes(path.AsSpan().TrimEnd((byte)'/'));
        return below.Length == 0 ? Root.Path : $"{Root.Path.TrimEnd('/')}/{below}";
    }

    public string Describe() => Describe([]);

    /// <summary>The path of a name in this directory, inside the tree.</summary>
    public TreePath PathOf(FileName name)
    {
        Stack<FileName> names = new();
        names.Push(name);
        for (DiskDirectory at = this; at.Parent is not null; at = at.Parent)
            names.Push(at.Name);
        TreePath path = TreePath.Root;
        foreach (FileName part in names)
            path = path.Append(part);
        return path;
    }

    /// <summary>Writes the names down from <paramref name="from"/> (null: the root) to this, each with a slash, into the start of the span.</summary>
    private void WritePath(Span<byte> path, DiskDirectory? from)
    {
        int start = from?._pathLength ?? 0;
        for (DiskDirectory at = this; at.Parent is not null && at != from; at = at.Parent)
        {
            int nameStart = at.Parent._pathLength - start;
            at._name.CopyTo(path[nameStart..]);
            path[nameStart + at._name.Length] = (byte)'/';
        }
    }

    /// <summary>Opens a directory whose path is longer than one system call takes.</summary>
    private SafeFileHandle OpenByChunks(bool crossMounts)
    {
        List<DiskDirectory> stops = [];
        for (DiskDirectory? at = this, last = null; at is not null; at = at.Parent)
        {
            if (last is null || last._pathLength - (at.Parent?._pathLength ?? 0) > PathMax)
                stops.Add(last = at);
        }
        stops.Reverse();
        SafeFileHandle handle = Directories.OpenBeneath(Root.Handle, "."u8, OpenFlags.PathOnly | OpenFlags.Directory);
        DiskDirectory? from = null;
        foreach (DiskDirectory stop in stops)
        {
            using SafeFileHandle above = handle;
            byte[] path = new byte[stop._pathLength - (from?._pathLength ?? 0)];
            stop.WritePath(path, from);
            ReadOnlySpan<byte> below = path.Length == 0 ? "."u8 : path.AsSpan(0, path.Length - 1);
            handle = Directories.OpenBeneath(above, below, OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.NoFollow, crossMounts);
            from = stop;
        }
        return handle;
    }
}
