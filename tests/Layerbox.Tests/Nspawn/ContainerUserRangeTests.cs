using System.Globalization;
using System.Text;
using System.Text.Json;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

/// <summary>Containers of root whose users the host does not have.</summary>
public class ContainerUserRangeTests
{
    private const string Range = "1000000:65536";

    private static ProcessResult Run(ContainerRoot root, params string[] arguments) =>
        Published.Run(["container-run", root.Path, "--user-namespace", .. arguments]);

    private static string Squeeze(string text) => string.Join('\n', text.Split('\n').Select(line => string.Join(' ', line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries))));

    /// <summary>The uids of a process as the host sees them.</summary>
    private static string Outside(int process) => Squeeze(Encoding.ASCII.GetString(WholeFile.Read(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/status"))))
        .Split('\n').First(line => line.StartsWith("Uid:", StringComparison.Ordinal));

    [Theory]
    [InlineData("", "")]
    [InlineData("--in-place", "")]
    [InlineData("--read-only", "")]
    [InlineData("--network", "host")]
    [InlineData("--pids", "100")]
    public void Root_inside_is_not_root_outside(string option, string value)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string[] options = [.. ((string[])[option, value]).Where(text => text.Length > 0)];
        Assert.Equal("0 1000000 65536\n0 1000000 65536\n0:0\nallow\n", Squeeze(Published.Succeed(Run(root, [Range, .. options, "--", "sh", "-c",
            "cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /usr; cat /proc/self/setgroups; echo x > /dev/null; head -c 3 /dev/urandom > /tmp/x"]))));
        using RunningTool running = RunningTool.Start(root, ["--user-namespace", Range, "--user", "web", .. options], "sleep 1000");
        ContainerDescription container = Assert.Single(ContainerRegistry.List(), c => c.Name == running.Name);
        Assert.Equal("Uid: 1000000 1000000 1000000 1000000", Outside(container.Process1));
        Assert.Equal("Uid: 1000033 1000033 1000033 1000033", Outside(Assert.Single(HostProcess.Children(container.Process1))));
    }

    [Fact]
    public void Files_keep_their_owners()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        System.IO.Directory.CreateDirectory(root / "srv/web");
        Programs.Run("chown", "33:34", root / "srv/web");
        Programs.Run("chown", "70000:70000", root / "usr/lib");
        const string Script = "stat -c '%u:%g' / /etc /srv/web /usr/lib; touch /of-root; chmod 600 /of-root; echo new >> /etc/passwd; stat -c %u:%g /of-root";
        // What has no number inside is nobody's.
        const string Seen = "0:0\n0:0\n33:34\n65534:65534\n0:0\n";
        Assert.Equal(Seen, Published.Succeed(Run(root, Range, "--", "sh", "-c", Script)));
        Assert.False(System.IO.File.Exists(root / "of-root"));
        Assert.Equal(Seen, Published.Succeed(Run(root, Range, "--in-place", "--", "sh", "-c", Script)));
        Published.Succeed(Run(root, Range, "--in-place", "--user", "web", "--", "sh", "-c", "touch /srv/web/of-web; test -z \"$(cat /of-root 2>/dev/null)\"; ! echo x 2>/dev/null > /of-root"));
        FileStatus ofRoot = Files.Status(root / "of-root"), ofWeb = Files.Status(root / "srv/web/of-web");
        Assert.Equal((0u, 0u, 33u, 34u), (ofRoot.Uid, ofRoot.Gid, ofWeb.Uid, ofWeb.Gid));
        Assert.EndsWith("new\n", System.IO.File.ReadAllText(root / "etc/passwd"), StringComparison.Ordinal);
        Assert.Equal("65534\n", Published.Succeed(Run(root, "1000000:33", "--", "stat", "-c", "%u", "/srv/web")));
    }

    [Theory]
    [InlineData("--in-place")]
    [InlineData("--keep")]
    [InlineData("--snapshot")]
    public void Works_on_a_snapshot_of_btrfs(string option)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TempVolume volume = TempVolume.OrSkip();
        Programs.Run("btrfs", "subvolume", "create", volume / "tree");
        Programs.Run("cp", "-a", $"{root.Path}/.", volume / "tree");
        Tools.Run("volume-make", volume.Path).AssertSucceeded();
        string[] options = option == "--keep" ? [option, volume / "kept"] : [option];
        ProcessResult RunThere(params string[] arguments) => Published.Run(["container-run", volume / "tree", "--volume", volume.Path, .. options, .. arguments]);

        Assert.Equal("0\n0\n33\n", Published.Succeed(RunThere("--user-namespace", Range, "--user", "web", "--tmpfs", "/mem", "--", "sh", "-c", "stat -c %u /etc /mem; id -u")));
        if (option == "--keep")
            Programs.Run("btrfs", "subvolume", "delete", volume / "kept");
        ProcessResult changed = RunThere("--user-namespace", "auto", "--pids", "100", "--overlay", "/etc", "--", "sh", "-c", "mkdir /new && touch /new/file && echo x > /etc/group && touch /etc/x; stat -c %u /new/file; exit 7");
        Assert.Equal(("0\n", "", 7), (changed.OutputText, changed.ErrorText, changed.Exit.Status));
        string? made = option switch { "--keep" => volume / "kept/new/file", "--in-place" => volume / "tree/new/file", _ => null };
        if (made is not null)
            Programs.Run("diff", "-r", $"{root.Path}/etc", $"{System.IO.Path.GetDirectoryName(System.IO.Path.GetDirectoryName(made))}/etc");
        if (made is not null)
            Assert.Equal(0u, Files.Status(made).Uid);
        Assert.Equal(option == "--in-place", System.IO.Directory.Exists(volume / "tree/new"));
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(volume / "tmp"));
        Assert.Equal(option == "--keep" ? 2 : 1, Programs.Run("btrfs", "subvolume", "list", volume.Path).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public void Leaves_no_snapshot_when_a_signal_ends_it()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TempVolume volume = TempVolume.OrSkip();
        Programs.Run("btrfs", "subvolume", "create", volume / "tree");
        Programs.Run("cp", "-a", $"{root.Path}/.", volume / "tree");
        Tools.Run("volume-make", volume.Path).AssertSucceeded();
        using RunningTool running = RunningTool.Run([Published.OrSkip(), "container-run", volume / "tree", "--volume", volume.Path, "--snapshot", "--user-namespace", "auto", "--", "sh", "-c", "echo started; exec sleep 1000"], "snapshot");
        running.ReadTo("started");
        Assert.Single(System.IO.Directory.EnumerateFileSystemEntries(volume / "tmp"));
        running.Process.Kill(Signal.SIGTERM);
        Assert.Equal(143, running.Process.Wait().Status);
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(volume / "tmp"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--in-place")]
    [InlineData("--tty")]
    public void Is_killed_as_gladly_as_it_is_told(string option)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string[] options = option.Length > 0 ? [option] : [];
        foreach (string user in (string[])["root", "web"])
            Assert.Equal("777", Published.Succeed(Run(root, ["auto", .. options, "--user", user, "--oom-score-adj", "777", "--", "cat", "/proc/self/oom_score_adj"])).Trim());
        // Process 1 is neither killed sooner nor shown.
        using RunningTool running = RunningTool.Start(root, ["--user-namespace", "auto", "--oom-score-adj", "777"], "sleep 1000");
        int process1 = Assert.Single(ContainerRegistry.List(), c => c.Name == running.Name).Process1;
        Assert.Equal("0\n", System.IO.File.ReadAllText($"/proc/{process1}/oom_score_adj"));
        Assert.Equal((0u, 0u), (Files.Status($"/proc/{process1}/oom_score_adj").Uid, Files.Status($"/proc/{process1}/oom_score_adj").Gid));
    }

    [Theory]
    [InlineData("cat /in/secret")]
    [InlineData("touch /in/new")]
    [InlineData("chmod 777 /in")]
    [InlineData("echo x > /in/public")]
    [InlineData("mount -t tmpfs none /tmp")]
    [InlineData("mount -o remount,rw /proc/sys")]
    [InlineData("mknod /tmp/disk b 7 0")]
    [InlineData("mknod /dev/disk b 7 0")]
    [InlineData("echo x > /proc/sys/kernel/core_pattern")]
    [InlineData("echo c > /proc/sysrq-trigger")]
    [InlineData("echo x > /proc/1/oom_score_adj")]
    [InlineData("grep . /proc/keys")]
    [InlineData("head -c 1 /proc/kcore | grep .")]
    [InlineData("touch /sys/x")]
    [InlineData("ls /sys/fs/cgroup | grep .")]
    public void Refuses(string attempt)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string host = root.Outside("host");
        System.IO.Directory.CreateDirectory(host);
        System.IO.File.WriteAllText(System.IO.Path.Combine(host, "secret"), "secret\n");
        System.IO.File.WriteAllText(System.IO.Path.Combine(host, "public"), "public\n");
        Programs.Run("chmod", "0600", System.IO.Path.Combine(host, "secret"));
        Programs.Run("chmod", "0644", System.IO.Path.Combine(host, "public"));
        string[] options = [Range, "--bind", $"{host}:/in"];
        // Capabilities are those of the container's own users alone.
        foreach (string[] more in (string[][])[[], ["--capability", "CAP_MKNOD", "--capability", "CAP_DAC_READ_SEARCH", "--capability", "CAP_SYS_RAWIO"]])
        {
            ProcessResult result = Run(root, [.. options, .. more, "--", "sh", "-c", attempt]);
            Assert.NotEqual(0, result.Exit.Status);
            Assert.NotEqual(125, result.Exit.Status);
            Assert.DoesNotContain("secret\n", result.OutputText);
        }
        Assert.Equal("public\n", Published.Succeed(Run(root, [.. options, "--", "cat", "/in/public"])));
        Assert.Equal("public\n", System.IO.File.ReadAllText(System.IO.Path.Combine(host, "public")));
        Assert.Equal(["public", "secret"], System.IO.Directory.EnumerateFiles(host).Select(path => System.IO.Path.GetFileName(path)).Order());
    }

    [Fact]
    public void Process_1_is_out_of_reach()
    {
        using ContainerRoot root = ContainerRoot.OrSkip().WithProbe();
        string usual = root.Run(root.Shell("probe process1") with { Ephemeral = true }).Out;
        Assert.Equal(usual, Published.Succeed(Run(root, Range, "--", "probe", "process1")));
        // Not even who may trace all of his own.
        Assert.Contains("ptrace EPERM\nread EPERM\n", Published.Succeed(Run(root, Range, "--capability", "CAP_SYS_PTRACE", "--", "probe", "process1")));
    }

    [Fact]
    public void Shows_binds_as_they_are_or_with_their_owners()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string host = root.Outside("host"), nested = System.IO.Path.Combine(host, "nested");
        System.IO.Directory.CreateDirectory(nested);
        Programs.Run("chmod", "0700", host);
        Programs.Run("mount", "-t", "tmpfs", "none", nested);
        try
        {
            // The way to it is closed to all but root of the host.
            Assert.Equal("65534\n0\n", Published.Succeed(Run(root, Range, "--bind", $"{host}:/raw:norec", "--bind", $"{host}:/in:norec:idmap", "--", "sh", "-c", "stat -c %u /raw /in; touch /in/made; ! ls /raw 2>/dev/null")));
            Assert.Equal(0u, Files.Status(System.IO.Path.Combine(host, "made")).Uid);
            Assert.Equal("0\n", Published.Succeed(Run(root, Range, "--bind", $"{host}:/in:ro:idmap", "--", "sh", "-c", "stat -f -c %T /in/nested >/dev/null && stat -c %u /in; ! touch /in/x 2>/dev/null && ! touch /in/nested/x 2>/dev/null")));
        }
        finally
        {
            Mounting.Unmount(nested);
        }
        // The host's users anyway.
        Assert.Equal("0\n", Programs.Run(Published.OrSkip(), "container-run", root.Path, "--bind", $"{host}:/in:idmap", "--", "stat", "-c", "%u", "/in"));
    }

    [Theory]
    [InlineData("exit 7", 7)]
    [InlineData("kill -KILL $$", 137)]
    [InlineData("kill -TERM $$", 143)]
    [InlineData("exec /nope", 127)]
    [InlineData("exec /etc/passwd", 126)]
    public void Passes_the_exit_status_on(string script, int status)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        foreach (string[] options in (string[][])[[], ["--in-place"], ["--user", "web"], ["--tty"]])
            Assert.Equal(status, Run(root, ["auto", .. options, "--", "sh", "-c", script]).Exit.Status);
    }

    [Fact]
    public void Gives_each_container_numbers_of_its_own_when_it_may_choose()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using RunningTool one = RunningTool.Start(root, ["--user-namespace", "auto"], "sleep 1000"), two = RunningTool.Start(root, ["--user-namespace", "auto"], "sleep 1000");
        ContainerDescription[] running = [.. ContainerRegistry.List().Where(c => c.Name == one.Name || c.Name == two.Name)];
        string[] owners = [.. running.Select(c => Outside(c.Process1)).Distinct()];
        Assert.Equal(2, owners.Length);
        Assert.All(owners, owner => Assert.InRange(uint.Parse(owner.Split(' ')[1], CultureInfo.InvariantCulture), 0x80000u, 0x6FFFFFFFu));
        string taken = $"{owners[0].Split(' ')[1]}:10";
        ProcessResult refused = Run(root, taken, "--", "id");
        Assert.Equal(($"container-run: user namespace {taken}: a container with numbers of its own (auto) has some of these now\n", 125), (refused.ErrorText, refused.Exit.Status));
        // Killed, it has none any more, and nothing of it is left.
        foreach (RunningTool tool in (RunningTool[])[one, two])
        {
            tool.Process.Kill(Signal.SIGKILL);
            tool.Process.Wait();
        }
        Patience.Until(() => running.All(c => HostProcess.StartTime(c.Process1) != c.StartTime), "the end of both");
        Published.Succeed(Run(root, taken, "--", "sh", "-c", ":"));
    }

    [Fact]
    public void Takes_no_numbers_that_somebody_has()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TempFolder etc = new();
        System.IO.File.WriteAllText(etc / "passwd", "root:x:0:0::/root:/bin/sh\none:x:524290:100::/:/bin/sh\n");
        System.IO.File.WriteAllText(etc / "group", "other:x:600000:\n");
        System.IO.File.WriteAllText(etc / "subuid", "one:650000:131072\n");
        using Microsoft.Win32.SafeHandles.SafeFileHandle? claim = new UserRange(null, 65536).Claim(etc.Path).Claim;
        UserNamespace users = new UserRange(null, 65536).Claim(etc.Path);
        using (users.Claim)
            Assert.True(users.Users[0].Outside >= 0xC0000, users.Users[0].ToString());
    }

    [Fact]
    public void Is_entered_as_one_of_its_own_users()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using RunningTool running = RunningTool.Start(root, ["--user-namespace", Range, "--user", "web", "--pids", "100"], "touch /tmp/of-web; sleep 1000");
        string Enter(params string[] arguments) => Published.Succeed(Published.Run(["container-enter", running.Name, .. arguments]));
        Assert.Equal("33\n33\n", Enter("--", "sh", "-c", "id -u; stat -c %u /tmp/of-web"));
        Assert.Equal("0\n1000000\n/dev/pts/0\r\n", Squeeze(Enter("--user", "root", "--", "sh", "-c", "id -u; grep -o 1000000 /proc/self/uid_map")) + Enter("--user", "root", "--tty", "--", "tty"));
    }

    [Theory]
    [InlineData("option '--user-namespace': expected auto, FROM or FROM:COUNT, such as 524288:65536, found '0:65536'", "0:65536")]
    [InlineData("option '--user-namespace': expected auto, FROM or FROM:COUNT, such as 524288:65536, found 'x'", "x")]
    [InlineData("option '--user-namespace': expected auto, FROM or FROM:COUNT, such as 524288:65536, found '1:2:3'", "1:2:3")]
    [InlineData("user namespace 4294967000:65536: numbers of users end at 4294967294", "4294967000:65536")]
    [InlineData("uid 33 is not mapped: --user-namespace has 10 numbers", "1000000:10", "--user", "web")]
    [InlineData("users of the container's own are mapped by the built-in engine only", Range, "--engine", "nspawn")]
    [InlineData("a system that boots cannot have a user namespace: leave out --user-namespace", Range, "--boot", "--init", "/usr/bin/sh")]
    public void Says_what_cannot_be_meant(string error, params string[] arguments)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        ProcessResult result = Run(root, [.. arguments, "--", "id"]);
        Assert.Equal(($"container-run: {error}", 125), (result.ErrorText.Split('\n')[0], result.Exit.Status));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--in-place")]
    public void Says_that_a_filesystem_cannot_be_shown_so(string option)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string merged = root.Outside("merged");
        foreach (string folder in (string[])[merged, root.Outside("upper"), root.Outside("work")])
            System.IO.Directory.CreateDirectory(folder);
        Programs.Run("mount", "-t", "overlay", "none", "-o", $"lowerdir={root.Path},upperdir={root.Outside("upper")},workdir={root.Outside("work")}", merged);
        try
        {
            ProcessResult result = Published.Run(["container-run", merged, .. option.Length > 0 ? new[] { option } : [], "--user-namespace", Range, "--", "id"]);
            Assert.Equal(($"container-run: {merged}: show with its owners: Invalid argument: what is mounted here cannot be shown in a user namespace (its filesystem, or it is shown with other owners already): copy it to another filesystem\n", 125),
                (result.ErrorText, result.Exit.Status));
        }
        finally
        {
            Mounting.Unmount(merged);
        }
    }

    [Fact]
    public void Keeps_limits_and_leaves_no_group()
    {
        using ContainerRoot root = ContainerRoot.OrSkip().WithProbe();
        ProcessResult killed = Run(root, "auto", "--memory", "32M", "--swap", "0", "--", "probe", "eat", "100");
        Assert.SkipWhen(killed.ErrorText.Contains("no control group", StringComparison.Ordinal), killed.ErrorText);
        Assert.Equal((137, "container-run: killed: out of memory (limit 32M)\n"), (killed.Exit.Status, killed.ErrorText));
        Assert.Equal(7, Run(root, "auto", "--memory", "64M", "--pids", "20", "--in-place", "--", "sh", "-c", "exit 7").Exit.Status);
        ProcessResult refused = Run(root, "auto", "--cpuset", "9999", "--memory", "1G", "--", "id");
        Assert.Matches("^container-run: /.*/layerbox-[0-9a-f]{32}/cpuset.cpus: write '9999': .*\n$", refused.ErrorText);
        Assert.DoesNotContain(refused.ErrorText.Split("/cpuset.cpus")[0].Split('/')[^1], Programs.Shell("find /sys/fs/cgroup -type d -name 'layerbox-*' 2>/dev/null || true") /* others' vanish meanwhile */);
    }

    [Fact]
    public void Tells_its_plan()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        JsonElement plan = JsonDocument.Parse(Published.Succeed(Run(root, Range, "--bind", "/usr:/in:ro:idmap", "--plan", "--", "id"))).RootElement;
        Assert.Equal((1000000, 65536), (plan.GetProperty("user_namespace").GetProperty("from").GetInt32(), plan.GetProperty("user_namespace").GetProperty("count").GetInt32()));
        Assert.Contains("user", plan.GetProperty("namespaces").EnumerateArray().Select(e => e.GetString()));
        foreach (string destination in (string[])["/", "/in"])
            Assert.Contains("idmap", plan.GetProperty("mounts").EnumerateArray().Single(m => m.GetProperty("destination").GetString() == destination).GetProperty("options").EnumerateArray().Select(e => e.GetString()));
        string chosen = Published.Succeed(Run(root, "auto", "--plan", "--", "id"));
        Assert.False(JsonDocument.Parse(chosen).RootElement.GetProperty("user_namespace").TryGetProperty("from", out _));
        Assert.Equal(chosen, Published.Succeed(Run(root, "auto", "--plan", "--", "id")));
    }

    [Fact]
    public void Is_made_by_a_process_with_other_threads_too()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        ContainerSpec spec = root.Shell("grep -o '0 *1000000 *6' /proc/self/uid_map; exit 5") with { Ephemeral = true, UserRange = new UserRange(1000000, 65536) };
        (ContainerResult result, string output, string errors) = root.Run(spec);
        Assert.Equal((5, "0 1000000 6", ""), (result.Status, Squeeze(output).Trim(), errors));
        string listing = root.Listing();
        Assert.Equal(5, root.Run(spec with { Ephemeral = false }).Result.Status);
        Assert.Equal(listing, root.Listing());
    }
}
