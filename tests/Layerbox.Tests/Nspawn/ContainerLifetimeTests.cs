using System.Diagnostics;
using System.Globalization;
using System.Text;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>How containers begin and end under bad conditions.</summary>
public class ContainerLifetimeTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static ContainerRoot Root() => ContainerRoot.OrSkip(new BuiltinEngine());

    [Fact]
    public void Killed_at_any_moment_it_leaves_nothing()
    {
        using ContainerRoot root = Root();
        string tool = Published.OrSkip();
        string mark = $"MARK={Guid.NewGuid():N}";
        Random random = new(1);
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite);
        for (int i = 0; i < 60; i++)
        {
            // Without options and with one: it clones itself, or a launcher does.
            string[] options = i % 2 == 0 ? [] : ["--in-place"];
            using ChildProcess run = ChildProcess.Start(new ProgramStart(tool, ["container-run", root.Path, .. options, "--", "/bin/sh", "-c", "sleep 1000 & sleep 1000"])
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
        Stopwatch waited = Stopwatch.StartNew();
        while (Processes(root.Path, mark).Length > 0 && waited.Elapsed < Patience)
            Thread.Sleep(50);
        Assert.Empty(Processes(root.Path, mark));
        Assert.DoesNotContain(Mounts.List(), mount => mount.Point.StartsWith(root.Path, StringComparison.Ordinal) || mount.Type == "overlay" && mount.Point == "/dev");
        // Nor a lock.
        Assert.Equal(0, root.Run("exit 0").Result.Status);
    }

    [Fact]
    public void Reaps_thousands_of_orphans()
    {
        using ContainerRoot root = Root().WithProbe();
        (ContainerResult result, string output, _) = root.Run("probe orphans 2000; sleep 0.2; grep -l '^State:.Z' /proc/[0-9]*/status | grep -c .");
        Assert.Equal((1, "0"), (result.Status, output.Trim()));
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
        using (ChildProcess tool = ChildProcess.Start(new ProgramStart(Published.OrSkip(), "container-run", root.Path, "--", "sh", "-c", "kill -KILL 1; kill -TERM 1; exec probe signals") { Output = write }))
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

    [Theory]
    [InlineData("trap '' CHLD PIPE TERM")]
    [InlineData("umask 077")]
    [InlineData("env -i true")]
    public void Hands_nothing_on_of_what_it_was_started_with(string condition)
    {
        using ContainerRoot root = Root();
        ProcessResult result = ChildProcess.Run(new ProgramStart("bash", "-c", $"{condition}; exec '{Published.OrSkip()}' container-run '{root.Path}' -- sh -c 'grep -q \"^SigIgn:.0000000000000000\" /proc/self/status && [ $(umask) = 0022 ] && exit 7'"));
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
        Assert.StartsWith(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(expected)), output);
    }

    [Fact]
    public void Fills_two_pipes_at_once_without_waiting_for_itself()
    {
        using ContainerRoot root = Root();
        ProcessResult result = ChildProcess.Run(new ProgramStart(Published.OrSkip(), "container-run", root.Path, "--", "sh", "-c", "head -c 1000000 /dev/zero >&2 & head -c 1000000 /dev/zero; wait"));
        Assert.Equal((0, 1000000, 1000000), (result.Exit.Status, result.Output.Length, result.Errors.Length));
    }

    [Fact]
    public void Passes_every_exit_status_and_every_deadly_signal_on()
    {
        using ContainerRoot root = Root().WithProbe();
        Parallel.ForEach([0, 1, 2, 63, 64, 70, 123, 124, 125, 126, 127, 128, 129, 137, 254, 255], new ParallelOptions { MaxDegreeOfParallelism = 4 },
            status => Assert.Equal(status, root.Run(root.Shell($"exit {status}") with { Ephemeral = true }).Result.Status));
        // Those whose default is not to end a process: 17 to 23 and 28.
        Parallel.ForEach(Enumerable.Range(1, 31).Where(signal => signal is not ((>= 17 and <= 23) or 28)).Append(34).Append(64), new ParallelOptions { MaxDegreeOfParallelism = 4 },
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
                statuses[i] = root.Run(root.Shell($"exit {i}") with { Ephemeral = true, Timeout = Patience }).Result.Status;
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
