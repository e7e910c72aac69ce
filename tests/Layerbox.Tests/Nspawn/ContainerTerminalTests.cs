using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

/// <summary>container-run on a terminal, and with one of its own where it has none.</summary>
public class ContainerTerminalTests
{
    private const string Builtin = "builtin", Nspawn = "nspawn";

    private static TerminalSession Shell(ContainerRoot root, string script, params string[] options) =>
        TerminalSession.OfTool([root.Path, .. options, "--", "sh", "-c", script]);

    [Theory]
    [InlineData(Builtin)]
    [InlineData(Nspawn)]
    public void Gives_the_command_a_terminal_of_its_own(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = Shell(root, "tty; stty size; tty <&1; tty <&2; stat -c '%u %g %a' /dev/pts/0; echo x >/dev/tty; echo $TERM$SECRET; exit 7", "--engine", engine, "--user", "web");
        Assert.Equal(7, session.End());
        Assert.Equal("/dev/pts/0\r\n30 100\r\n/dev/pts/0\r\n/dev/pts/0\r\n33 5 620\r\nx\r\nxterm\r\n", session.Await("xterm\r\n") + "xterm\r\n");
        Assert.Equal(session.Cooked, session.Mode);
    }

    [Theory]
    [InlineData(Builtin)]
    [InlineData(Nspawn)]
    public void Shows_it_as_the_console_too(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = Shell(root, "echo hello >/dev/console; grep -c ' /dev/console ' /proc/self/mounts", "--engine", engine);
        Assert.Equal(0, session.End());
        session.Await("hello\r\n1\r\n");
    }

    [Theory]
    [InlineData(Builtin)]
    [InlineData(Nspawn)]
    public void Tells_of_another_size_once(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = TerminalSession.OfTool(root.Path, "--engine", engine, "--", "sh", "-c", "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done");
        session.Await("ready\r\n");
        session.Resize(new TerminalSize(50, 120));
        session.Await("50 120\r\n");
        // The same size: somebody means the command.
        session.Process.Kill(Signal.SIGWINCH);
        Assert.Equal("", session.Await("50 120\r\n"));
    }

    [Theory]
    [InlineData(Builtin)]
    [InlineData(Nspawn)]
    public void Keys_mean_inside_what_they_mean(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = TerminalSession.OfTool(root.Path, "--engine", engine, "--env", "PS1=> ", "--", "sh", "-i");
        session.Await("> ");
        session.Type("cat\r");
        session.Await("cat\r\n");
        session.Type("line\r");
        session.Await("line\r\nline\r\n");
        session.Type("\x1A");
        session.Await("Stopped");
        session.Await("> ");
        session.Type("fg\r");
        session.Await("cat\r\n");
        session.Type("more\r");
        session.Await("more\r\nmore\r\n");
        session.Type("\x04");
        session.Await("> ");
        session.Type("sh -c 'echo begun; exec sleep 1000'; echo status $?\r");
        session.Await("begun\r\n");
        session.Type("\x03");
        session.Await("> ");
        session.Type("exit 5\r");
        Assert.Equal(5, session.End());
        Assert.Equal(session.Cooked, session.Mode);
    }

    [Fact]
    public void Runs_raw_and_never_makes_the_terminal_non_blocking()
    {
        const int NonBlocking = 0x800;
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = Shell(root, "echo ready; exec sleep 1000");
        session.Await("ready");
        session.AwaitMode(raw: true);
        for (int fd = 0; fd < 3; fd++)
        {
            string flags = System.IO.File.ReadAllLines($"/proc/{session.Process.Id}/fdinfo/{fd}").Single(line => line.StartsWith("flags:", StringComparison.Ordinal))[6..].Trim();
            Assert.Equal(0, Convert.ToInt32(flags, 8) & NonBlocking);
        }
    }

    [Theory]
    [InlineData(Builtin, "kill -SEGV $$", 139)]
    [InlineData(Builtin, "kill -KILL $$", 137)]
    [InlineData(Builtin, "exit 0", 0)]
    [InlineData(Builtin, "exit 0", 125, "--workdir", "/nope")]
    [InlineData(Builtin, "sleep 1000", 124, "--timeout", "1s")]
    [InlineData(Nspawn, "kill -SEGV $$", 139)]
    [InlineData(Nspawn, "exit 0", 125, "--workdir", "/nope")]
    [InlineData(Nspawn, "sleep 1000", 124, "--timeout", "1s")]
    public void Leaves_the_terminal_as_it_was(string engine, string script, int status, params string[] options)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = Shell(root, script, [.. options, "--engine", engine]);
        Assert.Equal(status, session.End());
        Assert.Equal(session.Cooked, session.Mode);
    }

    [Fact]
    public void Leaves_the_terminal_as_it_was_when_there_is_no_such_command()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = TerminalSession.OfTool(root.Path, "--", "nope");
        Assert.Equal(127, session.End());
        session.Await("container-run: nope: run: No such file or directory\r\n");
        Assert.Equal(session.Cooked, session.Mode);
    }

    [Theory]
    [InlineData(Builtin, Signal.SIGTERM)]
    [InlineData(Builtin, Signal.SIGHUP)]
    [InlineData(Builtin, Signal.SIGINT)]
    [InlineData(Builtin, Signal.SIGKILL)]
    [InlineData(Nspawn, Signal.SIGTERM)]
    [InlineData(Nspawn, Signal.SIGKILL)]
    [InlineData("--in-place", Signal.SIGKILL)]
    public void Leaves_the_terminal_as_it_was_when_it_is_killed(string engine, Signal signal)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string[] options = engine.StartsWith('-') ? [engine] : ["--engine", engine];
        using TerminalSession session = Shell(root, "echo ready; exec sleep 1000", options);
        session.Await("ready");
        session.AwaitMode(raw: true);
        session.Process.Kill(signal);
        Assert.Equal(128 + (int)signal, session.End());
        session.AwaitMode(raw: false);
        Assert.Equal(session.Cooked, session.Mode);
    }

    [Fact]
    public void Gives_the_terminal_back_while_it_is_stopped()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = Shell(root, "echo ready; cat");
        session.Await("ready");
        session.AwaitMode(raw: true);
        session.Process.Kill(Signal.SIGTSTP);
        Patience.Until(() => session.State == 'T', "stop");
        Assert.Equal(session.Cooked, session.Mode);
        session.Resize(new TerminalSize(40, 90));
        session.Process.Kill(Signal.SIGCONT);
        session.AwaitMode(raw: true);
        session.Type("x\r");
        session.Await("x\r\nx\r\n");
        session.Process.Kill(Signal.SIGSTOP);
        Patience.Until(() => session.State == 'T', "stop");
        session.Process.Kill(Signal.SIGCONT);
        session.Type("y\r\x04");
        Assert.Equal(0, session.End());
        Assert.Equal(session.Cooked, session.Mode);
    }

    [Fact]
    public void In_the_background_it_leaves_the_terminal_to_the_shell()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string run = $"{Published.OrSkip()} container-run {root.Path} -- sh -c 'echo ready; sleep 1; echo done'";
        using TerminalSession session = TerminalSession.Of(new ProgramStart("bash", "-c", $"set -m; {run} & wait %1; echo status $?"));
        session.Await("ready");
        Assert.Equal(session.Cooked, session.Mode);
        session.Await("done");
        session.Await("status 0");
    }

    [Fact]
    public void Carries_every_byte_outwards()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        byte[] bytes = new byte[4 << 20];
        new Random(1).NextBytes(bytes);
        System.IO.File.WriteAllBytes(root / "data", bytes);
        using TerminalSession session = Shell(root, "stty raw; cat /data");
        session.End();
        session.AwaitSeen(bytes.Length);
        Assert.Equal(SHA256.HashData(bytes), SHA256.HashData(session.Seen));
    }

    [Fact]
    public void Carries_every_byte_inwards()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        byte[] bytes = new byte[1 << 20];
        new Random(1).NextBytes(bytes);
        using TerminalSession session = Shell(root, $"stty raw -echo; echo ready; head -c {bytes.Length} | sha256sum");
        session.Await("ready");
        session.AwaitMode(raw: true);
        session.Type(Encoding.Latin1.GetString(bytes));
        session.Await(Convert.ToHexStringLower(SHA256.HashData(bytes)));
        Assert.Equal(0, session.End());
    }

    [Fact]
    public void Writes_what_was_written_last() => WriteLast(20);

    /// <summary>As often as it takes to meet a rare race between the end of a command and what it wrote last (podman#9096).</summary>
    [Fact(Explicit = true)]
    public void Writes_what_was_written_last_a_thousand_times() => WriteLast(1000);

    private static void WriteLast(int times)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        byte[] bytes = new byte[100_000];
        new Random(2).NextBytes(bytes);
        System.IO.File.WriteAllBytes(root / "data", bytes);
        for (int i = 0; i < times; i++)
        {
            using TerminalSession session = Shell(root, "stty raw; cat /data; exit 3");
            Assert.Equal(3, session.End());
            session.AwaitSeen(bytes.Length);
            Assert.Equal(bytes, session.Seen);
        }
    }

    [Fact]
    public void Lets_keys_in_while_nobody_reads_its_output()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string shared = root.Outside("shared");
        System.IO.Directory.CreateDirectory(shared);
        using TerminalSession session = TerminalSession.Of(new ProgramStart(Published.OrSkip(), "container-run", root.Path, "--bind", $"{shared}:/shared", "--",
            "sh", "-c", "trap 'touch /shared/interrupted; exit 5' INT; while :; do echo 0123456789012345678901234567890123456789; done"), reads: false);
        session.AwaitMode(raw: true);
        session.AwaitFull();
        session.Type("\x03");
        Patience.Until(() => System.IO.File.Exists($"{shared}/interrupted"), "^C to get in");
        session.Read();
        Assert.Equal(5, session.End());
    }

    [Theory]
    [InlineData(Builtin, "", "")]
    [InlineData(Builtin, "line\n", "line\r\nline\r\n")]
    [InlineData(Builtin, "line\nrest", "line\r\nrestline\r\nrest")]
    [InlineData(Nspawn, "line\nrest", "line\r\nrestline\r\nrest")]
    public void Ends_input_that_is_no_terminal(string engine, string input, string seen)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        ProcessResult result = ChildProcess.Run(new ProgramStart(Published.OrSkip(), "container-run", root.Path, "--engine", engine, "--tty", "--",
            "sh", "-c", "cat"), Encoding.UTF8.GetBytes(input));
        Assert.Equal((0, ""), (result.Exit.Status, result.ErrorText));
        // Echo and output may interleave.
        Assert.Equal(seen.Order(), result.OutputText.Order());
    }

    [Theory]
    [InlineData("2>&1", "/dev/pts/0\r\n24 80\r\ndumb\r\nerror\r\n", "")]
    [InlineData("2>$ERRORS", "/dev/pts/0\r\n24 80\r\ndumb\r\n", "error\n")]
    public void Standard_error_that_was_sent_elsewhere_stays_apart(string redirection, string output, string errors)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string file = root.Outside("errors");
        System.IO.File.WriteAllText(file, "");
        ProcessResult result = ChildProcess.Run(new ProgramStart("sh", "-c",
            $"'{Published.OrSkip()}' container-run '{root.Path}' --tty -- sh -c 'tty; stty size; echo $TERM; echo error >&2; exit 4' {redirection} </dev/null")
        { Environment = [$"ERRORS={file}"] });
        Assert.Equal((4, output), (result.Exit.Status, result.OutputText));
        Assert.Equal(errors, System.IO.File.ReadAllText(file));
    }

    [Theory]
    [InlineData("--no-tty")]
    [InlineData("--no-tty", "--engine", Nspawn)]
    public void Hands_the_real_terminal_in_when_it_is_told_to(params string[] options)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = Shell(root, "test -t 0 && test -t 1 && echo ok$TERM; exit 6", options);
        Assert.Equal(6, session.End());
        session.Await("ok\r\n");
    }

    [Fact]
    public void Without_a_terminal_there_is_none()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        ProcessResult result = ChildProcess.Run(new ProgramStart(Published.OrSkip(), "container-run", root.Path, "--", "sh", "-c", "test -t 1 || echo none; ls /dev/pts; echo $TERM") { Environment = ["TERM=xterm"] });
        Assert.Equal("none\nptmx\n\n", result.OutputText);
    }

    [Fact]
    public void Ends_a_command_that_nobody_reads_any_more()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        ProcessResult result = ChildProcess.Run(new ProgramStart("bash", "-c",
            $"'{Published.OrSkip()}' container-run '{root.Path}' --tty -- sh -c 'while :; do echo x; done' </dev/null | head -n 1; echo ${{PIPESTATUS[0]}}"));
        Assert.Equal("x\r\n129\n", result.OutputText);
    }

    [Fact]
    public void Ends_with_the_terminal()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = Shell(root, "echo ready; exec sleep 1000");
        session.Await("ready");
        session.AwaitMode(raw: true);
        session.HangUp();
        Assert.Equal(129, session.End());
    }

    [Fact]
    public void Spends_no_time_while_nothing_happens()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        using TerminalSession session = Shell(root, "echo ready; exec >/dev/null </dev/null 2>&1; sleep 2; echo back >/dev/tty; sleep 1; echo again >/dev/tty; exit 9");
        session.Await("ready\r\n");
        TimeSpan before = session.ProcessorTime;
        session.Await("back\r\n");
        Assert.InRange(session.ProcessorTime - before, TimeSpan.Zero, TimeSpan.FromMilliseconds(200));
        session.Await("again\r\n");
        Assert.Equal(9, session.End());
    }

    [Fact]
    public void Passes_signals_from_outside_on_once()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        root.WithProbe();
        using TerminalSession session = TerminalSession.OfTool(root.Path, "--", "probe", "signals");
        session.Await("ready\r\n");
        foreach (Signal signal in (Signal[])[Signal.SIGINT, Signal.SIGHUP, Signal.SIGQUIT, Signal.SIGUSR1, Signal.SIGUSR2, Signal.SIGCONT, Signal.SIGWINCH, (Signal)35, (Signal)64, Signal.SIGTERM, Signal.SIGTERM])
        {
            session.Process.Kill(signal);
            Assert.Equal("", session.Await(string.Create(CultureInfo.InvariantCulture, $"{(int)signal}\r\n")));
        }
        Assert.Equal(42, session.End());
    }
}
