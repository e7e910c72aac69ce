using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn.Cgroups;

/// <summary>
/// A container's own control groups as steps: made and joined by process 1 before it does anything else, removed by the launcher (see <see cref="CgroupTree"/>). They are children of
/// our own groups, so what holds for us holds for the container.
/// </summary>
/// <param name="plan">Where texts go.</param>
/// <param name="setup">What process 1 does.</param>
/// <param name="outer">What is done for it from outside, which is to make the groups; null: it does so itself.</param>
internal sealed class CgroupSteps(PlanWriter plan, StepList setup, StepList? outer = null)
{
    private const int FolderMode = 0x1ED /* 0755 */, CLONE_NEWCGROUP = 0x200_0000;

    /// <summary>Tells whether somebody was killed for want of memory.</summary>
    public OutOfMemoryWatch OutOfMemory { get; private set; } = new(null, 0);

    /// <summary>The groups that were made, by where their hierarchies are mounted.</summary>
    public Dictionary<string, string> Folders { get; } = new(StringComparer.Ordinal);

    /// <param name="limits">What is to be limited.</param>
    /// <param name="isRoot">From then on the groups are the root of all that process 1 sees of groups.</param>
    /// <exception cref="ContainerException">One of our groups cannot be divided, or has no such limit.</exception>
    public void Add(ContainerLimits limits, bool isRoot = true)
    {
        if (limits.IsNone)
            return;
        string name = CgroupTree.NewName();
        foreach (CgroupGroup group in CgroupSettings.Of(limits, CgroupDelegation.WithoutStandingAside(CgroupLayout.Own())))
        {
            CgroupHierarchy hierarchy = group.Hierarchy;
            string above = hierarchy.Version == 1 ? hierarchy.Folder : CgroupDelegation.Prepare(hierarchy, [.. group.Settings.Select(setting => setting.Controller).Distinct()]);
            string folder = $"{above}/{name}";
            Folders[hierarchy.Mount] = folder;
            Makers.Do(new StepLabel(StepLabel.MakeControlGroup, folder), mkdirat, AT_FDCWD, plan.Text(folder), FolderMode);
            foreach (CgroupSetting setting in group.Settings)
                Write($"{folder}/{setting.File}", $"write '{setting.Text}'", setting.Text);
            if (group.Settings.Any(setting => setting.Controller == "memory"))
                OutOfMemory = new OutOfMemoryWatch(folder, hierarchy.Version);
        }
        // When all are made: who has joined a group may lack the memory for another.
        foreach (string folder in Folders.Values)
        {
            StepArgument who = outer is null ? plan.Text("0") : plan.Process1;
            Write($"{folder}/cgroup.procs", "join control group", who, outer is null ? 1 : OuterSteps.NumberLength);
        }
        if (isRoot)
            setup.Do(new StepLabel("unshare", "control groups"), unshare, CLONE_NEWCGROUP);
    }

    private StepList Makers => outer ?? setup;

    private void Write(string path, string what, string text) => Write(path, what, plan.Text(text), PathText.ToBytes(text).Length);

    private void Write(string path, string what, StepArgument text, int length)
    {
        StepLabel label = new(what, path);
        Register file = Makers.Get(label, openat, AT_FDCWD, plan.Text(path), (int)(OpenFlags.WriteOnly | OpenFlags.CloseOnExec));
        Makers.Do(label, write, file, text, length);
        Makers.Close(file);
    }
}
