using System.Text.Json.Nodes;
using Layerbox.Cmd.Containers;
using Layerbox.Nspawn;

namespace Layerbox.Tests.Cmd;

/// <summary>config.json of OCI bundles: what is taken over, and what is refused by its name.</summary>
public class OciBundleTests
{
    private const string Minimal = """
        {
          "ociVersion": "1.0.2",
          "process": {"args": ["sh", "-c", "id"], "cwd": "/"},
          "root": {"path": "rootfs"},
          "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]}
        }
        """;

    private const string Full = """
        {
          "ociVersion": "1.1.0", "hostname": "web", "annotations": {"a": "b"},
          "process": {
            "args": ["id"], "cwd": "/srv", "env": ["A=1", "B="], "terminal": false, "noNewPrivileges": true, "oomScoreAdj": 100,
            "user": {"uid": 33, "gid": 34, "additionalGids": [4, 5], "umask": 23},
            "capabilities": {"bounding": ["CAP_KILL", "CAP_CHOWN"], "effective": [], "permitted": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 18446744073709551615}]
          },
          "root": {"path": "/abs/root", "readonly": true},
          "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
            {"destination": "/data", "type": "bind", "source": "data", "options": ["rbind", "ro", "rprivate"]},
            {"destination": "/one", "source": "/host/one", "options": ["bind"]},
            {"destination": "/mem", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=755"]}
          ],
          "linux": {
            "namespaces": [{"type": "pid"}, {"type": "mount", "path": ""}, {"type": "ipc"}, {"type": "uts"}, {"type": "cgroup"}],
            "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"], "cgroupsPath": "/x", "rootfsPropagation": "rprivate",
            "devices": [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3}], "sysctl": {}, "uidMappings": [],
            "resources": {
              "devices": [{"allow": false, "access": "rwm"}],
              "memory": {"limit": 1000000, "swap": 1500000}, "pids": {"limit": 50}, "cpu": {"quota": 150000, "period": 100000, "cpus": "0-1"},
              "blockIO": {"weight": 20, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}], "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 7}], "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 0}]}
            }
          }
        }
        """;

    [Fact]
    public void Takes_over_what_a_container_can_have()
    {
        using TempFolder folder = new();
        ContainerSpec spec = Read(folder, Full);
        Assert.Equal(("/abs/root", "web", "/srv", true, true), (spec.Root, spec.HostName, spec.WorkingDirectory, spec.ReadOnly, spec.NoNewPrivileges));
        Assert.Equal(["A=1", "B="], spec.Environment);
        Assert.Equal((33u, 34u, 23u, 100), (spec.User.Uid, spec.User.Gid, spec.Umask, spec.OutOfMemoryScore));
        Assert.Equal([4u, 5u], spec.User.Groups);
        Assert.Equal(["CAP_CHOWN", "CAP_KILL"], ContainerCapabilities.Of(spec));
        Assert.Equal(["CAP_KILL"], spec.AmbientCapabilities);
        Assert.Equal([new ResourceLimit("NOFILE", 10, ResourceLimit.Unlimited)], spec.ResourceLimits);
        Assert.Equal([new ContainerBind(folder / "data", "/data", ReadOnly: true), new ContainerBind("/host/one", "/one", ReadOnly: false) { IsRecursive = false }], spec.Binds);
        Assert.Equal(["/mem", "/proc/kcore", "/proc/sys", "/dev/null"], [.. spec.Tmpfs, .. spec.Masks, .. spec.ReadOnlyPaths, .. spec.Devices]);
        Assert.Equal(ContainerNetwork.Host, spec.Network);
        Assert.Equal((1_000_000, 500_000, 50, 1.5m, "0-1", 20), (spec.Limits.Memory, spec.Limits.Swap, spec.Limits.Processes, spec.Limits.Processors, spec.Limits.ProcessorSet, spec.Limits.DiskWeight));
        Assert.Equal([new DiskLimit(8, 0) { ReadBytes = 600, Writes = 7 }], spec.Limits.Disks);
    }

    [Fact]
    public void Gives_nothing_that_was_not_said()
    {
        using TempFolder folder = new();
        ContainerSpec spec = Read(folder, Minimal);
        Assert.Equal((folder / "rootfs", ContainerNetwork.None), (spec.Root, spec.Network));
        Assert.Empty(spec.Environment!);
        Assert.Empty(ContainerCapabilities.Of(spec));
        Assert.True(spec.Limits.IsNone);
    }

    [Theory]
    [InlineData("ociVersion", "\"2.0.0\"", "ociVersion: only version 1 is known")]
    [InlineData("hooks", "{\"prestart\": []}", "hooks: is not supported")]
    [InlineData("process.terminal", "1", "process.terminal: expected true or false, found number")]
    [InlineData("process.apparmorProfile", "\"x\"", "process.apparmorProfile: is not supported")]
    [InlineData("process.user", "{\"uid\": 0, \"gid\": 0, \"username\": \"x\"}", "process.user.username: is not supported")]
    [InlineData("process.args", "\"id\"", "process.args: expected an array, found string")]
    [InlineData("process.args", "[1]", "process.args[0]: expected a string, found number")]
    [InlineData("process.cwd", "null", "process.cwd: is missing")]
    [InlineData("process.capabilities", "{\"bounding\": [\"CAP_KILL\"], \"effective\": []}", "process.capabilities.effective: root has exactly those of 'bounding'")]
    [InlineData("process", "{\"args\": [\"id\"], \"cwd\": \"/\", \"user\": {\"uid\": 33, \"gid\": 34}, \"capabilities\": {\"bounding\": [\"CAP_KILL\"], \"permitted\": [\"CAP_KILL\"], \"ambient\": [\"CAP_KILL\"]}}", "process.capabilities.ambient: CAP_KILL is not in 'inheritable'")]
    [InlineData("process.rlimits", "[{\"type\": \"RLIMIT_X\", \"soft\": 1, \"hard\": 1}]", "process.rlimits[0].type: there is no limit 'RLIMIT_X'")]
    [InlineData("root.path", "7", "root.path: expected a string, found number")]
    [InlineData("mounts", "[{\"destination\": \"/x\", \"type\": \"nfs\"}]", "mounts[0]: a filesystem 'nfs' cannot be mounted at /x")]
    [InlineData("mounts", "[{\"destination\": \"/x\", \"type\": \"bind\", \"source\": \"/\", \"options\": [\"ro\", \"noexec\"]}]", "mounts[0].options[1]: no bind has the option 'noexec'")]
    [InlineData("mounts", "[{\"destination\": \"/x\", \"type\": \"tmpfs\", \"options\": [\"size=1m\"]}]", "mounts[0].options[0]: no tmpfs has the option 'size=1m'")]
    [InlineData("linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}", "linux.seccomp: is not supported")]
    [InlineData("linux.sysctl", "{\"a\": \"b\"}", "linux.sysctl: is not supported")]
    [InlineData("linux.namespaces", "[{\"type\": \"pid\"}]", "linux.namespaces: 'mount' is missing, which every container has of its own")]
    [InlineData("linux.namespaces", "[{\"type\": \"user\"}]", "linux.namespaces[0].type: no container has a namespace 'user' of its own")]
    [InlineData("linux.namespaces", "[{\"type\": \"pid\", \"path\": \"/proc/1/ns/pid\"}]", "linux.namespaces[0].path: is not supported")]
    [InlineData("linux.devices", "[{\"path\": \"/dev/null\", \"type\": \"c\", \"major\": 1, \"minor\": 5}]", "linux.devices[0]: the host's /dev/null is another device, and only the host's nodes can be given")]
    [InlineData("linux.resources", "{\"cpu\": {\"shares\": 5}}", "linux.resources.cpu.shares: is not supported")]
    [InlineData("linux.resources", "{\"memory\": {\"limit\": 5, \"swap\": 4}}", "linux.resources.memory.swap: counts memory too, so it is not less than memory.limit")]
    [InlineData("linux.rootfsPropagation", "\"shared\"", "linux.rootfsPropagation: no mount inside reaches the host")]
    public void Refuses_by_its_name_what_it_cannot_do(string member, string value, string reason)
    {
        using TempFolder folder = new();
        JsonNode config = JsonNode.Parse(Minimal)!;
        string[] names = member.Split('.');
        JsonNode parent = names.Length == 1 ? config : config[names[0]]!;
        parent[names[^1]] = JsonNode.Parse(value);
        IOException e = Assert.ThrowsAny<IOException>(() => ReadAs(folder, config.ToJsonString()));
        Assert.Equal($"{folder / "config.json"}: {reason}", e.Message);
    }

    [Fact]
    public void Says_that_something_is_no_json()
    {
        using TempFolder folder = new();
        Assert.StartsWith($"{folder / "config.json"}: is not JSON: ", Assert.Throws<InvalidDataException>(() => Read(folder, "{")).Message);
    }

    // InvalidDataException is no IOException: wrapped, so that the table can ask for both.
    private static void ReadAs(TempFolder folder, string text)
    {
        try
        {
            Read(folder, text);
        }
        catch (InvalidDataException e)
        {
            throw new IOException(e.Message);
        }
    }

    private static ContainerSpec Read(TempFolder folder, string text)
    {
        System.IO.File.WriteAllText(folder / "config.json", text);
        return OciBundle.Read(folder.Path, out _);
    }
}
