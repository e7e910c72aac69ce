using System.Runtime.CompilerServices;

namespace Layerbox.FileTree;

/// <summary>
/// A file, directory, link or node, apart from its names. A regular file may be reached by several names (hard links): the same
/// object then stands in several directories. Change and access times, inode numbers and generations are not part of the state.
/// </summary>
public sealed class Inode
{
    // Trees have hundreds of thousands of these. What only one kind has shares one field: the children of a directory
    // (ChildTable), the content of a file, the target of a symlink (byte[]), the numbers of a device (DeviceNumbers).
    private object? _payload;
    private long _seconds;
    private uint _nanoseconds;

    private Inode(FileKind kind, uint mode)
    {
        Kind = kind;
        Mode = mode;
    }

    public FileKind Kind { get; }

    /// <summary>Permission bits, setuid, setgid and sticky included (07777). 0777 for symlinks.</summary>
    public uint Mode { get; set; }

    public uint Uid { get; set; }
    public uint Gid { get; set; }

    public Timestamp ModificationTime
    {
        get => new(_seconds, _nanoseconds);
        set => (_seconds, _nanoseconds) = value;
    }

    public XattrSet Xattrs { get; set; } = XattrSet.Empty;

    /// <summary>The bytes of a regular file; null for all other kinds.</summary>
    /// <exception cref="InvalidOperationException">Something else than a regular file is given bytes.</exception>
    public FileContent? Content
    {
        get => Kind == FileKind.File ? Unsafe.As<FileContent?>(_payload) : null;
        set
        {
            if (Kind == FileKind.File)
                _payload = value;
            else if (value is not null)
                throw new InvalidOperationException($"only a regular file has content, not a {Kind}");
        }
    }

    /// <summary>The target of a symlink, verbatim; empty for all other kinds.</summary>
    public byte[] Target => Kind == FileKind.Symlink ? Unsafe.As<byte[]>(_payload!) : [];

    /// <summary>The numbers of a device; 0 for all other kinds.</summary>
    public uint DeviceMajor => Numbers?.Major ?? 0;

    /// <inheritdoc cref="DeviceMajor"/>
    public uint DeviceMinor => Numbers?.Minor ?? 0;

    /// <summary>How many names lead here. Kept by the directories.</summary>
    public int Links { get; private set; }

    /// <summary>A note on who made this path (an item, a package): a fact beside the filesystem, in no digest and no comparison.</summary>
    public string? MadeBy { get; set; }

    public bool IsDirectory => Kind == FileKind.Directory;

    public bool IsDevice => Kind is FileKind.CharDevice or FileKind.BlockDevice;

    public static Inode Directory(uint mode) => new(FileKind.Directory, mode);
    public static Inode File(uint mode, FileContent content) => new(FileKind.File, mode) { _payload = content };
    public static Inode Symlink(byte[] target) => new(FileKind.Symlink, 0x1FF /* 0777 */) { _payload = target };
    public static Inode Device(bool isBlock, uint mode, uint major, uint minor) =>
        new(isBlock ? FileKind.BlockDevice : FileKind.CharDevice, mode) { _payload = new DeviceNumbers(major, minor) };
    public static Inode Fifo(uint mode) => new(FileKind.Fifo, mode);
    public static Inode Socket(uint mode) => new(FileKind.Socket, mode);

    /// <summary>Names and inodes in a directory, in canonical order; empty for all other kinds.</summary>
    public ChildList Children
    {
        get
        {
            if (Table is not { } table)
                return default;
            if (!table.IsPlain)
                _payload = table = table.ToPlain();
            return new ChildList(table);
        }
    }

    public int ChildCount => Table?.Count ?? 0;

    public Inode? Child(FileName name) => Table?.Find(name.Bytes);

    /// <summary>The same by the bytes of a name, which need not be a possible one.</summary>
    public Inode? Child(ReadOnlySpan<byte> name) => Table?.Find(name);

    /// <exception cref="InvalidOperationException">This is no directory, the name is taken, or a directory would get a second name.</exception>
    public void Add(FileName name, Inode child)
    {
        if (!IsDirectory)
            throw new InvalidOperationException($"'{name}' cannot be added to what is no directory");
        if (child.IsDirectory && child.Links > 0)
            throw new InvalidOperationException($"'{name}': a directory has one name only");
        ChildTable table = Table ?? new ChildTable();
        if (!table.TryAdd(name, child))
            throw new InvalidOperationException($"'{name}' exists");
        _payload = table;
        child.Links++;
    }

    /// <summary>Adds what comes after all other names of this directory; says false when it does not.</summary>
    internal bool TryAppend(FileName name, Inode child)
    {
        ChildTable table = Table ?? new ChildTable();
        if (!table.TryAppend(name, child))
            return false;
        _payload = table;
        child.Links++;
        return true;
    }

    /// <summary>Takes a name away; says false when it was not there.</summary>
    public bool Remove(FileName name) => Remove(name.Bytes);

    /// <inheritdoc cref="Remove(FileName)"/>
    public bool Remove(ReadOnlySpan<byte> name)
    {
        if (Table is not { } table || !table.Remove(name, out Inode? child))
            return false;
        child!.Links--;
        return true;
    }

    /// <summary>A copy of the inode itself: same state, no names, and for a directory no children.</summary>
    public Inode CopyWithoutChildren() => new(Kind, Mode)
    {
        Uid = Uid,
        Gid = Gid,
        ModificationTime = ModificationTime,
        Xattrs = Xattrs,
        MadeBy = MadeBy,
        _payload = IsDirectory ? null : _payload,
    };

    private ChildTable? Table => IsDirectory ? Unsafe.As<ChildTable?>(_payload) : null;

    private DeviceNumbers? Numbers => IsDevice ? Unsafe.As<DeviceNumbers>(_payload) : null;

    private sealed record DeviceNumbers(uint Major, uint Minor);
}
