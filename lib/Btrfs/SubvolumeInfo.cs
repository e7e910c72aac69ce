namespace Layerbox.Btrfs;

/// <summary>A moment as btrfs keeps it: seconds and nanoseconds since 1970.</summary>
public readonly record struct SubvolumeTime(long Seconds, uint Nanoseconds);

/// <summary>A transaction of the filesystem and when it was. Id 0: it never happened to this subvolume.</summary>
public readonly record struct SubvolumeEvent(ulong Transid, SubvolumeTime Time);

/// <summary>What the filesystem knows of a subvolume (BTRFS_IOC_GET_SUBVOL_INFO).</summary>
public sealed record SubvolumeInfo
{
    /// <summary>The tree id of the top of every btrfs (BTRFS_FS_TREE_OBJECTID).</summary>
    public const ulong TopLevelId = 5;

    private const ulong BTRFS_ROOT_SUBVOL_RDONLY = 1;

    public required ulong Id { get; init; }

    /// <summary>The id of the subvolume that holds this one's name; 0 for the top level.</summary>
    public required ulong ParentId { get; init; }

    /// <summary>The inode, in the parent, of the directory that holds the name; 0 for the top level.</summary>
    public required ulong DirectoryInode { get; init; }

    /// <summary>The name in that directory, bytes as they are; empty for the top level.</summary>
    public required byte[] Name { get; init; }

    public required Guid Uuid { get; init; }

    /// <summary>The subvolume that this one is a snapshot of.</summary>
    public required Guid? ParentUuid { get; init; }

    /// <summary>The subvolume, perhaps on another filesystem, of whose send stream this one was made.</summary>
    public required Guid? ReceivedUuid { get; init; }

    public required ulong Generation { get; init; }
    public required ulong Flags { get; init; }
    public required SubvolumeEvent Changed { get; init; }
    public required SubvolumeEvent Created { get; init; }
    public required SubvolumeEvent Sent { get; init; }
    public required SubvolumeEvent Received { get; init; }

    public bool IsReadOnly => (Flags & BTRFS_ROOT_SUBVOL_RDONLY) != 0;

    /// <summary>A uuid as the kernel has it, in network order; null for one of zeros.</summary>
    internal static Guid? ReadUuid(ReadOnlySpan<byte> bytes) =>
        bytes.ContainsAnyExcept((byte)0) ? new Guid(bytes, bigEndian: true) : null;
}
