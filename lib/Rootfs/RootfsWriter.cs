using Layerbox.FileTree;
using Layerbox.Posix;

namespace Layerbox.Rootfs;

/// <summary>How <see cref="RootfsWriter"/> writes.</summary>
public sealed record RootfsWriteOptions
{
    public Reflink Reflink { get; init; }

    /// <summary>
    /// The runs of data that a content is made of, in order, where the caller knows them; nothing where not. What several contents have
    /// in common is shared on disk, too, where the filesystem can.
    /// </summary>
    public Func<FileContent, IEnumerable<ContentRun>>? Runs { get; init; }

    /// <summary>Told after each inode that was made or changed.</summary>
    public Action<RootfsProgress>? Progress { get; init; }
}

/// <summary>Inodes made or changed so far, and bytes put into them, shared ones included.</summary>
public readonly record struct RootfsProgress(long Inodes, long Bytes);

/// <summary>
/// Brings a directory from one state to another: what differs is made, changed or removed, all else is not touched. All work is
/// relative to handles of directories and follows no link, so nothing outside can be reached, whatever lies in the tree.
/// </summary>
public static class RootfsWriter
{
    /// <summary>Makes a directory whose state is <paramref name="from"/> be in state <paramref name="to"/>.</summary>
    /// <exception cref="PosixException">A call failed: it names the path, and for EPERM the privilege that is missing.</exception>
    /// <exception cref="InvalidDataException">A source of bytes changed while it was read.</exception>
    public static void Apply(string directory, Tree from, Tree to, RootfsWriteOptions? options = null) =>
        Apply(new DiskRoot(directory), from, to, options);

    /// <inheritdoc cref="Apply(string, Tree, Tree, RootfsWriteOptions?)"/>
    public static void Apply(DiskRoot root, Tree from, Tree to, RootfsWriteOptions? options = null)
    {
        using WritePlan plan = new(root, from, to);
        using OpenLevels levels = new();
        options ??= new RootfsWriteOptions();
        InodeWriter writer = new(plan, options, options.Runs is null ? null : new SharedRuns(to, options.Runs));
        Enter(new DirectoryLevel(root, from.Root, to.Root));
        while (levels.Last is { } level)
        {
            if (level.NextDirectory() is { } below)
            {
                Enter(new DirectoryLevel(level, below.Name, below.From, below.To));
                continue;
            }
            writer.Finish(level);
            levels.Pop();
        }

        void Enter(DirectoryLevel level)
        {
            levels.Push(level);
            WriteEntries(level, plan, writer);
        }
    }

    private static void WriteEntries(DirectoryLevel level, WritePlan plan, InodeWriter writer)
    {
        foreach ((FileName name, Inode? from, Inode? to) in TreeMerge.Children(level.From, level.To))
        {
            if (ReferenceEquals(from, to) && to!.Links <= 1)
                continue;
            bool isKept = from is not null && to is not null && plan.Keeps(from, to);
            if (from is not null && !isKept)
                writer.Remove(level, name, from);
            if (to is null)
                continue;
            if (to.IsDirectory)
            {
                if (!isKept)
                    InodeWriter.MakeDirectory(level, name);
                level.Add(name, isKept ? from : null, to);
            }
            else if (isKept)
                writer.Change(level, name, from!, to);
            else
                writer.Make(level, name, to);
        }
    }
}
