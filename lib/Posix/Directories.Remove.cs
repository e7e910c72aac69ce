using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

public static unsafe partial class Directories
{
    private const byte DT_UNKNOWN = 0, DT_DIR = 4;

    /// <summary>Handles that a walk keeps open at most; above it goes back up by "..", checked.</summary>
    private const int OpenLevels = 64;

    /// <summary>
    /// Removes a file, or a directory with all that is in it: never through a link, and never into another mount or subvolume
    /// (EXDEV names it). Depth costs no stack and few handles. What is gone already is accepted.
    /// </summary>
    public static void RemoveAll(string path)
    {
        byte[] bytes = PathText.ToBytes(path.TrimEnd('/'));
        int slash = bytes.AsSpan().LastIndexOf((byte)'/');
        byte[] above = slash < 0 ? "."u8.ToArray() : slash == 0 ? "/"u8.ToArray() : bytes[..slash];
        try
        {
            using SafeFileHandle parent = Files.Open(Current, above, OpenFlags.ReadOnly | OpenFlags.Directory);
            RemoveAll(parent, bytes.AsSpan(slash + 1));
        }
        catch (PosixException e)
        {
            throw new PosixException(e.Call, e.Errno, e.Path is null ? path : Path.Combine(PathText.FromBytes(above), e.Path));
        }
    }

    /// <inheritdoc cref="RemoveAll(string)"/>
    public static void RemoveAll(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        if (!IsDirectory(parent, name, DT_UNKNOWN))
        {
            Unlink(parent, name);
            return;
        }
        Stack<Level> levels = new();
        List<Level> open = [];
        try
        {
            levels.Push(Enter(parent, name.ToArray(), null, open));
            while (levels.TryPeek(out Level? level))
            {
                if (level.Next < level.Entries.Count)
                {
                    (byte[] entry, byte type) = level.Entries[level.Next++];
                    SafeFileHandle at = level.Handle!;
                    try
                    {
                        if (IsDirectory(at, entry, type))
                            levels.Push(Enter(at, entry, level, open));
                        else
                            Unlink(at, entry);
                    }
                    catch (PosixException e)
                    {
                        throw new PosixException(e.Call, e.Errno, PathOf(levels, entry));
                    }
                    continue;
                }
                levels.Pop();
                if (levels.TryPeek(out Level? above))
                    above.Handle ??= GoUp(level, above, open);
                level.Handle!.Dispose();
                open.Remove(level);
                Unlink(above?.Handle ?? parent, level.Name, isDirectory: true);
            }
        }
        finally
        {
            foreach (Level level in open)
                level.Handle?.Dispose();
        }
    }

    private sealed class Level(byte[] name, SafeFileHandle handle, FileStatus status, List<(byte[] Name, byte Type)> entries)
    {
        public byte[] Name => name;
        public FileStatus Status => status;
        public List<(byte[] Name, byte Type)> Entries => entries;
        public SafeFileHandle? Handle { get; set; } = handle;
        public int Next { get; set; }
    }

    private static Level Enter(SafeFileHandle parent, byte[] name, Level? above, List<Level> open)
    {
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;
        SafeFileHandle handle;
        try
        {
            handle = OpenBeneath(parent, name, flags);
        }
        catch (PosixException e) when (e.Errno == Errno.EACCES)
        {
            Files.SetModeNoFollow(parent, name, 0x1C0 /* 0700 */);
            handle = OpenBeneath(parent, name, flags);
        }
        FileStatus status = Files.Status(handle);
        bool crosses = above is not null && (status.DevMajor, status.DevMinor) != (above.Status.DevMajor, above.Status.DevMinor);
        if (crosses)
        {
            handle.Dispose();
            throw new PosixException("remove", Errno.EXDEV, PathText.FromBytes(name));
        }
        if (!IsRoot && (status.Mode & 0x1C0) != 0x1C0)
            Files.SetMode(handle, 0x1C0);
        if (open.Count >= OpenLevels)
        {
            open[0].Handle?.Dispose();
            open[0].Handle = null;
            open.RemoveAt(0);
        }
        Level level = new(name, handle, status, List(handle));
        open.Add(level);
        return level;
    }

    private static SafeFileHandle GoUp(Level from, Level to, List<Level> open)
    {
        SafeFileHandle handle = Files.Open(from.Handle!, ".."u8, OpenFlags.ReadOnly | OpenFlags.Directory);
        FileStatus status = Files.Status(handle);
        open.Add(to);
        return (status.Inode, status.DevMajor, status.DevMinor) == (to.Status.Inode, to.Status.DevMajor, to.Status.DevMinor)
            ? handle
            : throw new PosixException("remove", Errno.ESTALE, PathText.FromBytes(to.Name));
    }

    private static bool IsDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name, byte type)
    {
        if (type != DT_UNKNOWN)
            return type == DT_DIR;
        try
        {
            return Files.Status(parent, name).IsDirectory;
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return false;
        }
    }

    private static void Unlink(SafeFileHandle parent, ReadOnlySpan<byte> name, bool isDirectory = false)
    {
        try
        {
            Files.Remove(parent, name, isDirectory);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
        }
    }

    private static string PathOf(Stack<Level> levels, byte[] entry) =>
        string.Join('/', levels.Reverse().Select(level => PathText.FromBytes(level.Name)).Append(PathText.FromBytes(entry)));
}
