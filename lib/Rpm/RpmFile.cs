namespace Layerbox.Rpm;

/// <summary>What a package says about one of its files (rpmfiles.h: rpmfileAttrs).</summary>
[Flags]
public enum RpmFileFlags : uint
{
    None = 0,
    Config = 1,
    Doc = 1 << 1,
    Icon = 1 << 2,
    MissingOk = 1 << 3,
    NoReplace = 1 << 4,
    SpecFile = 1 << 5,
    Ghost = 1 << 6,
    License = 1 << 7,
    Readme = 1 << 8,
    PubKey = 1 << 11,
    Artifact = 1 << 12,
}

/// <summary>A file of a package, as its header describes it.</summary>
/// <param name="Index">Its place in the header's list.</param>
/// <param name="Path">Its whole path, with a slash before it; a mere name in source packages.</param>
/// <param name="Mode">Kind and permissions, as in st_mode.</param>
/// <param name="Size">Bytes.</param>
/// <param name="ModificationTime">Seconds since 1970.</param>
/// <param name="Flags">Configuration, documentation and so on.</param>
public sealed record RpmFile(int Index, byte[] Path, uint Mode, long Size, long ModificationTime, RpmFileFlags Flags)
{
    // st_mode: the kinds.
    internal const uint KindMask = 0xF000, Fifo = 0x1000, CharDevice = 0x2000, Directory = 0x4000, BlockDevice = 0x6000, Regular = 0x8000, Symlink = 0xA000, Socket = 0xC000;

    public bool IsDirectory => Kind == Directory;

    public bool IsRegular => Kind == Regular;

    public bool IsSymlink => Kind == Symlink;

    /// <summary>Whether the package owns the path without bringing anything there.</summary>
    public bool IsGhost => (Flags & RpmFileFlags.Ghost) != 0;

    /// <summary>The owner's name.</summary>
    public required string User { get; init; }

    /// <summary>The group's name.</summary>
    public required string Group { get; init; }

    /// <summary>The digest of a regular file, in hexadecimal digits; empty when there is none.</summary>
    public string Digest { get; init; } = "";

    /// <summary>Where a symbolic link points to.</summary>
    public byte[] Target { get; init; } = [];

    public bool IsDevice => Kind is CharDevice or BlockDevice;

    /// <summary>The numbers of a device; stored as an st_rdev of 16 bits.</summary>
    public uint DeviceMajor { get; init; }

    /// <inheritdoc cref="DeviceMajor"/>
    public uint DeviceMinor { get; init; }

    /// <summary>Files of the same <see cref="Device"/> and inode are hard links to each other.</summary>
    public ulong Inode { get; init; }

    /// <inheritdoc cref="Inode"/>
    public ulong Device { get; init; }

    /// <summary>Capabilities in the text form of setcap(8); empty when there are none.</summary>
    public string Capabilities { get; init; } = "";

    /// <summary>The language that the file is for; empty when it is for all.</summary>
    public string Language { get; init; } = "";

    /// <summary>What <c>rpm -V</c> compares (rpmvf.h).</summary>
    public uint VerifyFlags { get; init; }

    /// <summary>"file", "directory", "symlink", "char_device", "block_device", "fifo", "socket"; "unknown" for a mode that is of no kind.</summary>
    public string KindName => Kind switch
    {
        Regular => "file",
        Directory => "directory",
        Symlink => "symlink",
        CharDevice => "char_device",
        BlockDevice => "block_device",
        Fifo => "fifo",
        Socket => "socket",
        _ => "unknown",
    };

    internal uint Kind => Mode & KindMask;
}
