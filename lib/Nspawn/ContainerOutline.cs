using Layerbox.Nspawn.Cgroups;

namespace Layerbox.Nspawn;

/// <summary>A mount of a container, in the order in which they are made.</summary>
/// <param name="Destination">Where, inside.</param>
/// <param name="Type">The filesystem; "bind" for a file or folder of the host.</param>
/// <param name="Source">What is bound; null for a filesystem.</param>
/// <param name="Options">Attributes and the filesystem's own options.</param>
public sealed record PlannedMount(string Destination, string Type, string? Source, IReadOnlyList<string> Options);

/// <summary>A file of a control group that limits a container.</summary>
/// <param name="Group">The group of ours that the container's becomes a child of.</param>
/// <param name="File">The file in it.</param>
/// <param name="Text">What is written there.</param>
public sealed record PlannedLimit(string Group, string File, string Text);

/// <summary>The init of a system that boots.</summary>
/// <param name="Inits">Where it may be: the first that is there.</param>
/// <param name="Arguments">What it is started with.</param>
/// <param name="Environment">Its own, which commands that are entered do not have.</param>
public sealed record PlannedBoot(IReadOnlyList<string> Inits, IReadOnlyList<string> Arguments, IReadOnlyList<string> Environment);

/// <summary>What an engine would make of a description, without making it.</summary>
/// <param name="Mounts">What the command would find mounted; of another program's making only what it is told to.</param>
/// <param name="Namespaces">What would not be shared with the host.</param>
/// <param name="Capabilities">Of root inside.</param>
/// <param name="RefusedCalls">System calls that the filter would refuse; empty without a filter.</param>
/// <param name="IgnoredCalls">System calls that would succeed without being done.</param>
/// <param name="ResourceLimits">Of each process.</param>
/// <param name="Limits">Of all processes together.</param>
/// <param name="Program">The command line of the program that would make it; null: none.</param>
public sealed record ContainerOutline(
    IReadOnlyList<PlannedMount> Mounts, IReadOnlyList<string> Namespaces, IReadOnlyList<string> Capabilities, IReadOnlyList<string> RefusedCalls,
    IReadOnlyList<string> IgnoredCalls, IReadOnlyList<ResourceLimit> ResourceLimits, IReadOnlyList<PlannedLimit> Limits, IReadOnlyList<string>? Program)
{
    /// <summary>What is process 1; null: layerbox itself.</summary>
    public PlannedBoot? Boot { get; init; }

    internal static ContainerOutline Of(ContainerSpec spec, IReadOnlyList<PlannedMount> mounts, IReadOnlyList<string>? program)
    {
        IReadOnlyList<string> capabilities = ContainerCapabilities.Of(spec);
        string[] namespaces = spec.Users is null ? ["cgroup", "ipc", "mount", "pid", "uts"] : ["cgroup", "ipc", "mount", "pid", "user", "uts"];
        return new ContainerOutline(
            mounts,
            spec.Network == ContainerNetwork.None ? [.. namespaces.Append("network").Order(StringComparer.Ordinal)] : namespaces,
            capabilities,
            spec.SystemCallFilter ? [.. SeccompFilter.RefusedCalls([.. capabilities]).Order(StringComparer.Ordinal)] : [],
            [.. SeccompFilter.IgnoredCalls(spec)],
            EnterSteps.LimitsOf(spec),
            spec.Limits.IsNone ? [] : [.. CgroupSettings.Of(spec.Limits, CgroupLayout.Own()).SelectMany(group => group.Settings.Select(s => new PlannedLimit(group.Hierarchy.Folder, s.File, s.Text)))],
            program);
    }
}
