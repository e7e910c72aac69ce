using System.Diagnostics;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn.Cgroups;

/// <summary>Control groups that are a container's own, with all that it has made below.</summary>
internal static class CgroupTree
{
    // What systemd makes its units' groups in (man systemd.resource-control), so two of them must not meet there.
    private static readonly string[] OfInit = ["name=systemd", "cpu", "cpuacct", "memory", "pids", "blkio", "devices"];

    private const int FolderMode = 0x1ED /* 0755 */, CLONE_NEWCGROUP = 0x200_0000;

    /// <summary>A name that no other container has.</summary>
    public static string NewName() => $"layerbox-{Guid.NewGuid():N}";

    /// <summary>Writes the steps that make a group for a system's own init in each hierarchy and move the caller there.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="plan">Where the paths go.</param>
    /// <param name="steps">Where the steps go.</param>
    /// <param name="isRoot">From then on the group is the root of all that the caller sees of groups.</param>
    /// <param name="above">Groups that it has already been put into, by where their hierarchies are mounted.</param>
    /// <returns>The folders, to be removed afterwards.</returns>
    public static IReadOnlyList<string> Plan(string name, PlanWriter plan, StepList steps, bool isRoot, IReadOnlyDictionary<string, string>? above = null)
    {
        List<string> folders = [];
        foreach (CgroupHierarchy hierarchy in CgroupLayout.Own())
        {
            if (hierarchy.Version == 1 && !hierarchy.Controllers.Any(OfInit.Contains))
                continue;
            string folder = $"{above?.GetValueOrDefault(hierarchy.Mount) ?? hierarchy.Folder}/{name}";
            StepLabel label = new("control group", folder);
            steps.Do(label, KernelCalls.mkdirat, KernelCalls.AT_FDCWD, plan.Text(folder), FolderMode);
            Register file = steps.Get(label, KernelCalls.openat, KernelCalls.AT_FDCWD, plan.Text($"{folder}/cgroup.procs"), (int)(OpenFlags.WriteOnly | OpenFlags.CloseOnExec), 0);
            steps.Do(label, KernelCalls.write, file, plan.Text("0"), 1);
            steps.Do(label, KernelCalls.close, file);
            folders.Add(folder);
        }
        if (isRoot)
            steps.Do(new StepLabel("unshare", "control groups"), KernelCalls.unshare, CLONE_NEWCGROUP);
        return folders;
    }

    /// <summary>Removes the groups. A process that is just ending may keep one busy for a moment; what stays so is left.</summary>
    public static void Remove(IEnumerable<string> folders)
    {
        foreach (string folder in folders)
            Remove(folder);
    }

    private static void Remove(string folder)
    {
        TimeSpan patience = TimeSpan.FromSeconds(5);
        Stopwatch waited = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                Files.Remove(folder, isDirectory: true);
                return;
            }
            catch (PosixException e) when (e.Errno == Errno.ENOENT)
            {
                return;
            }
            catch (PosixException e) when (e.Errno is Errno.EBUSY or Errno.ENOTEMPTY && waited.Elapsed < patience)
            {
                RemoveBelow(folder);
                // EBUSY is also what a group with a process in it gives.
                Thread.Sleep(1);
            }
            catch (PosixException)
            {
                return;
            }
        }
    }

    private static void RemoveBelow(string folder)
    {
        const byte DT_DIR = 4;
        List<(byte[] Name, byte Type)> entries;
        try
        {
            using SafeFileHandle handle = Directories.Open(folder);
            entries = Directories.List(handle);
        }
        catch (PosixException)
        {
            return;
        }
        foreach ((byte[] name, byte type) in entries)
        {
            if (type == DT_DIR)
                Remove($"{folder}/{PathText.FromBytes(name)}");
        }
    }
}
