using System.Text.Json;
using System.Text.Json.Nodes;
using Layerbox.Cmd.Containers;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

/// <summary>OCI bundles and plans by container-run, with crun as the oracle.</summary>
public class ContainerBundleTests
{
    private static ProcessResult Run(params string[] arguments) => ChildProcess.Run(new ProgramStart(Published.OrSkip(), ["container-run", .. arguments]));

    // What "crun spec" makes, with a command and without a terminal.
    private static string Bundle(ContainerRoot root, string script)
    {
        Assert.SkipWhen(ProgramStart.TryFind("crun") is null, "crun is not installed");
        string bundle = root.Outside("bundle");
        System.IO.Directory.CreateDirectory(bundle);
        Programs.Run("crun", "spec", "-b", bundle);
        // Programs name their loader by the short path, which crun does not care for.
        foreach (string name in ContainerTree.LinksIntoUsr.Where(name => System.IO.Directory.Exists(root / $"usr/{name}") && !System.IO.Directory.Exists(root / name)))
            System.IO.Directory.CreateSymbolicLink(root / name, $"usr/{name}");
        string path = Path.Combine(bundle, "config.json");
        JsonNode config = JsonNode.Parse(System.IO.File.ReadAllText(path))!;
        config["process"]!["terminal"] = false;
        config["process"]!["args"] = new JsonArray("sh", "-c", script);
        config["root"]!["path"] = root.Path;
        // Without them crun warns: root needs none.
        config["process"]!["capabilities"]!["ambient"] = new JsonArray();
        System.IO.File.WriteAllText(path, config.ToJsonString());
        return bundle;
    }

    // What a plain user gets, and goes on to get when he executes something else.
    [Theory]
    [InlineData("builtin", false)]
    [InlineData("builtin", true)]
    [InlineData("nspawn", false)]
    public void Gives_a_user_the_capabilities_that_crun_gives(string engine, bool noNewPrivileges)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(engine == "builtin" ? new BuiltinEngine() : new NspawnEngine());
        string bundle = Bundle(root, "grep -E '^(Uid|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs)' /proc/self/status; sh -c 'exec chmod 0600 /etc/passwd 2>/dev/null || echo refused'");
        string path = Path.Combine(bundle, "config.json");
        JsonNode config = JsonNode.Parse(System.IO.File.ReadAllText(path))!;
        config["process"]!["user"] = new JsonObject { ["uid"] = 33, ["gid"] = 34 };
        config["process"]!["noNewPrivileges"] = noNewPrivileges;
        config["process"]!["capabilities"] = JsonNode.Parse("""
            {"bounding": ["CAP_FOWNER", "CAP_NET_BIND_SERVICE", "CAP_KILL"], "effective": ["CAP_KILL", "CAP_FOWNER"], "permitted": ["CAP_KILL", "CAP_FOWNER"], "inheritable": ["CAP_FOWNER"], "ambient": ["CAP_FOWNER"]}
            """);
        config["root"]!["readonly"] = false;
        System.IO.File.WriteAllText(path, config.ToJsonString());
        (ContainerResult result, string output, string errors) = root.Run(OciBundle.Read(bundle, out _) with { Ephemeral = true });
        Assert.Equal((0, ""), (result.Status, errors));
        Assert.DoesNotContain("refused", output);
        ProcessResult crun = ChildProcess.Run(new ProgramStart("unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup/unified 2>/dev/null; exec crun run -b \"$1\" \"test-$$\"", "sh", bundle));
        Assert.SkipWhen(crun.ErrorText.Contains("cgroup", StringComparison.Ordinal), $"crun does not work here: {crun.ErrorText}");
        Assert.Equal((crun.OutputText, crun.Exit.Status), (output, result.Status));
    }

    [Fact]
    public void What_is_entered_has_what_the_user_has()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        ContainerSpec spec = root.Shell("sleep 1000") with { User = new ContainerUser(33, 34, [], "/"), AmbientCapabilities = ["CAP_KILL"], Name = $"ambient-{Guid.NewGuid():N}" };
        using RunningContainer running = new BuiltinEngine().Start(spec);
        Thread waiter = new(() => running.Wait());
        waiter.Start();
        Patience.Until(() => ContainerRegistry.List().Any(container => container.Name == spec.Name), "the container");
        Assert.Equal("CapEff:\t0000000000000020\n", Published.Run("container-enter", spec.Name!, "--", "grep", "CapEff", "/proc/self/status").ThrowIfFailed().OutputText);
        Assert.Equal("CapEff:\t0000000000000000\n", Published.Run("container-enter", spec.Name!, "--user", "4:4", "--", "grep", "CapEff", "/proc/self/status").ThrowIfFailed().OutputText);
        running.Send(Signal.SIGKILL);
        waiter.Join();
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Runs_a_bundle_as_crun_does(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(engine == "builtin" ? new BuiltinEngine() : new NspawnEngine());
        string bundle = Bundle(root, """
            id -u; id -g; pwd; hostname; env; umask; ulimit -Sn; ulimit -Hn
            grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs)' /proc/self/status
            touch /x 2>/dev/null || echo read-only
            touch /dev/shm/x && echo shm
            head -c 1 /proc/timer_list | grep -c .; ls /proc/acpi 2>/dev/null | grep -c .
            echo 1 2>/dev/null > /proc/sys/kernel/panic || echo kept
            grep -c : /proc/net/dev
            exit 9
            """);
        // crun 1.8 takes no machine with both versions of control groups.
        ProcessResult crun = ChildProcess.Run(new ProgramStart("unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup/unified 2>/dev/null; exec crun run -b \"$1\" \"test-$$\"", "sh", bundle));
        Assert.SkipWhen(crun.ErrorText.Contains("cgroup", StringComparison.Ordinal), $"crun does not work here: {crun.ErrorText}");
        Assert.Equal((9, ""), (crun.Exit.Status, crun.ErrorText));
        (ContainerResult result, string output, string errors) = root.Run(OciBundle.Read(bundle, out _) with { Ephemeral = true });
        Assert.Equal((9, ""), (result.Status, errors));
        Assert.Equal(Lines(crun.OutputText), Lines(output));

        // Shells add to the environment, and the order is theirs.
        static IEnumerable<string> Lines(string text) => text.Split('\n').Where(line => !line.StartsWith("PWD=", StringComparison.Ordinal) && !line.StartsWith("HOME=", StringComparison.Ordinal));
    }

    [Fact]
    public void Takes_another_command_and_nothing_else_beside_a_bundle()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string bundle = Bundle(root, "exit 9");
        JsonElement plan = JsonDocument.Parse(Tools.Run("container-run", "--bundle", bundle, "--name", "its-name", "--die-with-parent", "--plan", "--", "hostname", "-s").AssertSucceeded().Out).RootElement;
        Assert.Equal(("its-name", false), (plan.GetProperty("name").GetString(), plan.GetProperty("terminal").GetBoolean()));
        Assert.Equal(("crun", "[\"hostname\",\"-s\"]"), (plan.GetProperty("hostname").GetString(), JsonNode.Parse(plan.GetProperty("command").GetRawText())!.ToJsonString()));
        foreach ((string reason, string[] arguments) in ((string, string[])[])
        [
            ("container-run: --bundle: --memory is for config.json to say", ["--bundle", bundle, "--memory", "1G"]),
            ("container-run: no HANDLE given", ["--timeout", "1s"]),
            ($"container-run: {root.Outside("none")}/config.json: open: No such file or directory", ["--bundle", root.Outside("none")]),
        ])
        {
            Tools.Result refused = Tools.Run(["container-run", .. arguments]);
            Assert.Equal((125, reason), (refused.Status, refused.FirstErrorLine));
        }
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Prints_the_whole_description_and_runs_nothing(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string[] options =
        [
            root.Path, "--engine", engine, "--plan", "--in-place", "--user", "web", "--env", "A=1", "--bind", "/etc/hostname:/in/name:ro", "--bind", "/none:/x:try", "--tmpfs", "/mem", "--overlay", "/etc", "--rlimit", "CORE=0",
            "--capability", "CAP_BPF", "--mask", "/etc/group", "--umask", "077", "--timeout", "2m", "--tty", "--", "touch", "/made", "a\nb",
        ];
        string before = root.Listing();
        ProcessResult first = Run(options), second = Run(options);
        Assert.Equal((0, ""), (first.Exit.Status, first.ErrorText));
        Assert.Equal(first.OutputText, second.OutputText);
        Assert.Equal(before, root.Listing());
        JsonElement plan = JsonDocument.Parse(first.OutputText).RootElement;
        Assert.Equal($"{{\"path\":\"{root.Path}\",\"changes\":\"in_place\",\"read_only\":false}}", Compact(plan.GetProperty("root")));
        Assert.Equal("[\"touch\",\"/made\",\"a\\nb\"]", Compact(plan.GetProperty("command")));
        Assert.Equal("{\"uid\":33,\"gid\":34,\"groups\":[4],\"home\":\"/srv/web\"}", Compact(plan.GetProperty("user")));
        Assert.Equal("[\"cgroup\",\"ipc\",\"mount\",\"network\",\"pid\",\"uts\"]", Compact(plan.GetProperty("namespaces")));
        Assert.Equal(("0077", 120.0), (plan.GetProperty("umask").GetString(), plan.GetProperty("timeout_seconds").GetDouble()));
        Assert.Equal((true, false), (plan.GetProperty("terminal").GetBoolean(), plan.TryGetProperty("name", out _)));
        Assert.Contains("\"CAP_BPF\"", Compact(plan.GetProperty("capabilities")));
        string refused = Compact(plan.GetProperty("seccomp"));
        Assert.Contains("\"keyctl\"", refused);
        Assert.DoesNotContain("\"bpf\"", refused);
        Assert.Contains("{\"name\":\"CORE\",\"soft\":0,\"hard\":0}", Compact(plan.GetProperty("rlimits")));
        string[] mounts = [.. plan.GetProperty("mounts").EnumerateArray().Select(mount => $"{mount.GetProperty("destination")} {mount.GetProperty("type")} {Compact(mount.GetProperty("options"))}")];
        if (engine == "nspawn")
        {
            Assert.Equal(["/etc overlay [\"rw\"]", "/mem tmpfs []", "/in/name bind [\"ro\",\"rbind\"]"], mounts);
            Assert.Contains("\"--hostname=layerbox\"", Compact(plan.GetProperty("program")));
            return;
        }
        Assert.Equal("/ bind [\"rw\",\"nodev\"]", mounts[0]);
        Assert.Equal("/proc proc [\"rw\",\"nosuid\",\"nodev\",\"noexec\"]", mounts[1]);
        Assert.Contains("/sys sysfs [\"ro\",\"nosuid\",\"nodev\",\"noexec\"]", mounts);
        Assert.Contains("/proc/sys bind [\"ro\",\"nosuid\",\"nodev\",\"noexec\"]", mounts);
        Assert.Contains("/proc/kcore mask [\"rw\",\"nosuid\",\"noexec\"]", mounts);
        Assert.Equal(["/etc overlay [\"rw\"]", "/mem tmpfs [\"rw\",\"nosuid\",\"nodev\",\"mode=755\"]", "/in/name bind [\"ro\",\"nodev\",\"rbind\"]", "/etc/group mask [\"ro\"]"], mounts[^4..]);

        static string Compact(JsonElement element) => element.ValueKind == JsonValueKind.String ? $"\"{element.GetString()}\"" : JsonNode.Parse(element.GetRawText())!.ToJsonString();
    }
}
