using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>How archives are written.</summary>
public sealed record TarWriterOptions
{
    /// <summary>Leave sockets out, which tar cannot hold, rather than fail.</summary>
    public bool SkipSockets { get; init; }

    /// <summary>Times after this one are written as this one (SOURCE_DATE_EPOCH).</summary>
    public Timestamp? LatestTime { get; init; }

    /// <summary>Told how far the writing is, after each member and each big piece of data.</summary>
    public Action<TarProgress>? Progress { get; init; }
}

/// <summary>How far the writing of an archive is.</summary>
/// <param name="Members">Members that are written completely.</param>
/// <param name="Bytes">Bytes of the archive so far.</param>
public readonly record struct TarProgress(long Members, long Bytes);

/// <summary>
/// Writes a tree as a canonical archive: equal trees give equal bytes.
/// <list type="bullet">
/// <item>Members in the canonical order of trees, parents first, names without "./" and directories with a final slash; the first
/// member is "./" and keeps the metadata of the root.</item>
/// <item>ustar, with its prefix where a name is too long; an extended header (always of the name "././@PaxHeader", with time and owner 0)
/// only for what ustar cannot hold: longer names, owners above 2097151, sizes from 8 GiB on, times with a fraction or before 1970,
/// extended attributes (SCHILY.xattr). Bytes of names are never converted; "hdrcharset=BINARY" stands before those that are not UTF-8.</item>
/// <item>A further name of an inode is a hard link to the first one in order. Owners are numbers alone. Only the modification time.
/// Holes are written as zeros. The end is 1024 zero bytes; there is no padding to records.</item>
/// </list>
/// </summary>
public static class TarWriter
{
    /// <summary>Writes the whole archive. The stream is not closed.</summary>
    /// <exception cref="InvalidDataException">The tree holds what tar cannot (a socket, a huge device number); says the path.</exception>
    public static void Write(Stream destination, Tree tree, TarWriterOptions? options = null)
    {
        using TarMemberWriter members = new(destination, options);
        WriteMembers(members, tree, _ => true, null);
        members.Finish();
    }

    /// <summary>Writes those inodes that are chosen, with all their names.</summary>
    /// <param name="members">Takes them.</param>
    /// <param name="tree">The tree that they are in.</param>
    /// <param name="isWritten">Says which; the same at every name of an inode.</param>
    /// <param name="afterMember">Told each path that was written.</param>
    internal static void WriteMembers(TarMemberWriter members, Tree tree, Func<Inode, bool> isWritten, Action<TreePath, Inode>? afterMember)
    {
        Dictionary<Inode, TreePath> linked = new(ReferenceEqualityComparer.Instance);
        foreach ((TreePath path, Inode inode) in tree.Walk())
        {
            if (!isWritten(inode))
                continue;
            if (inode.Links <= 1)
                members.Add(path, inode);
            else if (linked.TryGetValue(inode, out TreePath? first))
                members.AddHardLink(path, inode, first);
            else
            {
                linked.Add(inode, path);
                members.Add(path, inode);
            }
            afterMember?.Invoke(path, inode);
        }
    }
}
