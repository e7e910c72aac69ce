using System.Globalization;
using System.Text.Json;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>Finding containers that run, and commands that are entered into them.</summary>
public class ContainerEnterTests
{
    // What a process is, seen from inside.
    private const string Self = "grep -E '^(Cap[PEBA]|NoNewPrivs|Seccomp:|Uid|Gid|Groups|SigBlk|SigIgn)' /proc/self/status; env | sort | grep -v ^_; pwd; umask; hostname; readlink /proc/self/ns/*; ulimit -n; dd if=/dev/null of=/dev/null conv=fsync 2>/dev/null && echo unsynced";

    private static ProcessResult Enter(RunningTool running, params string[] arguments) => Published.Run(["container-enter", running.Name, .. arguments]);

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void An_entered_command_is_what_the_containers_own_is(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        // sort and readlink of several are not in the root, so the comparison is of this script's text alone.
        string script = Self.Replace("| sort ", "", StringComparison.Ordinal);
        using RunningTool running = RunningTool.Start(root, ["--engine", engine, "--user", "web", "--env", "A=1 2", "--workdir", "/usr", "--hostname", "inside", "--capability", "CAP_NET_ADMIN", "--suppress-sync"], $"{script}; echo end; sleep 1000");
        ProcessResult entered = Enter(running, "--", "sh", "-c", $"{script}; echo end");
        Assert.Equal(("", 0), (entered.ErrorText, entered.Exit.Status));
        Assert.Equal(running.ReadTo("end"), Lines(entered.OutputText, "end"));
        // As root of the container: its capabilities, not the host's.
        ulong bounding = Hex(Enter(running, "--user", "root", "--", "grep", "CapBnd", "/proc/self/status").OutputText);
        Assert.Equal(bounding, Hex(Enter(running, "--user", "root", "--", "grep", "CapEff", "/proc/self/status").OutputText));
        Assert.Equal(0xa80435fbUL & ~(1UL << 27), bounding);
    }

    [Theory]
    [InlineData("exit 7", 7)]
    [InlineData("kill -KILL $$", 137)]
    [InlineData("kill -TERM $$", 143)]
    [InlineData("exec /nope", 127)]
    public void Passes_the_exit_status_on(string script, int status)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using RunningTool running = RunningTool.Start(root, [], "sleep 1000");
        Assert.Equal(status, Enter(running, "--", "sh", "-c", script).Exit.Status);
    }

    [Fact]
    public void Carries_streams_signals_times_and_errors_as_container_run_does()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using RunningTool running = RunningTool.Start(root, [], "sleep 1000");
        byte[] bytes = [0, 0xFF, .. "line\r\n"u8, 0x1B];
        Assert.Equal(bytes, Published.Feed(bytes, "container-enter", running.Name, "--", "cat").Output);
        Assert.Equal((127, "container-enter: nope: run: No such file or directory\n"), Ended(Enter(running, "--", "nope")));
        Assert.Equal((126, "container-enter: /etc/passwd: run: Permission denied\n"), Ended(Enter(running, "--", "/etc/passwd")));
        Assert.Equal((124, "container-enter: killed: its time is up\n"), Ended(Enter(running, "--timeout", "1s", "--", "sleep", "60")));
        Assert.Equal((125, "container-enter: /nope: chdir: No such file or directory\n"), Ended(Enter(running, "--workdir", "/nope", "--", "id")));
        Assert.Equal((125, "container-enter: none: no such container runs: container-list shows those that do\n"), Ended(Published.Run("container-enter", "none", "--", "id")));
        Assert.Equal((125, $"container-enter: {running.Name}: etc/passwd: no user 'nope'\n"), Ended(Enter(running, "--user", "nope", "--", "id")));
        Assert.Equal("1\n2\n", Enter(running, "--env", "B=1\n2", "--", "sh", "-c", "echo \"$B\"").OutputText);

        using RunningTool entered = RunningTool.Run([Published.OrSkip(), "container-enter", running.Name, "--", "sh", "-c", "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done"], running.Name);
        entered.ReadTo("ready");
        entered.Process.Kill(Signal.SIGTERM);
        Assert.Equal(42, entered.Process.Wait().Status);
    }

    [Fact]
    public void The_command_ends_with_the_tool_and_with_the_container()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using RunningTool running = RunningTool.Start(root, [], "sleep 1000");
        using (RunningTool entered = RunningTool.Run([Published.OrSkip(), "container-enter", running.Name, "--user", "web", "--", "sh", "-c", "echo ready; exec sleep 1001"], running.Name))
        {
            entered.ReadTo("ready");
            Assert.Equal("1001", Enter(running, "--", "sh", "-c", "grep -a -h -o 1001 /proc/[1-9]*/cmdline | head -n 1").OutputText.Trim()[..4]);
            entered.Process.Kill(Signal.SIGKILL);
        }
        Patience.Until(() => Enter(running, "--", "sh", "-c", "grep -a -l '^sleep.1001' /proc/[1-9]*/cmdline").OutputText.Length == 0, "the end of the command");

        using RunningTool last = RunningTool.Run([Published.OrSkip(), "container-enter", running.Name, "--", "sh", "-c", "echo ready; exec sleep 1002"], running.Name);
        last.ReadTo("ready");
        running.Process.Kill(Signal.SIGKILL);
        Assert.Equal(137, last.Process.Wait().Status);
    }

    [Fact]
    public void Lists_what_runs_and_nothing_else()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using RunningTool one = RunningTool.Start(root, [], "sleep 1000"), two = RunningTool.Start(root, ["--engine", "nspawn"], "sleep 1000"),
            three = RunningTool.Start(root, ["--read-only"], "sleep 1000");
        Dictionary<string, JsonElement> listed = [];
        foreach (string line in Published.Run("container-list").ThrowIfFailed().OutputText.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            JsonElement container = JsonDocument.Parse(line).RootElement;
            listed[container.GetProperty("name").GetString()!] = container;
        }
        foreach ((RunningTool tool, string engine) in new[] { (one, "builtin"), (two, "nspawn"), (three, "builtin") })
        {
            JsonElement container = listed[tool.Name];
            Assert.Equal((engine, false, root.Path, tool.Process.Id),
                (container.GetProperty("engine").GetString(), container.GetProperty("booted").GetBoolean(), container.GetProperty("root").GetString(), container.GetProperty("tool").GetInt32()));
            Assert.Equal(["sh", "-c", "echo started; sleep 1000"], container.GetProperty("command").EnumerateArray().Select(argument => argument.GetString()));
            // Found by whatever names it.
            string id = container.GetProperty("id").GetString()!, process1 = container.GetProperty("process_1").GetInt32().ToString(CultureInfo.InvariantCulture);
            foreach (string name in (string[])[id, id[..6], process1, tool.Process.Id.ToString(CultureInfo.InvariantCulture)])
                Assert.Equal(0, Published.Run("container-enter", name, "--", "id").Exit.Status);
        }
        Assert.Contains(one.Name, Published.Run("container-list", "--format", "table").OutputText);
        one.Process.Kill(Signal.SIGKILL);
        one.Process.Wait();
        Assert.DoesNotContain(one.Name, Published.Run("container-list").OutputText);
    }

    [Fact]
    public void A_container_runs_inside_of_a_container_and_is_listed_there_alone()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using RunningTool outer = RunningTool.Start(root, ["--capability", "all", "--seccomp", "none", "--bind", $"{Published.OrSkip()}:/layerbox:ro"],
            "exec /layerbox container-run / --name inner -- sh -c 'echo inside; exec sleep 1000'");
        outer.ReadTo("inside");
        Assert.DoesNotContain("\"name\":\"inner\"", Published.Run("container-list").OutputText);
        Assert.Contains("\"name\":\"inner\"", Enter(outer, "--", "/layerbox", "container-list").OutputText);
        Assert.Equal("uid=0(root)", Enter(outer, "--", "/layerbox", "container-enter", "inner", "--", "id").OutputText.Split(' ')[0]);
    }

    [Fact]
    public void Believes_no_description_that_comes_from_inside_of_a_container()
    {
        using ContainerRoot root = ContainerRoot.OrSkip().WithProbe();
        string name = $"fake-{Guid.NewGuid():N}", start = System.IO.File.ReadAllText("/proc/1/stat").Split(") ")[^1].Split(' ')[19];
        using RunningTool running = RunningTool.Start(root, [], $"probe announce {name} 1 {start} & sleep 1000");
        running.ReadTo("announced");
        Assert.DoesNotContain($"\"name\":\"{name}\"", Published.Run("container-list").OutputText);
        // The same from outside is believed of root, so the probe did what it should.
        using RunningTool outside = RunningTool.Run([root / "usr/bin/probe", "announce", name, "1", start], name);
        outside.ReadTo("announced");
        Assert.Contains($"\"name\":\"{name}\"", Published.Run("container-list").OutputText);
    }

    [Fact]
    public void A_shell_is_that_of_the_user_by_name()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using RunningTool running = RunningTool.Start(root, [], "sleep 1000");
        ProcessResult result = Published.Feed("echo $USER $LOGNAME; exit 3\n"u8.ToArray(), "container-enter", running.Name, "--shell");
        Assert.Equal((3, "root root\n"), (result.Exit.Status, result.OutputText));
    }

    private static (int? Status, string Errors) Ended(ProcessResult result) => (result.Exit.Status, result.ErrorText);

    private static string Lines(string text, string last) => text[..(text.IndexOf($"{last}\n", StringComparison.Ordinal) + last.Length + 1)];

    private static ulong Hex(string line) => ulong.Parse(line.Split('\t')[1].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}

/// <summary>A tool at work whose output can be read as it comes. Killed when disposed.</summary>
internal sealed class RunningTool : IDisposable
{
    private readonly StreamReader _output;

    private RunningTool(ChildProcess process, SafeFileHandle output, string name) =>
        (Process, _output, Name) = (process, new StreamReader(new FdStream(output, "output")), name);

    public ChildProcess Process { get; }

    public string Name { get; }

    /// <summary>container-run with a name of its own; the command runs, and others can find the container, when this returns.</summary>
    public static RunningTool Start(ContainerRoot root, string[] options, string script)
    {
        string name = $"test-{Guid.NewGuid():N}";
        RunningTool tool = Run([Published.OrSkip(), "container-run", root.Path, "--name", name, .. options, "--", "sh", "-c", $"echo started; {script}"], name);
        tool.ReadTo("started");
        // The tool hears of the command when that may have said so already.
        Patience.Until(() => ContainerRegistry.List().Any(container => container.Name == name), "the container to be listed");
        return tool;
    }

    public static RunningTool Run(string[] command, string name)
    {
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadOnly);
        using (write)
            return new RunningTool(ChildProcess.Start(new ProgramStart(command[0], command[1..]) { Input = nothing, Output = write }), read, name);
    }

    /// <summary>All up to this line, and it.</summary>
    public string ReadTo(string last)
    {
        System.Text.StringBuilder text = new();
        while (_output.ReadLine() is { } line)
        {
            text.Append(line).Append('\n');
            if (line == last)
                return text.ToString();
        }
        throw new InvalidOperationException($"no line '{last}' but: {text}");
    }

    public string ReadToEnd() => _output.ReadToEnd();

    public void Dispose()
    {
        Process.Kill(Signal.SIGKILL);
        Process.Wait();
        Process.Dispose();
        _output.Dispose();
    }
}
