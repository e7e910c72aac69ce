using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>One directory on the way down of a writing walk. Its handle is opened when something in it is to be done.</summary>
internal sealed class DirectoryLevel
{
    private const uint OwnerMayAll = 0x1C0, SetGidBit = 0x400;

    /// <summary>How many levels are opened again together.</summary>
    private const int Reopened = 32;

    private readonly List<(FileName Name, Inode? From, Inode To)> _directories = [];
    private readonly int _depth;
    private int _next;

    /// <summary>The root of the walk.</summary>
    public DirectoryLevel(DiskRoot root, Inode from, Inode to) : this(null, root.Directory, from, to) => Handle = root.Handle;

    public DirectoryLevel(DirectoryLevel above, FileName name, Inode? from, Inode to) : this(above, above.Place.Below(name), from, to) { }

    private DirectoryLevel(DirectoryLevel? above, DiskDirectory place, Inode? from, Inode to)
    {
        (Above, Place, From, To) = (above, place, from, to);
        _depth = above is null ? 0 : above._depth + 1;
        Gid = from?.Gid ?? above!.GidOfNew;
        GidOfNew = from is not null && (from.Mode & SetGidBit) != 0 ? from.Gid : Directories.EffectiveGid;
        HasDefaultAcl = from?.Xattrs.Find(InodeFacts.DefaultAcl) is not null;
    }

    public DirectoryLevel? Above { get; }
    public DiskDirectory Place { get; }

    /// <summary>Its state on disk before; null when it was made by us.</summary>
    public Inode? From { get; }

    public Inode To { get; }

    /// <summary>Its group on disk now, and the group that new entries get.</summary>
    public uint Gid { get; }

    /// <inheritdoc cref="Gid"/>
    public uint GidOfNew { get; }

    /// <summary>Whether new entries get ACLs, which they are not to have.</summary>
    public bool HasDefaultAcl { get; }

    /// <summary>Whether entries came or went, so that its time must be set.</summary>
    public bool IsTouched { get; private set; }

    public bool ModeChanged { get; private set; }
    public SafeFileHandle? Handle { get; set; }

    public void Add(FileName name, Inode? from, Inode to) => _directories.Add((name, from, to));

    public (FileName Name, Inode? From, Inode To)? NextDirectory() => _next < _directories.Count ? _directories[_next++] : null;

    /// <summary>The handle, opened if it is not.</summary>
    public SafeFileHandle Open() => Open(Reopened);

    // On the way back up a very deep tree each level is wanted whose handle was closed on the way down: some of them are opened by their
    // names, one by one, below a single long path, rather than each by a long path of its own.
    private SafeFileHandle Open(int together)
    {
        if (Handle is not null)
            return Handle;
        if (_depth > OpenLevels.MaxHandles && together > 0)
            Above!.Open(together - 1);
        try
        {
            if (!Directories.IsRoot && From is not null && (From.Mode & OwnerMayAll) != OwnerMayAll && !ModeChanged)
            {
                Files.SetModeNoFollow(Above!.Open(), Place.NameBytes, From.Mode | OwnerMayAll);
                ModeChanged = true;
            }
            return Handle = Above!.Handle is { } above ? Directories.Open(above, Place.NameBytes) : Place.Open();
        }
        catch (PosixException e) when (e.Path?.Contains('/') != true)
        {
            throw new PosixException(e.Call, e.Errno, Place.Describe());
        }
    }

    /// <summary>The handle, for a change of entries.</summary>
    public SafeFileHandle Touch()
    {
        IsTouched = true;
        if (Above is null && !Directories.IsRoot && (From!.Mode & OwnerMayAll) != OwnerMayAll && !ModeChanged)
        {
            Files.SetMode(Handle!, From.Mode | OwnerMayAll);
            ModeChanged = true;
        }
        return Open();
    }
}

/// <summary>The levels from the root to where a walk is. Of a very deep tree only the lowest ones keep their handles open.</summary>
internal sealed class OpenLevels : IDisposable
{
    public const int MaxHandles = 64;

    private readonly List<DirectoryLevel> _levels = [];

    public DirectoryLevel? Last => _levels.Count > 0 ? _levels[^1] : null;

    public void Push(DirectoryLevel level)
    {
        _levels.Add(level);
        if (_levels.Count > MaxHandles)
            Close(_levels[^MaxHandles]);
    }

    public void Pop()
    {
        Close(_levels[^1]);
        _levels.RemoveAt(_levels.Count - 1);
    }

    public void Dispose()
    {
        foreach (DirectoryLevel level in _levels)
            Close(level);
    }

    /// <summary>The root's handle is not ours to close.</summary>
    private static void Close(DirectoryLevel level)
    {
        if (level.Above is null)
            return;
        level.Handle?.Dispose();
        level.Handle = null;
    }
}
