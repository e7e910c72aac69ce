using System.Globalization;
using Layerbox.Posix;

namespace Layerbox.Nspawn.Cgroups;

/// <summary>
/// Version 2 divides a group's controllers among its children only when no process is in the group itself ("no internal processes",
/// Documentation/admin-guide/cgroup-v2.rst). Whoever wants to limit children has to stand aside.
/// </summary>
internal static class CgroupDelegation
{
    private const string Advice = "start it in a group of its own, as with: systemd-run --scope -p Delegate=yes";

    /// <summary>Where we stand aside.</summary>
    internal const string OwnGroup = "layerbox";

    /// <summary>What has to be done before a group's children can be limited.</summary>
    public enum Need
    {
        Nothing,

        /// <summary>Say which controllers its children have.</summary>
        Enable,

        /// <summary>And before that move ourselves, the only process in it, into a child.</summary>
        StandAside,
    }

    /// <summary>What a group needs, by its files and who is in it.</summary>
    /// <exception cref="ContainerException">It cannot be divided.</exception>
    public static Need NeedOf(CgroupHierarchy hierarchy, IReadOnlyList<string> controllers, int ownId)
    {
        string folder = hierarchy.Folder;
        if (controllers.Except(Words("cgroup.subtree_control")).ToArray() is not { Length: > 0 } missing)
            return Need.Nothing;
        if (missing.Except(Words("cgroup.controllers")).FirstOrDefault() is { } absent)
            throw new ContainerException($"{folder}: this control group has no controller '{absent}': {Advice}");
        // The root of all has no type, and may have processes.
        if (!Files.Exists($"{folder}/cgroup.type"))
            return Need.Enable;
        string own = ownId.ToString(CultureInfo.InvariantCulture);
        string[] others = [.. CgroupSettings.Read($"{folder}/cgroup.procs").Split('\n').Where(id => id.Length > 0 && id != own)];
        return others.Length == 0
            ? Need.StandAside
            : throw new ContainerException($"{folder}: this control group has other processes too, so it cannot be divided to limit a container: {Advice}");

        string[] Words(string file) => CgroupSettings.Read($"{folder}/{file}").Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>The groups whose children are to be limited: ours, and in version 2 the one above where we, or whoever started us, stand aside already.</summary>
    public static IReadOnlyList<CgroupHierarchy> WithoutStandingAside(IReadOnlyList<CgroupHierarchy> own) => [.. own.Select(WithoutStandingAside)];

    private static CgroupHierarchy WithoutStandingAside(CgroupHierarchy own)
    {
        if (own.Version == 1 || !own.Folder.EndsWith($"/{OwnGroup}", StringComparison.Ordinal))
            return own;
        string above = own.Folder[..^(OwnGroup.Length + 1)];
        return CgroupSettings.Read($"{above}/cgroup.procs").Length == 0 ? own with { Folder = above } : own;
    }

    /// <summary>Sees to it that children of a group can be limited.</summary>
    /// <returns>The group.</returns>
    /// <exception cref="ContainerException">It cannot be divided, or we may not.</exception>
    public static string Prepare(CgroupHierarchy hierarchy, IReadOnlyList<string> controllers)
    {
        Need need = NeedOf(hierarchy, controllers, CurrentProcess.Id);
        try
        {
            if (need == Need.StandAside)
            {
                Directories.MakeAll($"{hierarchy.Folder}/{OwnGroup}");
                Write($"{hierarchy.Folder}/{OwnGroup}/cgroup.procs", "0");
            }
            if (need != Need.Nothing)
                Write($"{hierarchy.Folder}/cgroup.subtree_control", string.Join(' ', controllers.Select(controller => $"+{controller}")));
            return hierarchy.Folder;
        }
        catch (PosixException e)
        {
            throw new ContainerException($"{e.Message} (this control group cannot be divided to limit a container: {Advice})");
        }
    }

    private static void Write(string path, string text)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = Files.Open(path, OpenFlags.WriteOnly);
        Files.Write(file, PathText.ToBytes(text), path);
    }
}
