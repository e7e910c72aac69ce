using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>Makes, changes and removes the single inodes of a writing walk.</summary>
internal sealed class InodeWriter(WritePlan plan, RootfsWriteOptions options, SharedRuns? shared)
{
    private const uint OwnerOnly = 0x180, OwnerOnlyDirectory = 0x1C0;

    private readonly Dictionary<Inode, (DiskDirectory Directory, FileName Name)> _made = [];
    private readonly HashSet<Inode> _changed = [];
    private long _inodes, _bytes;

    /// <summary>Takes a name away, with all below it.</summary>
    public void Remove(DirectoryLevel level, FileName name, Inode from)
    {
        try
        {
            if (from.IsDirectory)
                Directories.RemoveAll(level.Touch(), name.Bytes);
            else
                Files.Remove(level.Touch(), name.Bytes);
        }
        catch (PosixException e)
        {
            throw Explained(e, level, name);
        }
        Count(0);
    }

    /// <summary>Makes a directory that only we may use; <see cref="Finish"/> gives it its facts when all that it holds is there.</summary>
    public static void MakeDirectory(DirectoryLevel level, FileName name)
    {
        try
        {
            SafeFileHandle parent = level.Touch();
            Directories.Make(parent, name.Bytes, OwnerOnlyDirectory);
            // A setgid parent hands its bit down; a strange umask could lock us out.
            if (level.GidOfNew != Directories.EffectiveGid || !Directories.IsRoot)
                Files.SetModeNoFollow(parent, name.Bytes, OwnerOnlyDirectory);
            if (level.HasDefaultAcl)
                Entry.RemoveInheritedAcls(new Entry(parent, name.Bytes), isDirectory: true);
        }
        catch (PosixException e)
        {
            throw Explained(e, level, name);
        }
    }

    /// <summary>Gives a directory its facts, the time last.</summary>
    public void Finish(DirectoryLevel level)
    {
        InodeFacts now = level.From is null ? InodeFacts.New(level.Gid) : InodeFacts.Of(level.From).But(level.ModeChanged, level.IsTouched);
        if (now.Equal(level.To))
            return;
        try
        {
            now.Change(new Entry(level.Open()), level.To, isWritten: false);
        }
        catch (PosixException e)
        {
            throw Explained(e, level, null);
        }
        Count(0);
    }

    /// <summary>Makes what is no directory.</summary>
    public void Make(DirectoryLevel level, FileName name, Inode to)
    {
        try
        {
            SafeFileHandle parent = level.Touch();
            if (to.Links > 1 && (_made.TryGetValue(to, out var first) ? first : plan.KeptName(to)) is { } other)
                Link(level, name, other);
            else
            {
                if (to.Links > 1)
                    _made.Add(to, (level.Place, name));
                if (to.Kind == FileKind.File)
                    MakeFile(level, parent, name, to);
                else
                    MakeNode(level, parent, name.Bytes, to);
            }
        }
        catch (PosixException e)
        {
            throw Explained(e, level, name);
        }
        Count(to.Content?.Size ?? 0);
    }

    /// <summary>Changes in place what is no directory, if there is something to change.</summary>
    public void Change(DirectoryLevel level, FileName name, Inode from, Inode to)
    {
        if (to.Links > 1 && !_changed.Add(to))
            return;
        InodeFacts now = InodeFacts.Of(from);
        bool isNewContent = !TreeMerge.HaveSameContent(from, to);
        if (!isNewContent && now.Equal(to))
            return;
        try
        {
            if (!isNewContent)
                now.Change(new Entry(level.Open(), name.Bytes), to, isWritten: false);
            else if (to.Links == 1 && plan.Source(to.Content!) is StagedContent { IsStaged: true } staged && plan.CanMove(staged))
                Move(staged, level, name, to, replace: true);
            else
                Overwrite(level, name, now, to);
            if (!isNewContent && plan.LiesInside(to.Content))
                ((DiskContent)to.Content!).Refresh(Files.Status(level.Open(), name.Bytes));
        }
        catch (PosixException e)
        {
            throw Explained(e, level, name);
        }
        Count(isNewContent ? to.Content!.Size : 0);
    }

    private static void Link(DirectoryLevel level, FileName name, (DiskDirectory Directory, FileName Name) other)
    {
        using SafeFileHandle directory = other.Directory.Open(OpenFlags.PathOnly);
        Files.MakeHardLink(directory, other.Name.Bytes, level.Open(), name.Bytes);
    }

    private void MakeFile(DirectoryLevel level, SafeFileHandle parent, FileName name, Inode to)
    {
        FileContent source = plan.Source(to.Content!);
        if (source is StagedContent { IsStaged: true } staged && plan.CanMove(staged))
        {
            Move(staged, level, name, to, replace: false);
            return;
        }
        const OpenFlags flags = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow;
        using SafeFileHandle file = Files.Open(parent, name.Bytes, flags, OwnerOnly);
        WriteContent(source, file, level, name);
        Entry entry = new(file);
        if (level.HasDefaultAcl)
            Entry.RemoveInheritedAcls(entry, isDirectory: false);
        InodeFacts.New(level.GidOfNew).Change(entry, to, isWritten: false);
        Follow(to.Content!, source, level, name, file);
    }

    private void WriteContent(FileContent source, SafeFileHandle file, DirectoryLevel level, FileName name)
    {
        if (shared?.Concerns(source) == true)
            shared.Write(source, file, level.Place, name);
        else
            ContentCopy.Write(source, file, options.Reflink);
    }

    /// <summary>Devices, fifos, sockets and symlinks.</summary>
    private static void MakeNode(DirectoryLevel level, SafeFileHandle parent, ReadOnlySpan<byte> name, Inode to)
    {
        uint type = to.Kind switch
        {
            FileKind.CharDevice => FileStatus.S_IFCHR,
            FileKind.BlockDevice => FileStatus.S_IFBLK,
            FileKind.Fifo => FileStatus.S_IFIFO,
            FileKind.Socket => FileStatus.S_IFSOCK,
            _ => FileStatus.S_IFLNK,
        };
        if (type == FileStatus.S_IFLNK)
            Files.MakeSymlink(to.Target, parent, name);
        else
            Files.MakeNode(parent, name, type | OwnerOnly, to.DeviceMajor, to.DeviceMinor);
        Entry entry = new(parent, name);
        if (level.HasDefaultAcl && type != FileStatus.S_IFLNK)
            Entry.RemoveInheritedAcls(entry, isDirectory: false);
        InodeFacts.New(level.GidOfNew).Change(entry, to, isWritten: false);
    }

    /// <summary>A staged file gets its facts where it lies, in a folder that is ours alone, and then its name.</summary>
    private static void Move(StagedContent staged, DirectoryLevel level, FileName name, Inode to, bool replace)
    {
        SafeFileHandle parent = level.Touch();
        InodeFacts.New(Directories.EffectiveGid).Change(new Entry(staged.StageHandle, staged.Name), to, isWritten: false);
        Files.Rename(staged.StageHandle, staged.Name, parent, name.Bytes, replace);
        staged.Settle(level.Place, name.Bytes);
        if (to.Content != staged && to.Content is DiskContent content)
        {
            content.MoveTo(level.Place, name.Bytes);
            content.Refresh(Files.Status(parent, name.Bytes));
        }
    }

    private void Overwrite(DirectoryLevel level, FileName name, InodeFacts now, Inode to)
    {
        FileContent source = plan.Source(to.Content!);
        using SafeFileHandle file = OpenForWriting(level.Open(), name.Bytes, ref now);
        if (!Files.Status(file).IsRegular)
            throw new InvalidDataException($"{level.Place.Describe(name.Bytes)}: found what is no regular file, which it must be by now");
        Files.Truncate(file, 0);
        WriteContent(source, file, level, name);
        now.Change(new Entry(file), to, isWritten: true);
        Follow(to.Content!, source, level, name, file);
    }

    private static SafeFileHandle OpenForWriting(SafeFileHandle parent, ReadOnlySpan<byte> name, ref InodeFacts now)
    {
        const OpenFlags flags = OpenFlags.WriteOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking;
        try
        {
            return Files.Open(parent, name, flags);
        }
        catch (PosixException e) when (e.Errno == Errno.EACCES && !Directories.IsRoot)
        {
            Files.SetModeNoFollow(parent, name, OwnerOnly);
            now = now.But(modeChanged: true, timeChanged: false);
            return Files.Open(parent, name, flags);
        }
    }

    /// <summary>Contents that lay in the target, staged or in the tree, follow their bytes: the place that they knew may be gone.</summary>
    private void Follow(FileContent content, FileContent source, DirectoryLevel level, FileName name, SafeFileHandle file)
    {
        if (source is StagedContent { IsStaged: true } staged && plan.CanMove(staged))
        {
            Files.Remove(staged.StageHandle, staged.Name);
            staged.Settle(level.Place, name.Bytes);
        }
        if (content != source && content is DiskContent moved)
        {
            moved.MoveTo(level.Place, name.Bytes);
            moved.Refresh(Files.Status(file));
        }
    }

    private void Count(long bytes)
    {
        _inodes++;
        _bytes += bytes;
        options.Progress?.Invoke(new RootfsProgress(_inodes, _bytes));
    }

    /// <summary>The same failure with the whole path (calls know one name only; sources of bytes know theirs), and what is missing for EPERM and EOPNOTSUPP.</summary>
    private static PosixException Explained(PosixException e, DirectoryLevel level, FileName? name)
    {
        bool isWhole = e.Path?.Contains('/') == true;
        string path = isWhole ? e.Path! : name is { } n ? level.Place.Describe(n.Bytes) : level.Place.Describe();
        string? advice = e.Errno == Errno.EPERM ? Advice(e.Call)
            : e.Errno == Errno.EOPNOTSUPP && e.Call.Contains("xattr ", StringComparison.Ordinal) ? "this filesystem keeps no such attributes" : null;
        return new PosixException(e.Call, e.Errno, path, advice is null ? null : $"{PosixException.Reason(e.Errno)}; {advice}");
    }

    private static string? Advice(string call) => call switch
    {
        "mknod" => "making devices needs root: CAP_MKNOD",
        "chown" => "giving files to others needs root: CAP_CHOWN",
        "chmod" or "utimes" => "changing what others own needs root: CAP_FOWNER",
        "setxattr security.capability" or "removexattr security.capability" => "file capabilities need root: CAP_SETFCAP",
        _ when call.Contains("xattr trusted.", StringComparison.Ordinal) || call.Contains("xattr security.", StringComparison.Ordinal)
            => "these attributes need root: CAP_SYS_ADMIN",
        _ => null,
    };
}
