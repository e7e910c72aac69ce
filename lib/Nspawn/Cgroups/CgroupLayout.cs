using Layerbox.Posix;

namespace Layerbox.Nspawn.Cgroups;

/// <summary>One hierarchy of control groups and a process's place in it.</summary>
/// <param name="Controllers">What it divides: "memory", "cpu"; "name=systemd" is one that only sorts; empty for version 2, where files say.</param>
/// <param name="Version">1 or 2 (cgroups(7)).</param>
/// <param name="Mount">Where the hierarchy is mounted here.</param>
/// <param name="Folder">The process's group in it, as a folder here.</param>
internal sealed record CgroupHierarchy(IReadOnlyList<string> Controllers, int Version, string Mount, string Folder);

/// <summary>Which hierarchies of control groups can be reached here. A machine may have both versions at once.</summary>
internal static class CgroupLayout
{
    /// <summary>Of this process.</summary>
    public static IReadOnlyList<CgroupHierarchy> Own() => Of("self");

    /// <summary>Of a process. A hierarchy that is not mounted, or in which it is outside of what is mounted, is left out; without a /proc all are.</summary>
    public static IReadOnlyList<CgroupHierarchy> Of(string process)
    {
        try
        {
            return Parse(PathText.FromBytes(WholeFile.Read($"/proc/{process}/cgroup")), Mounts.List());
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ESRCH)
        {
            return [];
        }
    }

    /// <summary>Whether both processes are in the same groups, which the text alone tells.</summary>
    public static bool AreTheSame(string process, string other)
    {
        try
        {
            return WholeFile.Read($"/proc/{process}/cgroup").AsSpan().SequenceEqual(WholeFile.Read($"/proc/{other}/cgroup"));
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ESRCH)
        {
            return false;
        }
    }

    /// <summary>What the text of /proc/PID/cgroup means with these mounts: lines of "id:controllers:path", where version 2 has no controllers.</summary>
    public static IReadOnlyList<CgroupHierarchy> Parse(string text, IEnumerable<Mount> mounts)
    {
        List<Mount> groups = [.. mounts.Where(mount => mount.Type is "cgroup" or "cgroup2")];
        List<CgroupHierarchy> found = [];
        foreach (string[] fields in text.Split('\n').Select(line => line.Split(':', 3)).Where(fields => fields.Length == 3))
        {
            string[] controllers = fields[1].Split(',', StringSplitOptions.RemoveEmptyEntries);
            // The last mount at a point is the one that is seen, and any of several places will do.
            Mount? mount = groups.LastOrDefault(mount => controllers.Length == 0 ? mount.Type == "cgroup2" : mount.Type == "cgroup" && controllers.All(mount.SuperOptions.Contains));
            if (mount is not null && Below(mount.Root, fields[2]) is { } below)
                found.Add(new CgroupHierarchy(controllers, controllers.Length == 0 ? 2 : 1, mount.Point, (mount.Point + below).TrimEnd('/')));
        }
        return found;
    }

    private static string? Below(string root, string path)
    {
        if (root == "/")
            return path.StartsWith("/..", StringComparison.Ordinal) ? null : path;
        return path == root ? "" : path.StartsWith(root + "/", StringComparison.Ordinal) ? path[root.Length..] : null;
    }
}
