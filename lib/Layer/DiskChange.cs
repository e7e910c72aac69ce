using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Layer;

/// <summary>What is known of a path that a program made or changed.</summary>
/// <param name="MadeBy">Whom it is credited to.</param>
/// <param name="Time">Seconds of a time that does not tell when the program ran: with that very time it stays as it is.</param>
internal readonly record struct PathOrigin(string MadeBy, long? Time = null);

/// <summary>
/// What programs do to a subvolume, whose state in memory is that of the draft: it is walked before and after. Inodes that they do not touch keep digest, time
/// and maker; what they touch gets the layer's time at most.
/// </summary>
internal sealed class DiskChange(string subvolume, LayerDraft draft)
{
    private readonly Tree _before = RootfsReader.Read(subvolume);

    /// <summary>To be called when the programs are done.</summary>
    /// <param name="last">Whose error it is when they changed what no item may touch.</param>
    /// <param name="origin">Asked for each path that was touched.</param>
    /// <returns>The state of the disk, and the state that the layer is to have.</returns>
    /// <exception cref="LayerException">What is reserved was changed.</exception>
    public (Tree OnDisk, Tree Wanted) Settle(Item last, Func<TreePath, PathOrigin> origin)
    {
        Tree after = RootfsReader.Read(subvolume, new RootfsReadOptions
        {
            KnownDigest = (path, status) => IsSame(_before.Find(path), status) ? Digest(draft.Tree.Find(path)) : null,
        });
        CheckReserved(after, last);
        Tree wanted = after.Copy();
        HashSet<Inode> done = [];
        foreach ((TreePath path, Inode inode) in wanted.Walk())
        {
            if (!done.Add(inode))
                continue;
            if (_before.Find(path) is { } was && IsSameState(was, after.Find(path)!))
            {
                inode.MadeBy = draft.Tree.Find(path)?.MadeBy;
                continue;
            }
            PathOrigin by = origin(path);
            inode.MadeBy = by.MadeBy;
            if (inode.ModificationTime != (by.Time is { } own ? new Timestamp(own) : null))
                inode.ModificationTime = inode.ModificationTime.ClampedTo(draft.Epoch);
        }
        return (after, wanted);
    }

    /// <summary>Programs run as root of the image: what no item may touch is compared afterwards.</summary>
    private void CheckReserved(Tree after, Item last)
    {
        foreach (TreePath reserved in draft.Metadata.Mounts.Select(m => m.MountPoint).Append(ImageMetadata.Folder))
        {
            List<KeyValuePair<TreePath, Inode>> was = [.. _before.Walk(reserved)], now = [.. after.Walk(reserved)];
            int same = was.Zip(now).TakeWhile(pair => pair.First.Key.Equals(pair.Second.Key) && IsSameState(pair.First.Value, pair.Second.Value)).Count();
            if (same < Math.Max(was.Count, now.Count))
                throw last.Error($"{(same < now.Count ? now : was)[same].Key} was changed by a command, but {reserved} is {(reserved.Equals(ImageMetadata.Folder) ? "reserved for layerbox" : "a mount point")}");
        }
    }

    private static bool IsSame(Inode? before, FileStatus status) =>
        before?.Content is DiskContent content && content.InodeNumber == status.Inode && content.Size == status.Size
        && content.ChangeTime == new Timestamp(status.ChangeSeconds, status.ChangeNanoseconds);

    private static byte[]? Digest(Inode? inode) => inode?.Content is { HasDigest: true } content ? content.Digest : null;

    private static bool IsSameState(Inode before, Inode after)
    {
        if (before.Kind != after.Kind || before.ModificationTime != after.ModificationTime || (before.Mode, before.Uid, before.Gid) != (after.Mode, after.Uid, after.Gid) || !before.Xattrs.Equals(after.Xattrs))
            return false;
        return before.Content is not DiskContent was || after.Content is not DiskContent now || (was.InodeNumber == now.InodeNumber && was.ChangeTime == now.ChangeTime);
    }
}
