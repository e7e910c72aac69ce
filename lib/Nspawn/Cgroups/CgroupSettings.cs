using System.Globalization;
using Layerbox.Posix;

namespace Layerbox.Nspawn.Cgroups;

/// <summary>What is written into one file of a container's group.</summary>
/// <param name="Controller">The controller that has the file.</param>
/// <param name="File">Its name.</param>
/// <param name="Text">What limits.</param>
internal sealed record CgroupSetting(string Controller, string File, string Text);

/// <summary>A container's group in one hierarchy, and what is written there before a process joins.</summary>
internal sealed record CgroupGroup(CgroupHierarchy Hierarchy, IReadOnlyList<CgroupSetting> Settings);

/// <summary>
/// The limits of a container as files of control groups, which are other ones in both versions
/// (Documentation/admin-guide/cgroup-v1, Documentation/admin-guide/cgroup-v2.rst).
/// </summary>
internal static class CgroupSettings
{
    // Microseconds in which the processors' time is dealt out: the kernel's default, and the least that a group can be given of it.
    private const int Period = 100_000, QuotaMin = 1000;

    /// <summary>Finds for each limit the hierarchy that keeps it.</summary>
    /// <exception cref="ContainerException">None can keep it.</exception>
    public static IReadOnlyList<CgroupGroup> Of(ContainerLimits limits, IReadOnlyList<CgroupHierarchy> layout)
    {
        List<(CgroupHierarchy Hierarchy, CgroupSetting Setting)> found = [];
        Find("memory", "memory", Memory);
        Find("pids", "processes", (_, _) => limits.Processes is { } count ? [("pids.max", Text(count))] : []);
        Find("cpu", "processors", Processors);
        Find("cpuset", "the set of processors", ProcessorSet);
        if (limits.DiskWeight is not null || limits.Disks.Count > 0)
            Find(layout.Any(h => h.Controllers.Contains("blkio")) ? "blkio" : "io", "disk time", Disks);
        return [.. found.GroupBy(pair => pair.Hierarchy).Select(group => new CgroupGroup(group.Key, [.. group.Select(pair => pair.Setting)]))];

        void Find(string controller, string what, Func<int, CgroupHierarchy?, IEnumerable<(string File, string Text)>> settings)
        {
            // Whether anything is asked for does not depend on the version.
            CgroupHierarchy? hierarchy = layout.FirstOrDefault(h => h.Controllers.Contains(controller)) ?? layout.FirstOrDefault(h => h.Version == 2 && Has(h, controller));
            if (hierarchy is null && settings(2, null).Any())
                throw new ContainerException($"a limit of {what} cannot be kept: there is no control group with the controller '{controller}' here (see /proc/self/cgroup)");
            if (hierarchy is not null)
                found.AddRange(settings(hierarchy.Version, hierarchy).Select(s => (hierarchy, new CgroupSetting(controller, s.File, s.Text))));
        }

        IEnumerable<(string, string)> Memory(int version, CgroupHierarchy? hierarchy)
        {
            if (limits.Memory is not { } memory)
                yield break;
            yield return (version == 1 ? "memory.limit_in_bytes" : "memory.max", Text(memory));
            if (limits.Swap is not { } swap)
                yield break;
            // Version 1 counts both together.
            (string file, long value) = version == 1 ? ("memory.memsw.limit_in_bytes", checked(memory + swap)) : ("memory.swap.max", swap);
            Require(hierarchy, file, "swap");
            yield return (file, Text(value));
        }

        IEnumerable<(string, string)> Processors(int version, CgroupHierarchy? hierarchy)
        {
            if (limits.Processors is not { } count)
                yield break;
            string quota = Text(Math.Max((long)(count * Period), QuotaMin));
            if (version == 2)
            {
                yield return ("cpu.max", $"{quota} {Text(Period)}");
                yield break;
            }
            yield return ("cpu.cfs_period_us", Text(Period));
            yield return ("cpu.cfs_quota_us", quota);
        }

        IEnumerable<(string, string)> ProcessorSet(int version, CgroupHierarchy? hierarchy)
        {
            if (limits.ProcessorSet is not { } set)
                yield break;
            // In version 1 a new group has neither processors nor memory nodes, and nothing can join it.
            if (version == 1)
                yield return ("cpuset.mems", hierarchy is not null && Read($"{hierarchy.Folder}/cpuset.mems") is { Length: > 0 } nodes ? nodes : "0");
            yield return ("cpuset.cpus", set);
        }

        IEnumerable<(string, string)> Disks(int version, CgroupHierarchy? hierarchy)
        {
            if (limits.DiskWeight is { } weight)
            {
                string[] files = version == 1 ? ["blkio.bfq.weight", "blkio.weight"] : ["io.bfq.weight", "io.weight"];
                string file = files.FirstOrDefault(file => hierarchy is not null && IsThere(hierarchy.Folder, file)) ?? files[0];
                Require(hierarchy, file, "a share of disk time (it takes the bfq scheduler or the io cost controller)");
                yield return (file, version == 1 ? Text(weight) : $"default {Text(weight)}");
            }
            foreach (DiskLimit disk in limits.Disks)
            {
                string device = string.Create(CultureInfo.InvariantCulture, $"{disk.Major}:{disk.Minor}");
                (string Old, string New, long? Value)[] values =
                [
                    ("read_bps", "rbps", disk.ReadBytes), ("write_bps", "wbps", disk.WriteBytes), ("read_iops", "riops", disk.Reads), ("write_iops", "wiops", disk.Writes),
                ];
                if (version == 2)
                    yield return ("io.max", $"{device} {string.Join(' ', values.Where(v => v.Value is not null).Select(v => $"{v.New}={Text(v.Value!.Value)}"))}");
                else
                {
                    foreach ((string old, _, long? value) in values.Where(v => v.Value is not null))
                        yield return ($"blkio.throttle.{old}_device", $"{device} {Text(value!.Value)}");
                }
            }
        }
    }

    // A group's own folder has the files that a new one below it will have; the root of a hierarchy has not all of them.
    private static void Require(CgroupHierarchy? hierarchy, string file, string what)
    {
        if (hierarchy is not null && hierarchy.Folder != hierarchy.Mount && !IsThere(hierarchy.Folder, file))
            throw new ContainerException($"a limit of {what} cannot be kept: there is no {hierarchy.Folder}/{file}");
    }

    private static bool IsThere(string folder, string file) => Files.Exists($"{folder}/{file}");

    private static bool Has(CgroupHierarchy hierarchy, string controller) => Read($"{hierarchy.Folder}/cgroup.controllers").Split(' ').Contains(controller);

    internal static string Read(string path)
    {
        try
        {
            return PathText.FromBytes(WholeFile.Read(path)).Trim();
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return "";
        }
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
