using System.Globalization;

namespace Layerbox.Posix;

/// <summary>Flags of mount(2), with the kernel's names (linux/mount.h).</summary>
[Flags]
public enum MountFlags : ulong
{
    None = 0,
    MS_RDONLY = 1,
    MS_NOSUID = 2,
    MS_NODEV = 4,
    MS_NOEXEC = 8,
    MS_REMOUNT = 32,
    MS_NOATIME = 1024,
    MS_BIND = 4096,
    MS_MOVE = 8192,
    MS_REC = 16384,
    MS_PRIVATE = 1 << 18,
    MS_SLAVE = 1 << 19,
    MS_SHARED = 1 << 20,
}

/// <summary>One line of mountinfo: which part of which filesystem is seen where.</summary>
/// <param name="Root">The path inside the filesystem that is mounted: "/" but for bind mounts and subvolumes.</param>
/// <param name="Point">Where it is mounted.</param>
/// <param name="Type">The filesystem's name, such as "btrfs".</param>
/// <param name="Source">What it was mounted from; a device, or a word of the filesystem's own.</param>
/// <param name="DevMajor">Major number that stat gives for its files (not of subvolumes).</param>
/// <param name="DevMinor">Minor number, likewise.</param>
public sealed record Mount(string Root, string Point, string Type, string Source, uint DevMajor, uint DevMinor)
{
    /// <summary>What the filesystem as a whole was mounted with, such as "memory" for a hierarchy of control groups.</summary>
    public IReadOnlyList<string> SuperOptions { get; init; } = [];
}

/// <summary>Mounting, unmounting, and what is mounted, as this process sees it.</summary>
public static unsafe class Mounts
{
    private const int MNT_DETACH = 2;

    /// <summary>mount(2). <paramref name="source"/>, <paramref name="type"/> and <paramref name="options"/> may be null where the flags make them moot.</summary>
    public static void Mount(string? source, string target, string? type, MountFlags flags, string? options = null)
    {
        fixed (byte* s = Terminated(source), t = Terminated(target), k = Terminated(type), o = Terminated(options))
            PosixException.Check(Libc.mount(s, t, k, (nuint)flags, o), "mount", target);
    }

    /// <summary>umount(2). <paramref name="detach"/> takes it out of sight at once, and away when its last user is gone.</summary>
    public static void Unmount(string target, bool detach = false)
    {
        fixed (byte* t = Terminated(target))
            PosixException.Check(Libc.umount2(t, detach ? MNT_DETACH : 0), "umount", target);
    }

    /// <summary>All mounts, in the order they were made: of two at one point the later one is seen.</summary>
    public static List<Mount> List() => Parse(WholeFile.Read("/proc/self/mountinfo"));

    /// <summary>What is seen at exactly this path, which has to be absolute and without links; null when nothing is mounted there.</summary>
    public static Mount? At(string point) => List().FindLast(mount => mount.Point == point);

    /// <summary>Reads the text of /proc/PID/mountinfo (proc(5)).</summary>
    /// <exception cref="InvalidDataException">A line has too few fields.</exception>
    public static List<Mount> Parse(ReadOnlySpan<byte> text)
    {
        // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
        const int DeviceField = 2, RootField = 3, PointField = 4, FirstOptionalField = 6;
        List<Mount> mounts = [];
        foreach (string line in PathText.FromBytes(text).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] fields = line.Split(' ');
            int separator = fields.Length < FirstOptionalField ? -1 : Array.IndexOf(fields, "-", FirstOptionalField);
            if (separator < 0 || fields.Length < separator + 3 || fields[DeviceField].Split(':') is not [var major, var minor])
                throw new InvalidDataException($"mountinfo: expected 'ID PARENT MAJOR:MINOR ROOT POINT OPTIONS … - TYPE SOURCE …', found '{line}'");
            mounts.Add(new Mount(Unescape(fields[RootField]), Unescape(fields[PointField]), fields[separator + 1], Unescape(fields[separator + 2]),
                uint.Parse(major, CultureInfo.InvariantCulture), uint.Parse(minor, CultureInfo.InvariantCulture))
            {
                SuperOptions = fields.Length > separator + 3 ? fields[separator + 3].Split(',') : [],
            });
        }
        return mounts;
    }

    // The kernel writes space, tab, newline and backslash as \ and three octal digits.
    private static string Unescape(string field)
    {
        const int EscapeLength = 4;
        if (!field.Contains('\\'))
            return field;
        byte[] bytes = PathText.ToBytes(field);
        List<byte> plain = new(bytes.Length);
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] == '\\' && i + EscapeLength <= bytes.Length)
            {
                plain.Add((byte)(((bytes[i + 1] - '0') << 6) | ((bytes[i + 2] - '0') << 3) | (bytes[i + 3] - '0')));
                i += EscapeLength - 1;
            }
            else
                plain.Add(bytes[i]);
        }
        return PathText.FromBytes(plain.ToArray());
    }

    // Null stays null: a fixed pointer to a null array is a null pointer, which mount(2) takes for "none".
    private static byte[]? Terminated(string? text) => text is null ? null : [.. PathText.ToBytes(text), 0];
}
