using Layerbox.Nspawn;
using Layerbox.Nspawn.Cgroups;
using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

/// <summary>Limits as files of both versions of control groups, against folders that look like theirs.</summary>
public class CgroupSettingsTests
{
    private const string MountInfo = """
        25 30 0:22 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
        26 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
        27 25 0:24 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
        28 25 0:25 /docker/1234 /sys/fs/cgroup/pids ro,relatime - cgroup cgroup rw,pids
        29 25 0:26 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw

        """;

    [Fact]
    public void Says_what_a_plain_user_needs_for_limits()
    {
        Assert.EndsWith(": make control group: Permission denied: limits need root, or a group of your own, as with: systemd-run --user --scope -p Delegate=yes",
            new StepLabel(StepLabel.MakeControlGroup, "/group").Explain(Errno.EACCES).Message, StringComparison.Ordinal);
        Assert.EndsWith(": make control group: No space left on device", new StepLabel(StepLabel.MakeControlGroup, "/group").Explain(Errno.ENOSPC).Message, StringComparison.Ordinal);
    }

    private static readonly ContainerLimits All = new()
    {
        Memory = 64 << 20,
        Swap = 1 << 20,
        Processes = 20,
        Processors = 1.5m,
        ProcessorSet = "0-1",
        DiskWeight = 50,
        Disks = [new DiskLimit(8, 16) { ReadBytes = 1000, Writes = 7 }],
    };

    [Fact]
    public void Finds_the_own_place_in_each_hierarchy_of_both_versions()
    {
        const string Own = "12:hugetlb:/\n4:memory:/process/a:b\n3:cpu,cpuacct:/\n2:pids:/docker/1234/sub\n1:name=systemd:/x\n0::/user.slice/session-1.scope\n";
        IReadOnlyList<CgroupHierarchy> layout = CgroupLayout.Parse(Own, Mounts.Parse(System.Text.Encoding.UTF8.GetBytes(MountInfo)));
        Assert.Equal(
            [
                "memory 1 /sys/fs/cgroup/memory/process/a:b", "cpu,cpuacct 1 /sys/fs/cgroup/cpu,cpuacct",
                "pids 1 /sys/fs/cgroup/pids/sub", " 2 /sys/fs/cgroup/unified/user.slice/session-1.scope",
            ],
            layout.Select(h => $"{string.Join(',', h.Controllers)} {h.Version} {h.Folder}"));
        // Outside of what is mounted here.
        Assert.Empty(CgroupLayout.Parse("0::/../other\n2:pids:/else\n", Mounts.Parse(System.Text.Encoding.UTF8.GetBytes(MountInfo))));
    }

    [Fact]
    public void Writes_version_2()
    {
        using TempFolder folder = new();
        CgroupHierarchy hierarchy = Make(folder, "cpuset cpu io memory hugetlb pids", "", ["memory.swap.max", "io.weight"]);
        CgroupGroup group = Assert.Single(CgroupSettings.Of(All, [hierarchy]));
        Assert.Equal(
            [
                "memory memory.max=67108864", "memory memory.swap.max=1048576", "pids pids.max=20", "cpu cpu.max=150000 100000", "cpuset cpuset.cpus=0-1",
                "io io.weight=default 50", "io io.max=8:16 rbps=1000 wiops=7",
            ],
            Lines(group));
    }

    [Fact]
    public void Writes_version_1_with_controllers_that_share_a_hierarchy()
    {
        using TempFolder folder = new();
        foreach (string name in (string[])["memory", "pids", "cpu", "cpuset", "blkio"])
            System.IO.Directory.CreateDirectory(folder / $"{name}/own");
        System.IO.File.WriteAllText(folder / "memory/own/memory.memsw.limit_in_bytes", "");
        System.IO.File.WriteAllText(folder / "cpuset/own/cpuset.mems", "0-1\n");
        System.IO.File.WriteAllText(folder / "blkio/own/blkio.weight", "");
        CgroupHierarchy[] layout =
        [
            Old("memory"), Old("pids"), Old("cpu", "cpuacct"), Old("cpuset"), Old("blkio"),
            // Both versions at once, where this one has nothing to limit with.
            Make(folder, "hugetlb", "", []),
        ];
        IReadOnlyList<CgroupGroup> groups = CgroupSettings.Of(All, layout);
        Assert.Equal(
            [
                "memory memory.limit_in_bytes=67108864", "memory memory.memsw.limit_in_bytes=68157440", "pids pids.max=20", "cpu cpu.cfs_period_us=100000",
                "cpu cpu.cfs_quota_us=150000", "cpuset cpuset.mems=0-1", "cpuset cpuset.cpus=0-1", "blkio blkio.weight=50",
                "blkio blkio.throttle.read_bps_device=8:16 1000", "blkio blkio.throttle.write_iops_device=8:16 7",
            ],
            groups.SelectMany(Lines));
        Assert.Equal(5, groups.Count);

        CgroupHierarchy Old(params string[] controllers) => new(controllers, 1, folder / controllers[0], folder / $"{controllers[0]}/own");
    }

    [Fact]
    public void Asks_for_nothing_where_nothing_is_limited()
    {
        using TempFolder folder = new();
        Assert.Empty(CgroupSettings.Of(ContainerLimits.None, [Make(folder, "memory pids", "", [])]));
        Assert.Empty(CgroupSettings.Of(ContainerLimits.None, []));
    }

    // Version 1 takes a zero for no limit, without a word.
    [Fact]
    public void Refuses_a_disk_limit_of_nothing()
    {
        foreach (DiskLimit disk in (DiskLimit[])[new(8, 0) { ReadBytes = 0 }, new(8, 0) { ReadBytes = 5, WriteBytes = 0 }, new(8, 0) { Reads = 0 }, new(8, 0) { Writes = 0 }])
            Assert.Equal("a limit of a disk has to be above zero", Assert.Throws<ContainerException>(new ContainerLimits { Disks = [new(8, 1) { Reads = 1 }, disk] }.Validate).Message);
        new ContainerLimits { Disks = [new(8, 0) { ReadBytes = 1, WriteBytes = 1, Reads = 1, Writes = 1 }, new(8, 1)] }.Validate();
    }

    [Fact]
    public void Refuses_what_no_hierarchy_can_keep()
    {
        using TempFolder folder = new();
        CgroupHierarchy hierarchy = Make(folder, "cpu memory", "", []);
        Assert.Equal("a limit of processes cannot be kept: there is no control group with the controller 'pids' here (see /proc/self/cgroup)", Trouble(new() { Processes = 5 }));
        Assert.Equal($"a limit of swap cannot be kept: there is no {hierarchy.Folder}/memory.swap.max", Trouble(new() { Memory = 1 << 20, Swap = 0 }));

        string Trouble(ContainerLimits limits) => Assert.Throws<ContainerException>(() => CgroupSettings.Of(limits, [hierarchy])).Message;
    }

    [Theory]
    [InlineData("memory pids", "memory pids", "1\n77\n", "Nothing")]
    [InlineData("memory pids", "", "77\n", "StandAside")]
    [InlineData("memory pids", "memory", "", "StandAside")]
    public void Knows_how_a_group_of_version_2_comes_to_limit_its_children(string has, string gives, string processes, string need)
    {
        using TempFolder folder = new();
        CgroupHierarchy hierarchy = Make(folder, has, gives, ["cgroup.type"]);
        System.IO.File.WriteAllText($"{hierarchy.Folder}/cgroup.procs", processes);
        Assert.Equal(need, CgroupDelegation.NeedOf(hierarchy, ["memory", "pids"], 77).ToString());
        System.IO.File.Delete($"{hierarchy.Folder}/cgroup.type");
        Assert.Equal(need == "Nothing" ? "Nothing" : "Enable", CgroupDelegation.NeedOf(hierarchy, ["memory", "pids"], 77).ToString());
    }

    [Theory]
    [InlineData("", "unified/own")]
    [InlineData("77\n", "unified/own/layerbox")]
    public void Divides_the_group_above_where_one_has_stood_aside(string processes, string divided)
    {
        using TempFolder folder = new();
        CgroupHierarchy above = Make(folder, "memory pids", "memory", ["cgroup.type"]), own = above with { Folder = $"{above.Folder}/layerbox" };
        System.IO.File.WriteAllText($"{above.Folder}/cgroup.procs", processes);
        CgroupHierarchy first = new(["memory"], 1, "/old", "/old/layerbox");
        Assert.Equal([first, above with { Folder = folder / divided }], CgroupDelegation.WithoutStandingAside([first, own]));
        Assert.Equal([above], CgroupDelegation.WithoutStandingAside([above]));
    }

    [Fact]
    public void Says_what_to_do_when_a_group_of_version_2_cannot_be_divided()
    {
        using TempFolder folder = new();
        CgroupHierarchy hierarchy = Make(folder, "memory", "", ["cgroup.type"]);
        System.IO.File.WriteAllText($"{hierarchy.Folder}/cgroup.procs", "77\n78\n");
        const string Advice = "start it in a group of its own, as with: systemd-run --scope -p Delegate=yes";
        Assert.Equal($"{hierarchy.Folder}: this control group has other processes too, so it cannot be divided to limit a container: {Advice}",
            Assert.Throws<ContainerException>(() => CgroupDelegation.NeedOf(hierarchy, ["memory"], 77)).Message);
        Assert.Equal($"{hierarchy.Folder}: this control group has no controller 'pids': {Advice}",
            Assert.Throws<ContainerException>(() => CgroupDelegation.NeedOf(hierarchy, ["memory", "pids"], 77)).Message);
    }

    [Theory]
    [InlineData("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", false)]
    [InlineData("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", true)]
    [InlineData("low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 0\n", true)]
    [InlineData("low 0\nhigh 0\nmax 9\noom 1\noom_kill 0\noom_group_kill 0\n", false)]
    public void Reads_whether_somebody_was_killed_for_want_of_memory(string text, bool expected) =>
        Assert.Equal(expected, OutOfMemoryWatch.SaysThatSomebodyWasKilled(text));

    private static IEnumerable<string> Lines(CgroupGroup group) => group.Settings.Select(s => $"{s.Controller} {s.File}={s.Text}");

    private static CgroupHierarchy Make(TempFolder folder, string has, string gives, string[] files)
    {
        string own = folder / "unified/own";
        System.IO.Directory.CreateDirectory(own);
        System.IO.File.WriteAllText($"{own}/cgroup.controllers", has + "\n");
        System.IO.File.WriteAllText($"{own}/cgroup.subtree_control", gives + "\n");
        foreach (string file in files)
            System.IO.File.WriteAllText($"{own}/{file}", "");
        return new CgroupHierarchy([], 2, folder / "unified", own);
    }
}
