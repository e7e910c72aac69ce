using System.Globalization;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

public class ContainerRunTests
{
    private const string Spec = """
        {
          "name": "web",
          "features": [
            {"item": "extract", "root": "/", "programs": ["/usr/bin/dash", "/usr/bin/id", "/usr/bin/env", "/usr/bin/touch", "/usr/bin/cat"]},
            {"item": "ensure_dirs", "path": "/srv/web"}, {"item": "ensure_dirs", "path": "/etc"},
            {"item": "text", "dest": "/etc/passwd", "text": "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv/web:/bin/sh\n"},
            {"item": "text", "dest": "/etc/group", "text": "root:x:0:\nweb:x:34:\n"},
            {"item": "config", "entrypoint": ["/usr/bin/env"], "cmd": ["dash", "-c", "id -u; pwd; echo $PORT $HOME"], "env": {"PORT": "80"}, "user": "web", "working_dir": "/srv/web"}
          ]
        }
        """;

    private static ProcessResult Run(byte[]? input, params string[] arguments) =>
        Published.Feed(input ?? [], ["container-run", .. arguments]);

    private static ProcessResult Run(params string[] arguments) => Run(null, arguments);

    [Theory]
    [InlineData("exit 7", 7)]
    [InlineData("kill -KILL $$", 137)]
    [InlineData("kill -TERM $$", 143)]
    public void Passes_the_exit_status_on(string script, int status)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        Assert.Equal(status, Run(root.Path, "--", "sh", "-c", script).Exit.Status);
        Assert.Equal(status, Run(root.Path, "--in-place", "--", "sh", "-c", script).Exit.Status);
        Assert.Equal(status, Run(root.Path, "--engine", "nspawn", "--", "sh", "-c", script).Exit.Status);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Keeps_changes_in_memory_unless_it_is_told_otherwise(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string before = root.Listing();
        ProcessResult result = Run(root.Path, "--engine", engine, "--", "sh", "-c", "mkdir /new && mv /usr/lib /lib-moved 2>/dev/null; echo x > /new/file && rm /etc/passwd && cat /new/file");
        Assert.Equal((0, "x\n"), (result.Exit.Status, result.OutputText));
        Assert.Equal(before, root.Listing());
    }

    [Theory]
    [InlineData(127, "container-run: nope: run: No such file or directory\n", "--", "nope")]
    [InlineData(126, "container-run: /etc/passwd: run: Permission denied\n", "--", "/etc/passwd")]
    [InlineData(125, "container-run: no command given, and the layer's config has none: name one, or say --shell\nTry 'container-run --help' for more information.\n")]
    [InlineData(125, "container-run: unknown option '--netwrok'\nTry 'container-run --help' for more information.\n", "--netwrok", "none", "--", "id")]
    [InlineData(125, "container-run: option '--bind': expected SRC:DST, which :ro, :try, :norec and :idmap may follow, found '/x'\nTry 'container-run --help' for more information.\n", "--bind", "/x", "--", "id")]
    [InlineData(125, "container-run: option '--pid-file' is empty\nTry 'container-run --help' for more information.\n", "--pid-file", "", "--", "id")]
    [InlineData(125, "container-run: option '--json-status' is empty\nTry 'container-run --help' for more information.\n", "--json-status", "", "--", "id")]
    [InlineData(125, "container-run: option '--keep' is empty\nTry 'container-run --help' for more information.\n", "--keep", "", "--", "id")]
    [InlineData(125, "container-run: option '--init' is empty\nTry 'container-run --help' for more information.\n", "--boot", "--init", "", "--", "id")]
    [InlineData(125, "container-run: no command to run\n", "--boot", "--init", "/usr/bin/sleep", "--unit", "--", "")]
    [InlineData(125, "container-run: 'X': an environment variable has the form NAME=value\n", "--env", "X", "--", "id")]
    [InlineData(125, "container-run: --in-place, --snapshot and --keep: one of the three\nTry 'container-run --help' for more information.\n", "--in-place", "--snapshot", "--", "id")]
    [InlineData(125, "container-run: 'CAP_NOPE': no such capability; they are called CAP_MKNOD and so on, see capabilities(7)\n", "--capability", "CAP_NOPE", "--", "id")]
    [InlineData(125, "container-run: option '--rlimit': no limit 'FILES'; there are CPU, FSIZE, DATA, STACK, CORE, RSS, NPROC, NOFILE, MEMLOCK, AS, LOCKS, SIGPENDING, MSGQUEUE, NICE, RTPRIO, RTTIME\nTry 'container-run --help' for more information.\n", "--rlimit", "FILES=3", "--", "id")]
    [InlineData(125, "container-run: option '--rlimit': expected NAME=SOFT or NAME=SOFT:HARD, such as NOFILE=1024, found 'NOFILE'\nTry 'container-run --help' for more information.\n", "--rlimit", "NOFILE", "--", "id")]
    [InlineData(125, "container-run: CORE=2:1: the soft limit is above the hard one\n", "--rlimit", "CORE=2:1", "--", "id")]
    [InlineData(125, "container-run: option '--forward-fd': you have no descriptor 9 open\nTry 'container-run --help' for more information.\n", "--forward-fd", "9", "--", "id")]
    [InlineData(125, "container-run: option '--umask': expected an octal mode such as 0027, found '8'\nTry 'container-run --help' for more information.\n", "--umask", "8", "--", "id")]
    [InlineData(125, "container-run: option '--umask': expected an octal mode such as 0027, found '1000'\nTry 'container-run --help' for more information.\n", "--umask", "1000", "--", "id")]
    [InlineData(125, "container-run: the limits of memory and swap are too large together\n", "--memory", "8388607T", "--swap", "8388607T", "--", "id")]
    [InlineData(125, "container-run: a limit of processors is at most 100000\n", "--cpus", "100001", "--", "id")]
    [InlineData(125, "container-run: '-1001': an oom score adjustment is between -1000 and 1000\n", "--oom-score-adj=-1001", "--", "id")]
    [InlineData(125, "container-run: 'CAP_KILL': cannot be both given and dropped\n", "--capability", "CAP_KILL", "--drop-capability", "CAP_KILL", "--", "id")]
    [InlineData(125, "container-run: /etc/passwd: is no device: bind it instead\n", "--device", "/etc/passwd", "--", "id")]
    [InlineData(125, "container-run: 'proc': a path inside the container has to be absolute and without '..'\n", "--mask", "proc", "--", "id")]
    [InlineData(125, "container-run: /no/such: open: No such file or directory\n", "--bind", "/no/such:/x:ro", "--", "id")]
    [InlineData(124, "container-run: killed: its time is up\n", "--timeout", "1s", "--kill-grace", "20s", "--", "sleep", "60")]
    [InlineData(124, "container-run: killed: its time is up\n", "--timeout", "1s", "--", "sleep", "60")]
    public void Says_in_one_line_what_went_wrong(int status, string errors, params string[] arguments)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        ProcessResult result = Run([root.Path, .. arguments]);
        Assert.Equal((status, "", errors), (result.Exit.Status, result.OutputText, result.ErrorText));
    }

    [Theory]
    [InlineData("builtin", "")]
    [InlineData("nspawn", "")]
    [InlineData("builtin", "--in-place")]
    [InlineData("nspawn", "--in-place")]
    [InlineData("builtin", "--read-only --boot --init /usr/bin/true")]
    [InlineData("nspawn", "--read-only --boot --init /usr/bin/true")]
    public void Says_which_bind_does_not_fit_where_it_shall_be(string engine, string options)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string before = root.Listing();
        foreach ((string[] mount, string reason) in ((string[], string)[])
        [
            (["--bind", "/etc/hostname:/etc:ro"], "/etc: bind /etc/hostname: a file cannot be mounted over a folder"),
            (["--bind", "/usr:/etc/passwd"], "/etc/passwd: bind /usr: a folder cannot be mounted over a file"),
            (["--device", "/dev/null", "--bind", "/etc/hostname:/dev/shm"], "/dev/shm: bind /etc/hostname: a file cannot be mounted over a folder"),
            (["--tmpfs", "/etc/passwd"], "/etc/passwd: mount tmpfs: a folder cannot be mounted over a file"),
        ])
        {
            ProcessResult result = Run([root.Path, "--engine", engine, .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries), .. mount, "--", "id"]);
            Assert.Equal((125, "", $"container-run: {reason}\n"), (result.Exit.Status, result.OutputText, result.ErrorText));
        }
        Assert.Equal(before, root.Listing());
    }

    [Fact]
    public void Says_what_is_empty()
    {
        foreach ((string tool, string reason, string[] arguments) in ((string, string, string[])[])
        [
            ("container-run", "HANDLE is empty", ["", "--", "id"]),
            ("container-run", "option '--bundle' is empty", ["--bundle", ""]),
            ("container-enter", "CONTAINER is empty", ["", "--", "id"]),
        ])
        {
            ProcessResult result = Published.Run([tool, .. arguments]);
            Assert.Equal((125, "", $"{tool}: {reason}\nTry '{tool} --help' for more information.\n"), (result.Exit.Status, result.OutputText, result.ErrorText));
        }
    }

    // With the host's network its names, too: as a file, and where the image has a link to what only a running system has.
    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Looks_names_up_as_the_host_does_when_it_is_told_to(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string names = root.Outside("resolv.conf"), place = "/run/systemd/resolve/stub-resolv.conf";
        System.IO.File.WriteAllText(names, "nameserver 192.0.2.1\n");
        Assert.Equal("nameserver 192.0.2.1\n", Run(root.Path, "--engine", engine, "--network", "host", "--bind", $"{names}:/etc/resolv.conf:ro", "--", "cat", "/etc/resolv.conf").OutputText);
        System.IO.File.CreateSymbolicLink(root / "etc/resolv.conf", $"..{place}");
        Assert.Equal("nameserver 192.0.2.1\n", Run(root.Path, "--engine", engine, "--network", "host", "--bind", $"{names}:{place}:ro", "--", "cat", "/etc/resolv.conf").OutputText);
    }

    [Fact]
    public void Adds_nothing_to_what_the_command_writes()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        byte[] bytes = [0, 0xFF, .. "line\r\n"u8, 0x1B];
        ProcessResult result = Run(bytes, root.Path, "--in-place", "--", "cat");
        Assert.Equal((0, ""), (result.Exit.Status, result.ErrorText));
        Assert.Equal(bytes, result.Output);
    }

    [Fact]
    public void Takes_options_for_all_that_a_container_has()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        System.IO.Directory.CreateDirectory(root.Outside("a:b"));
        ProcessResult result = Run(
            root.Path, "--in-place", "--user", "web:log", "--env", "A=1", "--env", "A=2", "--workdir", "/usr", "--hostname", "h1", "--tmpfs", "/mem",
            "--bind", $"{root.Outside("a\\:b")}:/in:ro", "--network", "host", "--capability", "CAP_MKNOD", "--",
            "sh", "-c", "id -u; id -g; echo $A; pwd; hostname; stat -f -c %T /mem; grep CapBnd /proc/self/status; readlink /proc/self/ns/net; touch /in/x");
        string network = Programs.Shell("readlink /proc/self/ns/net");
        Assert.Equal($"33\n4\n2\n/usr\nh1\ntmpfs\nCapBnd:\t00000000a80425fb\n{network}", result.OutputText);
        Assert.Contains("Read-only file system", result.ErrorText);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Takes_options_for_what_a_command_can_reach_and_use(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        System.IO.File.WriteAllText(root.Outside("in"), "of 5\n");
        // Descriptor 3 is the tool's own once it runs; 5 and 7 come with it, in the order that was asked for.
        ProcessResult result = ChildProcess.Run(new ProgramStart("bash", "-c", """
            exec 5< "$2" 7> "$3"
            exec "$1" container-run "$4" --engine "$5" --bind /no/such:/none:try:ro --mask /etc/passwd --device /dev/loop-control --drop-capability all --capability CAP_KILL \
                --rlimit NOFILE=20:30 --rlimit core=0 --oom-score-adj 5 --umask 027 --forward-fd 7,5 -- \
                sh -c 'cat /etc/passwd <&4; [ -c /dev/loop-control ] && [ ! -e /none ] && cat <&4; echo $LISTEN_FDS >&3; ulimit -Sn; ulimit -Hn; ulimit -c; umask; cat /proc/self/oom_score_adj; grep CapEff /proc/self/status'
            """, "bash", Published.OrSkip(), root.Outside("in"), root.Outside("out"), root.Path, engine));
        Assert.Equal((0, "of 5\n20\n30\n0\n0027\n5\nCapEff:\t0000000000000020\n", ""), (result.Exit.Status, result.OutputText, result.ErrorText));
        Assert.Equal("2\n", System.IO.File.ReadAllText(root.Outside("out")));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Tells_other_programs_what_becomes_of_the_container(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string pidFile = root.Outside("pid"), status = root.Outside("status");
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using (read)
        {
            ChildProcess tool = ChildProcess.Start(new ProgramStart(Published.OrSkip(), "container-run", root.Path, "--engine", engine, "--pid-file", pidFile, "--json-status", status, "--", "sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done") { Output = write });
            write.Dispose();
            Assert.Equal(6, Files.Read(read, new byte[6]));
            Patience.Until(() => System.IO.File.Exists(pidFile), "the file with the number");
            string pid = System.IO.File.ReadAllText(pidFile).Trim();
            Assert.EndsWith("\t1\n", Programs.Run("grep", "NSpid", $"/proc/{pid}/status"));
            Assert.Equal("\"layerbox\"\n", Programs.Run("nsenter", "-t", pid, "-u", "-m", "--", "sh", "-c", "echo \\\"$(hostname)\\\""));
            tool.Kill(Signal.SIGTERM);
            Assert.Equal(7, tool.Wait().Status);
            Assert.False(System.IO.File.Exists(pidFile));
            Assert.Equal($"{{\"event\":\"made\",\"pid\":{pid}}}\n{{\"event\":\"exited\",\"status\":7}}\n", System.IO.File.ReadAllText(status));
        }
        Assert.Equal("{\"event\":\"exited\",\"status\":137,\"signal\":9}\n", Status("--", "sh", "-c", "kill -KILL $$"));
        Assert.Equal("{\"event\":\"exited\",\"status\":124,\"signal\":9,\"timed_out\":true}\n", Status("--timeout", "1s", "--", "sleep", "60"));
        Assert.Equal("{\"event\":\"exited\",\"status\":127,\"error\":\"nope: run: No such file or directory\"}\n", Status("--", "nope"));
        Assert.Equal("{\"event\":\"failed\",\"status\":125,\"error\":\"/nope: chdir: No such file or directory\"}\n", Status("--workdir", "/nope", "--", "id"));

        string Status(params string[] arguments)
        {
            ProcessResult result = ChildProcess.Run(new ProgramStart("bash", ["-c", "exec 9>&1 >/dev/null 2>&1; exec \"$@\"", "bash", Published.OrSkip(), "container-run", root.Path, "--engine", engine, "--json-status", "9", .. arguments]));
            return string.Concat(result.OutputText.Split('\n').Where(line => line.Length > 0 && !line.Contains("\"made\"", StringComparison.Ordinal)).Select(line => line + "\n"));
        }
    }

    [Fact]
    public void Works_on_a_snapshot_that_is_gone_afterwards()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using ContainerRoot root = ContainerRoot.OrSkip();
        Programs.Run("btrfs", "subvolume", "create", volume / "work");
        Programs.Run("cp", "-a", $"{root.Path}/.", volume / "work");
        string before = Programs.Run("find", volume / "work", "-printf", "%P %T@\n");
        Tools.Run("volume-make", volume.Path).AssertSucceeded();
        Assert.Equal(0, Run(volume / "work", "--volume", volume.Path, "--snapshot", "--", "touch", "/flag", "/etc/flag").Exit.Status);
        Assert.Equal(before, Programs.Run("find", volume / "work", "-printf", "%P %T@\n"));
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(volume / "tmp"));
        Assert.Equal(0, Run(volume / "work", "--volume", volume.Path, "--in-place", "--", "touch", "/flag").Exit.Status);
        Assert.True(System.IO.File.Exists(volume / "work/flag"));
    }

    [Fact]
    public void Keeps_a_snapshot_where_it_is_told_to()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using ContainerRoot root = ContainerRoot.OrSkip();
        Programs.Run("btrfs", "subvolume", "create", volume / "work");
        Programs.Run("cp", "-a", $"{root.Path}/.", volume / "work");
        Programs.Run("btrfs", "subvolume", "snapshot", "-r", volume / "work", volume / "ro");
        string kept = volume / "kept", before = Programs.Run("find", volume / "ro", "-printf", "%P %T@\n");
        Assert.Equal(3, Run(volume / "ro", "--keep", kept, "--", "/bin/sh", "-c", "echo new > /etc/flag; exit 3").Exit.Status);
        Assert.Equal("new\n", System.IO.File.ReadAllText(kept + "/etc/flag"));
        Assert.Equal(before, Programs.Run("find", volume / "ro", "-printf", "%P %T@\n"));

        ProcessResult again = Run(volume / "ro", "--keep", kept, "--", "id"), elsewhere = Run(volume / "ro", "--keep", root.Path + "/elsewhere", "--", "id");
        Assert.Equal((125, $"container-run: --keep: {kept}: subvolume snapshot: File exists\n"), (again.Exit.Status, again.ErrorText));
        Assert.Equal((125, $"container-run: --keep: {root.Path}/elsewhere: is not on the filesystem of {volume / "ro"}: name a folder there\n"), (elsewhere.Exit.Status, elsewhere.ErrorText));
        Assert.Equal("new\n", System.IO.File.ReadAllText(kept + "/etc/flag"));
        // What never ran leaves nothing.
        Assert.Equal(125, Run(volume / "ro", "--keep", volume / "none", "--bind", "/no/such:/x", "--", "id").Exit.Status);
        Assert.False(System.IO.Directory.Exists(volume / "none"));
    }

    [Fact]
    public void Refuses_what_would_change_a_layer_or_cannot_be_undone()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using ContainerRoot root = ContainerRoot.OrSkip();
        Programs.Run("btrfs", "subvolume", "create", volume / "work");
        Programs.Run("btrfs", "subvolume", "snapshot", "-r", volume / "work", volume / "ro");
        ProcessResult frozen = Run(volume / "ro", "--in-place", "--", "id"), plain = Run(root.Path, "--snapshot", "--", "id");
        Assert.Equal((125, $"container-run: {volume / "ro"}: is a read-only subvolume: leave out --in-place, or snapshot it with subvol-snapshot\n"), (frozen.Exit.Status, frozen.ErrorText));
        Assert.Equal((125, $"container-run: {root.Path}: is no btrfs subvolume, so it cannot be snapshotted: leave out --snapshot, and changes are in memory\n"), (plain.Exit.Status, plain.ErrorText));
    }

    [Fact]
    public void Runs_a_layer_as_its_config_says()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using TempFolder folder = new();
        System.IO.File.WriteAllText(folder / "web.layer.json", Spec);
        byte[] handle = Tools.Run("layer-compile", folder / "web.layer.json", "--output", folder / "web.layer", "--volume", volume.Path).AssertSucceeded().Bytes;
        string[] layer = [folder / "web.layer", "--volume", volume.Path];

        Assert.Equal("33\n/srv/web\n80 /srv/web\n", Run(layer).ThrowIfFailed().OutputText);
        Assert.Equal("0\n", Run([.. layer, "--user", "root", "--", "id", "-u"]).ThrowIfFailed().OutputText);
        Assert.Equal("33\n", Run(handle, "-", "--volume", volume.Path, "--", "id", "-u").ThrowIfFailed().OutputText);
        ProcessResult inPlace = Run([.. layer, "--in-place", "--", "id"]);
        Assert.Equal(125, inPlace.Exit.Status);
        Assert.StartsWith("container-run: --in-place: a layer never changes", inPlace.ErrorText);
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(volume / "tmp"));
    }

    [Fact]
    public void Shows_the_mounts_that_a_layer_records_and_says_which_is_gone()
    {
        const string Mounting = """
            {
              "name": "mounting", "parent": "base.layer", "allow_host_mounts": ["/etc/hostname"],
              "features": [
                {"item": "ensure_dirs", "path": "/in"},
                {"item": "mount", "mountpoint": "/in/data", "layer": "data.layer"},
                {"item": "mount", "mountpoint": "/in/name", "host": "/etc/hostname", "is_file": true}
              ]
            }
            """;
        using TempVolume volume = TempVolume.OrSkip();
        using TempFolder folder = new();
        Compile("base", """{"name": "base", "features": [{"item": "extract", "root": "/", "programs": ["/usr/bin/cat", "/usr/bin/touch"]}]}""");
        Compile("data", """{"name": "data", "features": [{"item": "text", "dest": "/file", "text": "of the layer\n"}]}""");
        Compile("mounting", Mounting);
        string[] layer = [folder / "mounting.layer", "--volume", volume.Path];

        Assert.Equal("of the layer\n" + Programs.Run("cat", "/etc/hostname"), Run([.. layer, "--", "cat", "/in/data/file", "/in/name"]).ThrowIfFailed().OutputText);
        Assert.Contains("Read-only file system", Run([.. layer, "--", "touch", "/in/data/x"]).ErrorText);

        System.IO.File.Delete(folder / "data.layer");
        Tools.Run("subvol-gc", "--volume", volume.Path, "--grace", "0s").AssertSucceeded();
        ProcessResult gone = Run([.. layer, "--", "cat"]);
        Assert.Equal(125, gone.Exit.Status);
        Assert.Matches("^container-run: /in/data: layer 'data' with sha256:[0-9a-f]{64}, which is to be mounted there, is not on the volume: compile it again\n$", gone.ErrorText);

        void Compile(string name, string spec)
        {
            System.IO.File.WriteAllText(folder / $"{name}.layer.json", spec);
            Tools.Run("layer-compile", folder / $"{name}.layer.json", "--output", folder / $"{name}.layer", "--volume", volume.Path).AssertSucceeded();
        }
    }

    [Fact]
    public void Passes_a_termination_on_and_cleans_up()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using ContainerRoot root = ContainerRoot.OrSkip();
        using ChildProcess tool = StartInSnapshot(volume, root, "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done", out _);
        tool.Kill(Signal.SIGTERM);
        Assert.Equal(42, tool.Wait().Status);
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(volume / "tmp"));
    }

    [Fact]
    public void Leaves_nothing_running_when_it_is_killed()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using ContainerRoot root = ContainerRoot.OrSkip();
        using ChildProcess tool = StartInSnapshot(volume, root, "echo ready; sleep 1000 & wait", out string mark);
        Assert.NotEmpty(ProcessesWith(mark));
        tool.Kill(Signal.SIGKILL);
        Assert.Equal(Signal.SIGKILL, tool.Wait().Signal);
        Patience.Until(() => ProcessesWith(mark).Length == 0, "the end of all processes");
        // The snapshot is for the collector.
        Assert.NotEmpty(System.IO.Directory.EnumerateFileSystemEntries(volume / "tmp"));
        Tools.Run("subvol-gc", "--volume", volume.Path, "--grace", "0s").AssertSucceeded();
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(volume / "tmp"));
    }

    // Starts the tool and waits until the command in it says "ready". All processes of the command have the mark in their environment.
    private static ChildProcess StartInSnapshot(TempVolume volume, ContainerRoot root, string script, out string mark)
    {
        Programs.Run("btrfs", "subvolume", "create", volume / "work");
        Programs.Run("cp", "-a", $"{root.Path}/.", volume / "work");
        Tools.Run("volume-make", volume.Path).AssertSucceeded();
        mark = string.Create(CultureInfo.InvariantCulture, $"MARK={Guid.NewGuid():N}");
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using (read)
        using (write)
        {
            ChildProcess tool = ChildProcess.Start(new ProgramStart(
                Published.OrSkip(), "container-run", volume / "work", "--volume", volume.Path, "--snapshot", "--env", mark, "--", "sh", "-c", script)
            { Output = write });
            write.Dispose();
            byte[] buffer = new byte[10];
            Assert.Equal("ready\n", Encoding.UTF8.GetString(buffer, 0, Files.Read(read, buffer)));
            return tool;
        }
    }

    private static string[] ProcessesWith(string mark) =>
        [.. System.IO.Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0]) && HasMark(folder, mark))];

    private static bool HasMark(string process, string mark)
    {
        try
        {
            return System.IO.File.ReadAllText(Path.Combine(process, "environ")).Contains(mark, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
