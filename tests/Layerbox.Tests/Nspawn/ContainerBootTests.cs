using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>Systems that are booted, by both engines.</summary>
public class ContainerBootTests(BootRoot shared) : IClassFixture<BootRoot>
{
    // "layerbox-" and a number that is made up. Those of other tests come and go meanwhile, also while they are listed.
    private static HashSet<string> Cgroups() => [.. Programs.Shell("find /sys/fs/cgroup -type d -name 'layerbox-*' -prune 2>/dev/null || true").Split('\n', StringSplitOptions.RemoveEmptyEntries)];

    private ProcessResult Boot(params string[] arguments) => Published.Run(["container-run", shared.OrSkip(), "--boot", .. arguments]);

    private static ProcessResult Enter(RunningTool running, params string[] arguments) => Published.Run(["container-enter", running.Name, .. arguments]);

    // A unit that the system starts on its way up, as options that show it inside.
    private string[] Unit(string name, string service)
    {
        string file = shared.Outside($"{name}.service");
        System.IO.File.WriteAllText(file, $"[Service]\nType=oneshot\n{service}\n");
        return ["--bind", $"{file}:/etc/systemd/system/{name}.service:ro", "--init-argument", $"systemd.wants={name}.service"];
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Boots_runs_the_command_and_leaves_nothing(string engine)
    {
        string root = shared.OrSkip();
        string before = Listing(root);
        foreach (string[] options in (string[][])[[], ["--read-only", "--overlay", "/var", "--overlay", "/made/here", "--tmpfs", "/var/lib/systemd", "--bind", "/etc/hostname:/new/file:ro"], ["--network", "host"]])
        {
            ProcessResult result = Boot(["--engine", engine, .. options, "--", "sh", "-c", "systemctl is-system-running; systemctl --failed --no-legend; cat /proc/1/comm; hostname; exit 7"]);
            Assert.Equal(("running\nsystemd\nlayerbox\n", "", 7), (result.OutputText, result.ErrorText, result.Exit.Status));
        }
        Assert.Equal(before, Listing(root));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Entered_commands_are_at_home(string engine)
    {
        RunningTool running = shared.Running(engine);
        string Inside(string script, params string[] options) => Enter(running, [.. options, "--", "sh", "-c", script]).ThrowIfFailed().OutputText;

        Assert.Equal("A=1 2\nHOME=/root\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\ncontainer=layerbox\n", Inside("env | sort"));
        // What process 1 may do, and where it is; one entry a line.
        const string Rights = "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/{0}/status; readlink /proc/{0}/ns/cgroup /proc/{0}/ns/ipc /proc/{0}/ns/mnt /proc/{0}/ns/net /proc/{0}/ns/pid /proc/{0}/ns/uts";
        Assert.Equal(Inside(Rights.Replace("{0}", "1", StringComparison.Ordinal)), Inside(Rights.Replace("{0}", "self", StringComparison.Ordinal)));
        Assert.Equal(Inside("grep CapBnd /proc/self/status")[7..], Inside("grep CapEff /proc/self/status")[7..]);
        Assert.All(Inside("cat /proc/self/cgroup").Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.DoesNotContain("..", line));
        Assert.Contains("0::/entered", Inside("cat /proc/self/cgroup"));
        Assert.Equal("65534 65534 /usr\n", Inside("echo $(id -u) $(id -g) $(pwd)", "--user", "nobody", "--workdir", "/usr"));
        // Both ends are open, and no other descriptor.
        Assert.Equal("0\n1\n2\n3\n", Inside("ls /proc/self/fd"));
        foreach ((string script, int status) in new[] { ("exit 9", 9), ("kill -KILL $$", 137), ("kill -TERM $$", 143), ("exec /nope", 127) })
            Assert.Equal(status, Enter(running, "--", "sh", "-c", script).Exit.Status);
        byte[] bytes = [0, 0xFF, .. "line\r\n"u8, 0x1B];
        Assert.Equal(bytes, Published.Feed(bytes, "container-enter", running.Name, "--", "cat").Output);
        Assert.Contains("\"booted\":true", Published.Run("container-list").OutputText);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void A_system_sees_and_calls_no_more_of_the_host_than_a_command(string engine)
    {
        RunningTool running = shared.Running(engine);
        string Inside(string script) => Enter(running, "--", "sh", "-c", script).OutputText;

        Assert.Equal("Seccomp:\t2\nSeccomp:\t2\n", Inside("grep -h ^Seccomp: /proc/1/status /proc/self/status"));
        // EPERM of keyctl(2), in a service of the system too.
        const string Call = "perl -e 'syscall(250, 0, -3, 1); print $! + 0, \"\\n\"'";
        Assert.Equal("1\n1\n", Inside($"{Call}; systemd-run --quiet --wait --pipe {Call}"));
        Assert.Equal("", Inside("cat /proc/timer_list /proc/interrupts /proc/keys; head -c 8 /proc/kpagecount; head -c 1 /proc/kcore; ls /sys/firmware; ls /proc/scsi"));
        Assert.Equal("closed\nclosed\nclosed\n", Inside("for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/net/core/somaxconn; do { echo x > $file; } 2>/dev/null || echo closed; done"));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void A_mount_point_that_is_exchanged_while_it_boots_leads_nowhere_outside(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string host = root.Outside("host");
        System.IO.Directory.CreateDirectory(host);
        System.IO.Directory.CreateDirectory(root / "data");
        System.IO.Directory.CreateSymbolicLink(root / "link", host);
        using ChildProcess exchanger = ContainerEscapeTests.Exchange(root / "data", root / "link");
        try
        {
            for (int i = 0; i < 10; i++)
            {
                ProcessResult result = Published.Run("container-run", root.Path, i % 2 == 0 ? "--in-place" : "--read-only", "--boot", "--engine", engine, "--bind", $"/usr/share:/data/sub{i}:ro", "--tmpfs", $"/data/mem{i}",
                    "--init", "/usr/bin/sh", "--init-argument", "-c", "--init-argument", "touch /data/x /link/x; exit 3");
                Assert.Equal("", result.OutputText);
            }
        }
        finally
        {
            exchanger.Kill(Signal.SIGKILL);
            exchanger.Wait();
        }
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(host));
    }

    [Theory]
    [InlineData("builtin", "exit 9", 9)]
    [InlineData("builtin", "kill -TERM $$", 143)]
    [InlineData("builtin", "kill -KILL $$", 137)]
    [InlineData("nspawn", "exit 9", 9)]
    public void A_unit_ends_with_the_status_of_its_command(string engine, string script, int status)
    {
        ProcessResult result = Boot("--engine", engine, "--unit", "--user", "nobody", "--env", "A=1 2", "--workdir", "/usr", "--", "sh", "-c", $"cat /proc/self/cgroup; echo \"$A\" $(id -u) $(pwd) '$HOME' %n; {script}");
        Assert.Contains("0::/system.slice/layerbox-", result.OutputText);
        Assert.EndsWith("1 2 65534 /usr $HOME %n\n", result.OutputText);
        Assert.Equal(status, result.Exit.Status);
    }

    // The built-in engine alone keeps limits. On version 2 scripts/check-cgroup2 tries the same.
    [Theory]
    [InlineData("killed: out of memory", 137, "exec probe eat 200")]
    [InlineData("killed: out of memory", 137, "exec probe eat 200", "--unit")]
    [InlineData("out of memory: something inside was killed", 3, "probe eat 200; exit 3")]
    [InlineData("out of memory: something inside was killed", 3, "systemd-run --quiet --wait probe eat 200; exit 3")]
    [InlineData("killed: out of memory", 137, "exec probe eat 200", "--engine", "nspawn")]
    [InlineData("out of memory: something inside was killed", 3, "systemd-run --quiet --wait probe eat 200; exit 3", "--engine", "nspawn")]
    public void A_command_that_is_killed_for_want_of_memory_is_said_to_be(string reason, int status, string script, params string[] options)
    {
        ContainerCgroupTests.SkipWithout("memory");
        using ContainerRoot other = ContainerRoot.OrSkip().WithProbe();
        string[] limited = ["--memory", "96M", "--swap", "0", "--bind", $"{other / "usr/bin/probe"}:/usr/bin/probe:ro", .. options];
        ProcessResult result = Boot([.. limited, "--", "sh", "-c", script]);
        Assert.EndsWith($"container-run: {reason} (limit 96M)\n", result.ErrorText);
        Assert.Equal(status, result.Exit.Status);
        ProcessResult enough = Boot([.. limited, "--", "sh", "-c", "probe eat 1; exit 4"]);
        Assert.Equal((4, ""), (enough.Exit.Status, enough.ErrorText));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void A_system_that_has_not_the_memory_to_boot_says_so(string engine)
    {
        ContainerCgroupTests.SkipWithout("memory");
        ProcessResult result = Boot("--engine", engine, "--memory", "2M", "--swap", "0", "--", "id");
        Assert.Contains("out of memory", result.ErrorText);
        Assert.EndsWith("(limit 2M)\n", result.ErrorText);
        Assert.True(result.Exit.Status is 125 or 137);
    }

    [Theory]
    [InlineData(125, "/nope: chdir: No such file or directory", "--workdir", "/nope", "--", "id")]
    [InlineData(126, "/etc/passwd: run: systemd could not do so, or the command's own exit status was 203", "--", "/etc/passwd")]
    [InlineData(125, "/root: chdir: systemd could not do so, or the command's own exit status was 200", "--user", "nobody", "--workdir", "/root", "--", "id")]
    public void A_unit_that_was_no_command_is_told(int status, string reason, params string[] arguments)
    {
        ProcessResult result = Boot(["--unit", .. arguments]);
        Assert.Equal((status, "", $"container-run: {reason}\n"), (result.Exit.Status, result.OutputText, result.ErrorText));
    }

    [Fact]
    public void A_failed_unit_is_seen()
    {
        string[] failing = Unit("failing", "ExecStart=/bin/false");
        ProcessResult degraded = Boot([.. failing, "--", "systemctl", "is-system-running"]), required = Boot([.. failing, "--require-units", "--", "id"]);
        Assert.Equal(("degraded\n", 1), (degraded.OutputText, degraded.Exit.Status));
        Assert.Equal(("", 125), (required.OutputText, required.Exit.Status));
        Assert.StartsWith("container-run: units failed: failing.service\n", required.ErrorText);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void A_boot_that_hangs_ends_with_the_last_lines_of_the_console(string engine)
    {
        // As the last unit of all, so that what the others say does not come after it.
        string[] hanging = Unit("hanging", "ExecStart=/bin/sh -c 'echo waits for nothing >/dev/console; exec sleep infinity'\n[Unit]\nAfter=multi-user.target");
        foreach (TimeSpan time in Patience.Doubled(TimeSpan.FromSeconds(4)))
        {
            string seconds = time.TotalSeconds.ToString(CultureInfo.InvariantCulture);
            ProcessResult result = Boot(["--engine", engine, .. hanging, "--boot-timeout", $"{seconds}s", "--", "id"]);
            Assert.Equal(("", 124), (result.OutputText, result.Exit.Status));
            Assert.StartsWith($"container-run: the system is not up after {seconds} s", result.ErrorText);
            if (result.ErrorText.Contains("  console: waits for nothing\n", StringComparison.Ordinal))
                return;
        }
    }

    // One whose init never says that it is up, and one that is up and has nothing to do.
    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Without_a_command_the_time_is_that_of_the_system(string engine)
    {
        string[] silent = ["--init", "/bin/sleep", "--init-argument", "1000"];
        foreach (string[] options in (string[][])[[.. silent, "--timeout", "1s"], [.. silent, "--boot-timeout", "1000s", "--timeout", "1s", "--kill-grace", "1s"], ["--timeout", "5s"], ["--timeout", "5s", "--kill-grace", "60s", "--stop", "clean"]])
        {
            ProcessResult result = Boot(["--engine", engine, .. options]);
            Assert.Equal(("container-run: killed: its time is up\n", 124), (result.ErrorText, result.Exit.Status));
        }
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void A_signal_while_it_boots_ends_it(string engine)
    {
        string[] hanging = Unit("never", "ExecStart=/bin/sh -c 'echo hangs >/dev/console; exec sleep infinity'");
        string console = shared.Outside($"console-{engine}");
        using RunningTool tool = RunningTool.Run([Published.OrSkip(), "container-run", shared.OrSkip(), "--boot", "--engine", engine, .. hanging, "--console", console, "--", "id"], "never");
        Patience.Until(() => System.IO.File.Exists(console) && System.IO.File.ReadAllText(console).Contains("hangs", StringComparison.Ordinal), "the unit");
        tool.Process.Kill(Signal.SIGTERM);
        Assert.Equal(("", 143), (tool.ReadToEnd(), tool.Process.Wait().ShellStatus));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void A_stop_that_hangs_is_made_harder(string engine)
    {
        string[] stubborn = Unit("stubborn", "RemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/sleep infinity\nTimeoutStopSec=infinity");
        Stopwatch taken = Stopwatch.StartNew();
        ProcessResult result = Boot(["--engine", engine, .. stubborn, "--stop", "clean", "--stop-timeout", "1s", "--", "sh", "-c", "exit 3"]);
        Assert.Equal((3, ""), (result.Exit.Status, result.ErrorText));
        Assert.True(taken.Elapsed >= TimeSpan.FromSeconds(1));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Without_a_command_the_status_is_that_of_the_init(string engine)
    {
        string file = shared.Outside("out"), console = shared.Outside("console");
        System.IO.File.WriteAllText(file, "");
        ProcessResult result = Boot(["--engine", engine, .. Unit("work", "ExecStart=/bin/sh -c 'echo done >/out; exit 42'\nSuccessAction=exit-force\nFailureAction=exit-force"), "--bind", $"{file}:/out", "--console", console]);
        Assert.Equal(("", 42), (result.ErrorText, result.Exit.Status));
        Assert.Equal("done\n", System.IO.File.ReadAllText(file));
        Assert.Contains("work.service", System.IO.File.ReadAllText(console));

        using RunningTool waiting = RunningTool.Run([Published.OrSkip(), "container-run", shared.OrSkip(), "--boot", "--engine", engine, "--name", $"waiting-{engine}"], $"waiting-{engine}");
        Patience.Until(() => Published.Run("container-enter", waiting.Name, "--", "systemctl", "is-system-running").OutputText == "running\n", "the system");
        waiting.Process.Kill(Signal.SIGTERM);
        Assert.Equal(0, waiting.Process.Wait().Status);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Killed_at_any_moment_it_leaves_nothing(string engine)
    {
        string root = shared.OrSkip(), tool = Published.OrSkip(), mark = $"killed{Guid.NewGuid():N}";
        Random random = new(1);
        HashSet<string> before = Cgroups();
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite);
        for (int i = 0; i < 10; i++)
        {
            using ChildProcess run = ChildProcess.Start(new ProgramStart(tool, "container-run", root, "--boot", "--engine", engine, "--hostname", mark, "--", "sleep", "1000") { Input = nothing, Output = nothing, Error = nothing });
            Thread.Sleep(random.Next(600));
            run.Kill(Signal.SIGKILL);
            run.Wait();
        }
        Patience.Until(() => !Hosts().Contains(mark), "the end of all processes");
        // Others begin new ones meanwhile, so those that are there now are waited for.
        string[] groups = [.. Cgroups().Except(before)];
        Patience.Until(() => !Cgroups().Overlaps(groups), "the end of all groups");
        Assert.DoesNotContain(Mounts.List(), mount => mount.Point.StartsWith(root, StringComparison.Ordinal) || mount.Point.StartsWith("/run/systemd/nspawn", StringComparison.Ordinal));

        // The names of all hosts that processes of this machine are on.
        static string Hosts() => Programs.Shell("for p in /proc/[0-9]*; do nsenter --uts=$p/ns/uts hostname 2>/dev/null || true; done");
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Eight_at_once_do_not_meet(string engine)
    {
        string root = shared.OrSkip();
        ProcessResult[] results = new ProcessResult[8];
        Thread[] threads = [.. Enumerable.Range(0, results.Length).Select(i => new Thread(() => results[i] = Published.Run("container-run", root, "--boot", "--engine", engine, "--", "systemctl", "is-system-running")))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        Assert.All(results, result => Assert.Equal(("running\n", "", 0), (result.OutputText, result.ErrorText, result.Exit.Status)));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void A_missing_machine_id_and_a_full_console_are_no_obstacles(string engine)
    {
        string root = shared.OrSkip(), bare = shared.Outside($"bare-{engine}");
        Programs.Run("cp", "-a", "--reflink=auto", root, bare);
        System.IO.File.Delete(Path.Combine(bare, "etc/machine-id"));
        ProcessResult result = Published.Run("container-run", bare, "--boot", "--engine", engine, "--", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x >/dev/console; test -s /etc/machine-id && echo written");
        Assert.Equal(("written\n", "", 0), (result.OutputText, result.ErrorText, result.Exit.Status));
        Assert.False(System.IO.File.Exists(Path.Combine(bare, "etc/machine-id")));
    }

    [Fact]
    public void Says_what_is_wrong()
    {
        ProcessResult absent = Boot("--init", "/nope", "--", "id"), early = Boot("--init", "/bin/false", "--", "id");
        Assert.Equal((127, "container-run: /nope: run: No such file or directory\n"), (absent.Exit.Status, absent.ErrorText));
        Assert.Equal((125, "container-run: the system ended before it was up: exit status 1\n"), (early.Exit.Status, early.ErrorText));
        ProcessResult option = Published.Run("container-run", shared.OrSkip(), "--unit", "--", "id");
        Assert.Equal((125, "container-run: --unit: only with --boot\nTry 'container-run --help' for more information.\n"), (option.Exit.Status, option.ErrorText));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Says_that_there_is_nothing_to_boot(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        ProcessResult result = Published.Run("container-run", root.Path, "--boot", "--engine", engine, "--", "id");
        Assert.Equal((125, "", $"container-run: {root.Path}: nothing to boot: there is none of /usr/lib/systemd/systemd, /lib/systemd/systemd, /sbin/init: install systemd, or name another init with --init\n"),
            (result.Exit.Status, result.OutputText, result.ErrorText));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Tells_its_plan_and_runs_nothing(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string before = root.Listing();
        ProcessResult result = Published.Run("container-run", root.Path, "--boot", "--engine", engine, "--plan", "--init-argument", "systemd.unit=rescue.target", "--stop-timeout", "3s", "--rlimit", "CORE=0", "--user", "web", "--", "id", "-u");
        Assert.Equal(("", 0), (result.ErrorText, result.Exit.Status));
        JsonElement plan = JsonDocument.Parse(result.OutputText).RootElement;
        JsonElement boot = plan.GetProperty("boot");
        Assert.Equal("[\"id\",\"-u\"]", Compact(plan.GetProperty("command")));
        Assert.Equal(33, plan.GetProperty("user").GetProperty("uid").GetInt32());
        Assert.Contains("CAP_SYS_ADMIN", Compact(plan.GetProperty("capabilities")));
        Assert.Contains("{\"name\":\"CORE\",\"soft\":0,\"hard\":0}", Compact(plan.GetProperty("rlimits")));
        Assert.Equal("[\"/usr/lib/systemd/systemd\",\"/lib/systemd/systemd\",\"/sbin/init\"]", Compact(boot.GetProperty("inits")));
        Assert.Equal("[\"systemd.mask=console-getty.service\",\"systemd.unit=rescue.target\"]", Compact(boot.GetProperty("arguments")));
        Assert.Equal((90, "fast", 3), (boot.GetProperty("timeout_seconds").GetInt32(), boot.GetProperty("stop").GetString(), boot.GetProperty("stop_timeout_seconds").GetInt32()));
        if (engine == "nspawn")
            Assert.Contains("\"--notify-ready=yes\"", Compact(plan.GetProperty("program")));
        Assert.Equal(before, root.Listing());

        static string Compact(JsonElement element) => JsonNode.Parse(element.GetRawText())!.ToJsonString();
    }

    private static string Listing(string root) => Programs.Run("find", root, "-printf", "%P %y %m %s %l %T@\n");
}
