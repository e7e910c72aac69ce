namespace Layerbox.FileTree;

/// <summary>
/// A file, directory, link or node, apart from its names. A regular file may be reached by several names (hard links): the same
/// object then stands in several directories. Change and access times, inode numbers and generations are not part of the state.
/// </summary>
public sealed class Inode
{
    private SortedDictionary<FileName, Inode>? _children;

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
    public Timestamp ModificationTime { get; set; }
    public XattrSet Xattrs { get; set; } = XattrSet.Empty;

    /// <summary>The bytes of a regular file; null for all other kinds.</summary>
    public FileContent? Content { get; set; }

    /// <summary>The target of a symlink, verbatim; empty for all other kinds.</summary>
    public byte[] Target { get; private init; } = [];

    /// <summary>The numbers of a device; 0 for all other kinds.</summary>
    public uint DeviceMajor { get; private init; }

    /// <inheritdoc cref="DeviceMajor"/>
    public uint DeviceMinor { get; private init; }

    /// <summary>How many names lead here. Kept by the directories.</summary>
    public int Links { get; private set; }

    /// <summary>A note on who made this path (an item, a package): a fact beside the filesystem, in no digest and no comparison.</summary>
    public string? MadeBy { get; set; }

    public bool IsDirectory => Kind == FileKind.Directory;

    public static Inode Directory(uint mode) => new(FileKind.Directory, mode);
    public static Inode File(uint mode, FileContent content) => new(FileKind.File, mode) { Content = content };
    public static Inode Symlink(byte[] target) => new(FileKind.Symlink, 0x1FF /* 0777 */) { Target = target };
    public static Inode Device(bool isBlock, uint mode, uint major, uint minor) =>
        new(isBlock ? FileKind.BlockDevice : FileKind.CharDevice, mode) { DeviceMajor = major, DeviceMinor = minor };
    public static Inode Fifo(uint mode) => new(FileKind.Fifo, mode);
    public static Inode Socket(uint mode) => new(FileKind.Socket, mode);

    /// <summary>Names and inodes in a directory, in canonical order; empty for all other kinds.</summary>
    public IEnumerable<KeyValuePair<FileName, Inode>> Children => _children ?? Enumerable.Empty<KeyValuePair<FileName, Inode>>();

    public int ChildCount => _children?.Count ?? 0;

    public Inode? Child(FileName name) => _children is not null && _children.TryGetValue(name, out Inode? child) ? child : null;

    /// <exception cref="InvalidOperationException">This is no directory, the name is taken, or a directory would get a second name.</exception>
    public void Add(FileName name, Inode child)
    {
        if (!IsDirectory)
            throw new InvalidOperationException($"'{name}' cannot be added to what is no directory");
        if (child.IsDirectory && child.Links > 0)
            throw new InvalidOperationException($"'{name}': a directory has one name only");
        if (!(_children ??= []).TryAdd(name, child))
            throw new InvalidOperationException($"'{name}' exists");
        child.Links++;
    }

    /// <summary>Takes a name away; says false when it was not there.</summary>
    public bool Remove(FileName name)
    {
        if (_children is null || !_children.Remove(name, out Inode? child))
            return false;
        child.Links--;
        return true;
    }

    /// <summary>A copy of the inode itself: same state, no names, and for a directory no children.</summary>
    public Inode CopyWithoutChildren() => new(Kind, Mode)
    {
        Uid = Uid,
        Gid = Gid,
        ModificationTime = ModificationTime,
        Xattrs = Xattrs,
        Content = Content,
        Target = Target,
        DeviceMajor = DeviceMajor,
        DeviceMinor = DeviceMinor,
        MadeBy = MadeBy,
    };
}
