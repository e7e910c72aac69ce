namespace Layerbox.Posix;

/// <summary>What lstat says of a file: numbers only, times split in seconds and nanoseconds since 1970.</summary>
public readonly record struct FileStatus(
    uint ModeAndType, uint Uid, uint Gid, uint Links, ulong Inode, long Size, long Blocks,
    long ModificationSeconds, uint ModificationNanoseconds, long ChangeSeconds, uint ChangeNanoseconds,
    uint RdevMajor, uint RdevMinor, uint DevMajor, uint DevMinor)
{
    public const uint S_IFMT = 0xF000, S_IFDIR = 0x4000, S_IFREG = 0x8000, S_IFLNK = 0xA000,
        S_IFCHR = 0x2000, S_IFBLK = 0x6000, S_IFIFO = 0x1000, S_IFSOCK = 0xC000;

    /// <summary>Permission bits, setuid, setgid and sticky included (07777).</summary>
    public uint Mode => ModeAndType & 0xFFF;

    public uint Type => ModeAndType & S_IFMT;
    public bool IsDirectory => Type == S_IFDIR;
    public bool IsRegular => Type == S_IFREG;
    public bool IsSymlink => Type == S_IFLNK;
    public bool IsFifo => Type == S_IFIFO;

    /// <summary>Whether something is mounted exactly here (Linux 5.8 and later say so).</summary>
    public bool IsMountRoot { get; init; }

    // linux/stat.h
    private const ulong STATX_ATTR_MOUNT_ROOT = 0x2000;

    internal static FileStatus From(in Libc.StatxBuffer s) => new(
        s.Mode, s.Uid, s.Gid, s.Links, s.Inode, (long)s.Size, (long)s.Blocks,
        s.ModificationTime.Seconds, s.ModificationTime.Nanoseconds, s.ChangeTime.Seconds, s.ChangeTime.Nanoseconds,
        s.RdevMajor, s.RdevMinor, s.DevMajor, s.DevMinor)
    {
        IsMountRoot = (s.Attributes & STATX_ATTR_MOUNT_ROOT) != 0,
    };
}
