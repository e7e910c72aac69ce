using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>How containers begin and end under bad conditions, and what goes through them, in both engines.</summary>
public abstract class ContainerLifetimeTests(ContainerEngine engine, string name)
{
    private static readonly ParallelOptions FourAtOnce = new() { MaxDegreeOfParallelism = 4 };

    public sealed class OfBuiltin() : ContainerLifetimeTests(new BuiltinEngine(), "builtin");

    public sealed class OfNspawn() : ContainerLifetimeTests(new NspawnEngine(), "nspawn");

    private ContainerRoot Root() => ContainerRoot.OrSkip(engine);

    private ProgramStart Tool(ContainerRoot root, params string[] command) =>
        new(Published.OrSkip(), ["container-run", root.Path, "--engine", name, "--", .. command]);

    [Fact]
    public void Killed_at_any_moment_it_leaves_nothing() => Kill(times: 60);

    /// <summary>Takes a minute or two.</summary>
    [Fact(Explicit = true)]
    public void Killed_at_any_of_five_hundred_moments_it_leaves_nothing() => Kill(times: 500);

    private void Kill(int times)
    {
        using ContainerRoot root = Root();
        string tool = Published.OrSkip();
        string mark = $"MARK={Guid.NewGuid():N}";
        Random random = new(1);
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite);
        for (int i = 0; i < times; i++)
        {
            // Without options and with one: it clones itself, or a launcher does.
            string[] options = i % 2 == 0 ? [] : ["--in-place"];
            using ChildProcess run = ChildProcess.Start(new ProgramStart(tool, ["container-run", root.Path, "--engine", name, .. options, "--", "/bin/sh", "-c", "sleep 1000 & sleep 1000"])
            {
                Environment = [mark],
                Input = nothing,
                Output = nothing,
                Error = nothing,
            });
            Thread.Sleep(random.Next(20));
            run.Kill(Signal.SIGKILL);
            run.Wait();
        }
        Patience.Until(() => Processes(root.Path, mark).Length == 0, "the end of all processes");
        Assert.DoesNotContain(Mounts.List(), mount => mount.Point.StartsWith(root.Path, StringComparison.Ordinal) || mount.Type == "overlay" && mount.Point == "/dev");
        // Nor a lock, which a process that is killed lets go of after it is no longer seen.
        Patience.Until(() => Record.Exception(() => Assert.Equal(0, root.Run("exit 0").Result.Status)) switch
        {
            null => true,
            ContainerException { Message: var message } when message == $"{root.Path}: another container runs in it" => false,
            { } e => throw e,
        }, "the end of the lock");
    }

    [Fact]
    public void Reaps_ten_thousand_orphans()
    {
        using ContainerRoot root = Root().WithProbe();
        ContainerSpec spec = root.Shell("probe orphans 10000; while grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null >/tmp/dead; do sleep 0.05; done; exit 7");
        Assert.Equal(7, root.Run(spec with { Timeout = Patience.Limit }).Result.Status);
    }

    [Fact]
    public void Ends_what_the_command_left_running()
    {
        using ContainerRoot root = Root();
        string mark = $"MARK={Guid.NewGuid():N}";
        Assert.Equal(3, root.Run(root.Shell("(sleep 1000 &) ; sleep 1000 & exit 3") with { Environment = [$"PATH={ContainerSpec.DefaultPath}", mark] }).Result.Status);
        Assert.Empty(Processes(null, mark));
    }

    [Fact]
    public void Passes_every_signal_on_once_and_heeds_none_from_inside()
    {
        using ContainerRoot root = Root().WithProbe();
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using (read)
        using (ChildProcess tool = ChildProcess.Start(Tool(root, "sh", "-c", "kill -KILL 1; kill -TERM 1; exec probe signals") with { Output = write }))
        {
            write.Dispose();
            using StreamReader lines = new(new FdStream(read, "pipe"));
            Assert.Equal("ready", lines.ReadLine());
            foreach (Signal signal in (Signal[])[Signal.SIGINT, Signal.SIGHUP, Signal.SIGQUIT, Signal.SIGUSR1, Signal.SIGUSR2, Signal.SIGWINCH, Signal.SIGTERM, Signal.SIGTERM])
            {
                tool.Kill(signal);
                Assert.Equal(((int)signal).ToString(CultureInfo.InvariantCulture), lines.ReadLine());
            }
            Assert.Null(lines.ReadLine());
            Assert.Equal(42, tool.Wait().Status);
        }
    }

    [Fact]
    public void Stops_alone_and_lets_the_command_be_continued()
    {
        using ContainerRoot root = Root();
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        (SafeFileHandle input, SafeFileHandle type) = Pipes.Make();
        using (read)
        using (type)
        using (ChildProcess tool = ChildProcess.Start(Tool(root, "sh", "-c", "trap 'echo usr1' USR1; echo ready; kill -STOP $$; echo continued; exec 3<&0; cat <&3 & while kill -0 $! 2>/dev/null; do wait $!; done; exit 42") with { Input = input, Output = write }))
        {
            write.Dispose();
            input.Dispose();
            using StreamReader lines = new(new FdStream(read, "pipe"));
            Assert.Equal("ready", lines.ReadLine());
            // Stopped inside, which nobody outside hears of; the signal that continues it is passed on.
            Patience.Until(() => StatesBelow(tool.Id).Contains('T'), "the command to stop");
            tool.Kill(Signal.SIGCONT);
            Assert.Equal("continued", lines.ReadLine());
            // Twice: what happened once is not what makes it happen.
            for (int i = 0; i < 2; i++)
            {
                tool.Kill(Signal.SIGSTOP);
                Patience.Until(() => State(tool.Id) == 'T', "the tool to stop");
                // What is inside goes on.
                Files.Write(type, "goes on\n"u8, "pipe");
                Assert.Equal("goes on", lines.ReadLine());
                // A signal waits for the tool, and is passed on once.
                tool.Kill(Signal.SIGUSR1);
                tool.Kill(Signal.SIGCONT);
                Assert.Equal("usr1", lines.ReadLine());
                Files.Write(type, "and on\n"u8, "pipe");
                Assert.Equal("and on", lines.ReadLine());
            }
            type.Dispose();
            Assert.Null(lines.ReadLine());
            Assert.Equal(42, tool.Wait().Status);
        }
    }

    [Fact]
    public void Goes_on_without_the_process_that_started_it_unless_it_is_to_end_with_it()
    {
        using ContainerRoot root = Root();
        string tool = Published.OrSkip();
        string[] run = ["container-run", root.Path, "--engine", name, "--pid-file", root.Outside("pid"), "--json-status", root.Outside("status")];
        // The shell in between is killed when the command runs, which waits for the word to end.
        string[] Start(string[] options, string script)
        {
            System.IO.File.WriteAllText(root.Outside("status"), "");
            System.IO.File.Delete(root.Outside("tool"));
            using ChildProcess parent = ChildProcess.Start(new ProgramStart("bash", ["-c", "mkfifo \"$0/go\" 2>/dev/null; \"$@\" <> \"$0/go\" & echo $! > \"$0/tool\"; wait", root.Outside(""), tool, .. run, .. options, "--", "sh", "-c", script]));
            // The shell may come to writing its line after the container has begun.
            Patience.Until(() => System.IO.File.Exists(root.Outside("pid")) && new System.IO.FileInfo(root.Outside("tool")) is { Exists: true, Length: > 0 }, "the container");
            // Read before it is killed: what dies with it takes its file away.
            string[] numbers = [System.IO.File.ReadAllText(root.Outside("tool")).Trim(), System.IO.File.ReadAllText(root.Outside("pid")).Trim()];
            parent.Kill(Signal.SIGKILL);
            parent.Wait();
            return numbers;
        }

        string[] orphan = Start([], "read word; exit 7");
        Assert.True(System.IO.Directory.Exists($"/proc/{orphan[0]}"));
        System.IO.File.WriteAllText(root.Outside("go"), "go\n");
        Patience.Until(() => System.IO.File.ReadAllText(root.Outside("status")).Contains("\"exited\",\"status\":7", StringComparison.Ordinal), "the end of the command");
        Patience.Until(() => !System.IO.File.Exists(root.Outside("pid")), "the end of the tool");

        string[] dying = Start(["--die-with-parent"], "read word; exit 7");
        Patience.Until(() => System.IO.File.ReadAllText(root.Outside("status")).Contains("\"exited\",\"status\":137", StringComparison.Ordinal), "the end of the command");
        Patience.Until(() => !System.IO.File.Exists(root.Outside("pid")) && !System.IO.Directory.Exists($"/proc/{dying[1]}"), "the end of the tool");
    }

    // The letter of proc_pid_stat(5); X: it has ended.
    private static char State(int process)
    {
        try
        {
            return System.IO.File.ReadAllText($"/proc/{process}/stat").Split(") ")[^1][0];
        }
        catch (System.IO.IOException)
        {
            return 'X';
        }
    }

    private static List<char> StatesBelow(int process)
    {
        List<char> states = [];
        foreach (int child in HostProcess.Children(process))
        {
            states.Add(State(child));
            states.AddRange(StatesBelow(child));
        }
        return states;
    }

    [Theory]
    [InlineData("trap '' CHLD PIPE TERM")]
    [InlineData("umask 077")]
    [InlineData("env -i true")]
    public void Hands_nothing_on_of_what_it_was_started_with(string condition)
    {
        using ContainerRoot root = Root();
        ProcessResult result = ChildProcess.Run(new ProgramStart("bash", "-c", $"{condition}; exec '{Published.OrSkip()}' container-run '{root.Path}' --engine {name} -- sh -c 'grep -q \"^SigIgn:.0000000000000000\" /proc/self/status && [ $(umask) = 0022 ] && exit 7'"));
        Assert.Equal((7, ""), (result.Exit.Status, result.ErrorText));
    }

    [Fact]
    public void Carries_arguments_and_environment_of_any_size_and_bytes()
    {
        using ContainerRoot root = Root();
        string large = new('x', 120_000), odd = PathText.FromBytes([0xFF, (byte)'\n', 0x80]);
        ContainerSpec spec = root.Shell("printf '%s' \"$1$3$LARGE$ODD\" | sha256sum") with { Environment = [$"PATH={ContainerSpec.DefaultPath}", $"LARGE={large}", $"ODD={odd}", "EMPTY="] };
        string output = root.Run(spec with { Command = [.. spec.Command, "sh", large, "", odd] }).Out;
        byte[] expected = [.. PathText.ToBytes(large), .. PathText.ToBytes(odd), .. PathText.ToBytes(large), .. PathText.ToBytes(odd)];
        Assert.StartsWith(Convert.ToHexStringLower(SHA256.HashData(expected)), output);
    }

    [Fact]
    public void Fills_two_pipes_at_once_without_waiting_for_itself()
    {
        using ContainerRoot root = Root();
        ProcessResult result = ChildProcess.Run(Tool(root, "sh", "-c", "head -c 1000000 /dev/zero >&2 & head -c 1000000 /dev/zero; wait"));
        Assert.Equal((0, 1000000, 1000000), (result.Exit.Status, result.Output.Length, result.Errors.Length));
    }

    [Theory]
    [InlineData("< /dev/null", "end\n")]
    [InlineData("<&- 2> /dev/null", "end\n")]
    [InlineData("< \"$1\"", "content\nend\n")]
    [InlineData("< <(echo piped)", "piped\nend\n")]
    [InlineData("<<< here", "here\nend\n")]
    [InlineData("< <(exec 3<> /dev/null; echo x; sleep 0.3; echo late)", "x\nlate\nend\n")]
    public void Reads_any_input_to_its_end(string input, string seen)
    {
        using ContainerRoot root = Root();
        System.IO.File.WriteAllText(root.Outside("in"), "content\n");
        ProcessResult result = ChildProcess.Run(new ProgramStart("bash", "-c", $"timeout 150 '{Published.OrSkip()}' container-run '{root.Path}' --engine {name} -- sh -c 'cat; echo end' {input}", "bash", root.Outside("in")));
        Assert.Equal((0, seen), (result.Exit.Status, result.OutputText));
    }

    [Fact]
    public void Reads_and_writes_a_socket()
    {
        const string Talk = """
            import socket, subprocess, sys
            ours, theirs = socket.socketpair()
            run = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)
            theirs.close()
            ours.sendall(b"question" + bytes([10]))
            ours.shutdown(socket.SHUT_WR)
            print(ours.makefile().read(), run.wait(), end="")
            """;
        using ContainerRoot root = Root();
        Assert.Equal("question\n 0", Programs.Run("python3", ["-c", Talk, Published.OrSkip(), "container-run", root.Path, "--engine", name, "--", "cat"]));
    }

    [Fact]
    public void Carries_every_byte_of_standard_input_to_standard_output() => Carry(megabytes: 256);

    /// <summary>Takes a minute or two.</summary>
    [Fact(Explicit = true)]
    public void Carries_every_byte_of_four_gigabytes() => Carry(megabytes: 4096);

    private void Carry(int megabytes)
    {
        using ContainerRoot root = Root();
        (SafeFileHandle input, SafeFileHandle to) = Pipes.Make();
        (SafeFileHandle from, SafeFileHandle output) = Pipes.Make();
        using ChildProcess tool = ChildProcess.Start(Tool(root, "cat") with { Input = input, Output = output });
        input.Dispose();
        output.Dispose();
        using IncrementalHash sent = IncrementalHash.CreateHash(HashAlgorithmName.SHA256), received = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Thread sender = new(() =>
        {
            byte[] block = new byte[1 << 20];
            new Random(1).NextBytes(block);
            using (to)
            {
                for (int i = 0; i < megabytes; i++)
                {
                    // No block is that of another place.
                    BitConverter.TryWriteBytes(block, i);
                    sent.AppendData(block);
                    Files.Write(to, block, "pipe");
                }
            }
        });
        sender.Start();
        long length = 0;
        byte[] buffer = new byte[1 << 16];
        using (from)
        {
            while (Files.Read(from, buffer) is var got and > 0)
            {
                received.AppendData(buffer.AsSpan(0, got));
                length += got;
            }
        }
        sender.Join();
        Assert.Equal(0, tool.Wait().Status);
        Assert.Equal((long)megabytes << 20, length);
        Assert.Equal(sent.GetHashAndReset(), received.GetHashAndReset());
    }

    [Fact]
    public void Goes_on_when_the_thread_that_started_it_has_ended()
    {
        using ContainerRoot root = Root();
        RunningContainer? container = null;
        Thread starter = new(() => container = engine.Start(root.Shell("sleep 0.5; exit 7") with { Ephemeral = true }));
        starter.Start();
        starter.Join();
        using (container)
            Assert.Equal(7, container!.Wait().Status);
    }

    /// <summary>Takes up to half a minute.</summary>
    [Fact(Explicit = true)]
    public void Runs_two_hundred_at_sixteen_a_time()
    {
        using ContainerRoot root = Root();
        int[] statuses = new int[200];
        Parallel.For(0, statuses.Length, new ParallelOptions { MaxDegreeOfParallelism = 16 },
            i => statuses[i] = root.Run(root.Shell($"exit {i}") with { Ephemeral = true, Timeout = Patience.Limit }).Result.Status);
        Assert.Equal(Enumerable.Range(0, statuses.Length), statuses);
    }

    [Fact]
    public void Passes_every_exit_status_and_every_deadly_signal_on()
    {
        using ContainerRoot root = Root().WithProbe();
        Parallel.ForEach(Enumerable.Range(0, 256), FourAtOnce,
            status => Assert.Equal(status, root.Run(root.Shell($"exit {status}") with { Ephemeral = true }).Result.Status));
        // Those whose default is not to end a process: 17 to 23 and 28.
        Parallel.ForEach(Enumerable.Range(1, 31).Where(signal => signal is not ((>= 17 and <= 23) or 28)).Concat(Enumerable.Range(34, 31)), FourAtOnce,
            signal => Assert.Equal(128 + signal, root.Run(new ContainerSpec(root.Path, ["probe", "raise", signal.ToString(CultureInfo.InvariantCulture)]) { Ephemeral = true }).Result.Status));
    }

    [Fact]
    public void Starts_from_many_threads_while_memory_is_collected()
    {
        using ContainerRoot root = Root();
        using CancellationTokenSource end = new();
        Thread[] busy = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            List<byte[]> garbage = [];
            while (!end.IsCancellationRequested)
            {
                garbage.Add(new byte[10_000]);
                if (garbage.Count > 1000)
                    garbage.Clear();
            }
        }))];
        foreach (Thread thread in busy)
            thread.Start();
        int[] statuses = new int[64];
        Thread[] starters = [.. Enumerable.Range(0, 16).Select(first => new Thread(() =>
        {
            for (int i = first; i < statuses.Length; i += 16)
                statuses[i] = root.Run(root.Shell($"exit {i}") with { Ephemeral = true, Timeout = Patience.Limit }).Result.Status;
        }))];
        foreach (Thread thread in starters)
            thread.Start();
        foreach (Thread thread in starters)
            thread.Join();
        end.Cancel();
        Assert.Equal(Enumerable.Range(0, statuses.Length), statuses);
    }

    private static string[] Processes(string? argument, string mark) =>
        [.. System.IO.Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0]) && (Holds(folder, "environ", mark) || (argument is not null && Holds(folder, "cmdline", argument))))];

    private static bool Holds(string process, string file, string text)
    {
        try
        {
            return Encoding.Latin1.GetString(System.IO.File.ReadAllBytes(Path.Combine(process, file))).Contains(text, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
