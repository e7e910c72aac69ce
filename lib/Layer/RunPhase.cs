using Layerbox.FileTree;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer;

/// <summary>
/// Runs a layer's commands in its subvolume. Before, what was removed in memory is removed on disk; after, the disk is walked to learn what
/// the commands did. Inodes that they did not touch keep digest, time and maker; what they touched gets the layer's time at most.
/// </summary>
internal sealed class RunPhase(string subvolume, CompileOptions options)
{
    /// <summary>Beside the subvolume, while a command runs.</summary>
    private const string InputsName = "inputs";

    /// <returns>The state of the disk, and the state that the layer is to have.</returns>
    public (Tree OnDisk, Tree Wanted) Run(IReadOnlyList<RunItem> runs, LayerDraft draft, Tree onDisk)
    {
        RootfsWriter.Apply(subvolume, onDisk, draft.Tree);
        Tree before = RootfsReader.Read(subvolume);
        string label = runs.Count == 1 ? runs[0].Label : "run";
        foreach (RunItem run in runs)
        {
            options.Cancellation.ThrowIfCancellationRequested();
            options.Progress?.Invoke(run.Label, 0, null);
            Execute(run, draft);
        }
        Tree after = RootfsReader.Read(subvolume, new RootfsReadOptions
        {
            KnownDigest = (path, status) => IsSame(before.Find(path), status) ? Digest(draft.Tree.Find(path)) : null,
        });
        CheckReserved(draft, before, after, runs[^1]);
        Tree wanted = after.Copy();
        HashSet<Inode> done = [];
        foreach ((TreePath path, Inode inode) in wanted.Walk())
        {
            if (!done.Add(inode))
                continue;
            bool isTouched = before.Find(path) is not { } was || !IsSameState(was, after.Find(path)!);
            inode.MadeBy = isTouched ? label : draft.Tree.Find(path)?.MadeBy;
            if (isTouched)
                inode.ModificationTime = inode.ModificationTime.ClampedTo(draft.Epoch);
        }
        return (after, wanted);
    }

    private void Execute(RunItem run, LayerDraft draft)
    {
        string inputs = Path.Combine(Path.GetDirectoryName(subvolume)!, InputsName);
        Directories.MakeAll(inputs, InodeMode.Directory);
        try
        {
            run.Guard(() => run.CopyInputs(inputs, draft.Epoch));
            Execute(run, inputs, draft);
        }
        finally
        {
            Directories.RemoveAll(inputs);
        }
    }

    private void Execute(RunItem run, string inputs, LayerDraft draft)
    {
        ContainerResult result;
        try
        {
            using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadOnly);
            // Standard output is for the handle; what commands say is for people.
            result = ContainerEngine.Default.Run(run.Container(subvolume, inputs, draft) with { Input = nothing, Output = FdStream.StandardError.Handle }, options.Cancellation);
        }
        catch (ContainerException e)
        {
            throw run.Error(e.Message);
        }
        if (result.NotStarted is { } reason)
            throw run.Error(reason.Message);
        if (!result.Succeeded)
            throw run.Error($"exit status {result.Status}");
    }

    /// <summary>Commands run as root of the image: what no item may touch is compared afterwards.</summary>
    private static void CheckReserved(LayerDraft draft, Tree before, Tree after, RunItem last)
    {
        foreach (TreePath reserved in draft.Metadata.Mounts.Select(m => m.MountPoint).Append(ImageMetadata.Folder))
        {
            List<KeyValuePair<TreePath, Inode>> was = [.. before.Walk(reserved)], now = [.. after.Walk(reserved)];
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
