using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer.Rpms;

/// <summary>
/// Lets dnf install and remove a layer's packages in its subvolume, in one transaction, and takes away what tells of when and how that was done: two layers of the
/// same packages are the same.
/// </summary>
internal sealed class RpmPhase(string subvolume, CompileOptions options)
{
    /// <summary>Beside the subvolume, while dnf works.</summary>
    private const string WorkName = "rpms";

    /// <summary>What is a trace of the work, or can be made anew from the rest; some of it has the time or inode numbers in it.</summary>
    private static readonly string[] Traces =
    [
        "var/cache/ldconfig/aux-cache", "var/log/dnf.log", "var/log/dnf.librepo.log", "var/log/dnf.rpm.log", "var/log/hawkey.log", "var/lib/dnf", "var/cache/dnf",
        "etc/dnf/modules.d", "etc/dnf",
    ];

    private static readonly FileName s_databaseName = new("rpmdb.sqlite");

    private static readonly string[] DatabaseTraces = [".rpm.lock", "rpmdb.sqlite-shm", "rpmdb.sqlite-wal"];

    /// <summary>Makes room on the volume; may be null.</summary>
    public Volume? Volume { get; init; }

    /// <returns>The state of the disk, the state that the layer is to have, and what is installed.</returns>
    public (Tree OnDisk, Tree Wanted, IReadOnlyList<RpmRecord> Packages) Run(
        RpmTransaction transaction, IReadOnlyList<RpmItem> items, LayerDraft draft, Tree onDisk, string layer, IReadOnlyList<RpmRecord> known)
    {
        RootfsWriter.Apply(subvolume, onDisk, draft.Tree);
        DiskChange change = new(subvolume, draft);
        string work = Path.Combine(Path.GetDirectoryName(subvolume)!, WorkName);
        Directories.MakeAll(work);
        try
        {
            TreePath? there = DatabaseOf(draft.Tree, transaction.Known.Count > 0);
            TreePath database = transaction.Source.Database ?? there ?? RpmSource.DefaultDatabase;
            if (there is not null && !there.Equals(draft.Tree.Resolve(database, followLast: true)))
                throw items[0].Error($"'dbpath' is {database}, but the parent has its rpm database in {there}");
            DnfOutcome outcome = Execute(transaction, items, work, database, draft);
            Dictionary<string, (RpmPath File, string Nevra)> owners = OwnersOf(outcome);
            RemoveTraces(draft, database, owners);
            (Tree after, Tree wanted) = change.Settle(items[0], path => OriginOf(path, owners, items));
            return (after, wanted, RecordsOf(outcome, transaction, layer, known));
        }
        finally
        {
            Directories.RemoveAll(work);
        }
    }

    /// <summary>Where an image has its rpm database; null: nowhere that we know.</summary>
    /// <param name="tree">The image.</param>
    /// <param name="isListed">Whether there is a list of what it holds, which we made: then it can be anywhere. Else that may be one of an image within the image.</param>
    public static TreePath? DatabaseOf(Tree tree, bool isListed)
    {
        foreach (string place in (string[])["usr/lib/sysimage/rpm", "var/lib/rpm"])
        {
            TreePath path = tree.Resolve(TreePath.Parse(place), followLast: true);
            if (tree.Find(path.Append(s_databaseName)) is { Kind: FileKind.File })
                return path;
        }
        return isListed && DatabasesIn(tree) is [var only] ? only.Path.Parent : null;
    }

    /// <summary>All rpm databases, wherever they are, and what is in them.</summary>
    public static IReadOnlyList<(TreePath Path, FileContent Content)> DatabasesIn(Tree tree) =>
        [.. tree.Walk().Where(entry => entry.Value.Kind == FileKind.File && !entry.Key.IsRoot && entry.Key.Name.Equals(s_databaseName)).Select(entry => (entry.Key, entry.Value.Content!))];

    private DnfOutcome Execute(RpmTransaction transaction, IReadOnlyList<RpmItem> items, string work, TreePath database, LayerDraft draft)
    {
        try
        {
            using DnfRoot root = new(subvolume);
            DnfOutcome outcome = transaction.Run(subvolume, isReadOnly: false, work, root, database, steps =>
            {
                // Packages say of themselves how large they are: the sum may be more than there are numbers.
                Volume?.MakeRoom((long)Math.Min(steps.Sum(step => (double)step.InstalledSize + step.Size) * 1.25, 1L << 60));
                return true;
            }, options.Cancellation);
            Dictionary<string, RpmPath> folders = [];
            foreach (RpmPath file in outcome.Installed.SelectMany(rpm => rpm.Files))
                if (file.Path.AsSpan() is var path && (path.SequenceEqual("/dev"u8) || path.SequenceEqual("/proc"u8)))
                    folders[PathText.FromBytes(file.Path)] = file;
            root.Finish(path => folders.TryGetValue(path, out RpmPath file) ? file : null);
            return outcome;
        }
        catch (Exception e) when (e is DnfException or ContainerException)
        {
            throw Culprit(items, e.Message).Error(e.Message);
        }
    }

    // Of several items the one that the message speaks of.
    private static RpmItem Culprit(IReadOnlyList<RpmItem> items, string message) =>
        items.FirstOrDefault(item => item.Names.Any(name => message.Contains($"'{name}'", StringComparison.Ordinal))
            || (item is RpmsInstallItem { File: { } file } && message.StartsWith(file.Name, StringComparison.Ordinal))) ?? items[0];

    // By where a path really is: packages know /bin/sh, the image has bin as a link to usr/bin.
    private Dictionary<string, (RpmPath File, string Nevra)> OwnersOf(DnfOutcome outcome)
    {
        Dictionary<string, (RpmPath, string)> owners = new(StringComparer.Ordinal);
        Dictionary<string, string> folders = new(StringComparer.Ordinal);
        using SafeFileHandle root = Directories.Open(subvolume);
        Tree links = RootfsReader.Read(subvolume);
        foreach (DatabaseRpm rpm in outcome.Installed)
            foreach (RpmPath file in rpm.Files)
            {
                string path = PathText.FromBytes(file.Path);
                int slash = path.LastIndexOf('/');
                string folder = path[..slash];
                if (!folders.TryGetValue(folder, out string? real))
                    folders[folder] = real = links.Resolve(TreePath.Parse(PathText.ToBytes($"/{folder}")), followLast: true).ToString();
                string name = path[(slash + 1)..];
                owners[real == "/" ? $"/{name}" : $"{real}/{name}"] = (file, rpm.Nevra);
            }
        return owners;
    }

    private static PathOrigin OriginOf(TreePath path, Dictionary<string, (RpmPath File, string Nevra)> owners, IReadOnlyList<RpmItem> items) =>
        owners.TryGetValue(path.ToString(), out (RpmPath File, string Nevra) owner)
            ? new PathOrigin($"rpm {owner.Nevra}", owner.File.Time)
            : new PathOrigin(items.Count == 1 ? items[0].Label : "rpms");

    private void RemoveTraces(LayerDraft draft, TreePath database, Dictionary<string, (RpmPath File, string Nevra)> owners)
    {
        using SafeFileHandle root = Directories.Open(subvolume);
        foreach (string trace in (string[])[.. DatabaseTraces.Select(name => $"{database.ToString()[1..]}/{name}"), .. Traces])
        {
            int slash = trace.LastIndexOf('/');
            if (owners.ContainsKey($"/{trace}") || Directories.TryOpenInRoot(root, PathText.ToBytes(trace[..slash]), OpenFlags.ReadOnly | OpenFlags.Directory) is not { } folder)
                continue;
            using (folder)
                Remove(folder, PathText.ToBytes(trace[(slash + 1)..]), draft.Tree.Find(TreePath.Parse(trace)) is not null);
        }
        EmptyMachineId(root, draft);
    }

    // A folder only when nothing is in it, and the parent did not have it.
    private static void Remove(SafeFileHandle folder, byte[] name, bool isOld)
    {
        if (Files.TryStatus(folder, name) is not { } found)
            return;
        if (!found.IsDirectory)
        {
            Files.Remove(folder, name);
            return;
        }
        if (isOld)
            return;
        using (SafeFileHandle below = Directories.Open(folder, name))
            if (Directories.List(below).Count > 0)
                return;
        Files.Remove(folder, name, isDirectory: true);
    }

    // Who starts the image gets an identity of his own (machine-id(5)).
    private static void EmptyMachineId(SafeFileHandle root, LayerDraft draft)
    {
        TreePath path = TreePath.Parse("etc/machine-id");
        if (Directories.TryOpenInRoot(root, path.ToBytes(), OpenFlags.PathOnly | OpenFlags.NoFollow) is not { } found)
            return;
        using (found)
            if (!Files.Status(found).IsRegular || Files.Status(found).Size == 0 || draft.Tree.Find(path) is { Kind: FileKind.File, Content.Size: > 0 })
                return;
        using SafeFileHandle file = Directories.OpenInRoot(root, path.ToBytes(), OpenFlags.WriteOnly | OpenFlags.NoFollow);
        Files.Truncate(file, 0);
    }

    private static List<RpmRecord> RecordsOf(DnfOutcome outcome, RpmTransaction transaction, string layer, IReadOnlyList<RpmRecord> known)
    {
        Dictionary<string, RpmStep> came = outcome.Steps.Where(step => step.Comes).DistinctBy(step => step.Nevra).ToDictionary(step => step.Nevra, StringComparer.Ordinal);
        Dictionary<(string, string?), RpmRecord> old = known.DistinctBy(rpm => (rpm.Nevra, rpm.HeaderDigest)).ToDictionary(rpm => (rpm.Nevra, rpm.HeaderDigest));
        List<RpmRecord> records = [];
        foreach (DatabaseRpm rpm in outcome.Installed)
        {
            string? header = rpm.HeaderDigest.Length > 0 ? $"sha256:{rpm.HeaderDigest}" : null, sourceRpm = rpm.SourceRpm.Length > 0 ? rpm.SourceRpm : null;
            if (came.TryGetValue(rpm.Nevra, out RpmStep? step))
                records.Add(new RpmRecord(rpm.Nevra, transaction.DigestOf(step), header, sourceRpm, step.Repo is null ? null : transaction.Source.Snapshot?.Id, step.Repo, step.Location, step.Reason, layer));
            else
                records.Add(old.GetValueOrDefault((rpm.Nevra, header)) ?? new RpmRecord(rpm.Nevra, null, header, sourceRpm));
        }
        return records;
    }
}
