using System.Globalization;
using Layerbox.Nspawn;
using Layerbox.Nspawn.Cgroups;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>Limits of a whole container. Which controllers a machine has, and in which version, decides what can be run.</summary>
public class ContainerCgroupTests
{
    private static ContainerRoot Root(string controller)
    {
        ContainerRoot root = ContainerRoot.OrSkip(new BuiltinEngine()).WithProbe();
        SkipWithout(controller);
        return root;
    }

    internal static void SkipWithout(string controller) =>
        Assert.SkipUnless(CgroupLayout.Own().Any(h => h.Version == 1 && h.Controllers.Contains(controller)), $"no control groups of version 1 with {controller}");

    private static ProcessResult Run(ContainerRoot root, params string[] arguments) =>
        ChildProcess.Run(new ProgramStart(Published.OrSkip(), ["container-run", root.Path, .. arguments]));

    private static IEnumerable<string> Groups() => CgroupLayout.Own().Where(h => System.IO.Directory.Exists(h.Folder))
        .SelectMany(h => System.IO.Directory.EnumerateDirectories(h.Folder, "layerbox-*"));

    // Other tests make groups meanwhile: those that are there now have to go, unless somebody is in them.
    private static void AssertNoGroups()
    {
        string[] now = [.. Groups()];
        Patience.Until(() => now.All(IsGoneOrUsed), "the end of the groups");
    }

    private static bool IsGoneOrUsed(string folder)
    {
        try
        {
            return System.IO.File.ReadAllText(Path.Combine(folder, "cgroup.procs")).Length > 0 || System.IO.Directory.EnumerateDirectories(folder).Any(IsGoneOrUsed);
        }
        catch (System.IO.IOException)
        {
            return true;
        }
    }

    private static string Value(string path)
    {
        try
        {
            return System.IO.File.ReadAllText(path).Trim();
        }
        catch (System.IO.IOException)
        {
            return ""; // of another hierarchy, or of another test that has just ended
        }
    }

    // As a shell's ^C and timeout(1) have it.
    [Theory]
    [InlineData("--boot --engine nspawn --stop kill", Signal.SIGINT)]
    [InlineData("--boot --engine nspawn --stop kill", Signal.SIGTERM)]
    [InlineData("--boot --engine builtin --stop kill", Signal.SIGINT)]
    [InlineData("--in-place --pids 9 --", Signal.SIGTERM)]
    [InlineData("--in-place --engine nspawn --pids 19 --", Signal.SIGTERM)]
    public void Leaves_no_groups_when_its_process_group_ends(string options, Signal signal)
    {
        using ContainerRoot root = Root("pids");
        string name = $"test-{Guid.NewGuid():N}";
        string[] command = options.EndsWith("--", StringComparison.Ordinal) ? ["sleep", "1000"] : ["--init", "/bin/sleep", "--init-argument", "1000"];
        using ChildProcess tool = ChildProcess.Start(new ProgramStart(Published.OrSkip(), ["container-run", root.Path, "--name", name, .. options.Split(' '), .. command]) { OwnSession = true });
        ContainerDescription? found = null;
        Patience.Until(() => (found = ContainerRegistry.List().FirstOrDefault(container => container.Name == name)) is not null, "the container to be listed");
        string group = System.IO.File.ReadAllText($"/proc/{found!.Process1}/cgroup").Split('/', '\n').First(part => part.StartsWith("layerbox-", StringComparison.Ordinal));
        Assert.Contains(Groups(), folder => Path.GetFileName(folder) == group);
        Programs.Run("kill", "-s", signal.ToString()[3..], "--", $"-{tool.Id}");
        tool.Wait();
        Patience.Until(() => !Groups().Any(folder => Path.GetFileName(folder) == group), "the end of the groups");
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Kills_what_needs_more_memory_and_says_so(string engine)
    {
        using ContainerRoot root = Root("memory");
        ProcessResult killed = Run(root, "--engine", engine, "--memory", "32M", "--swap", "0", "--", "probe", "eat", "100");
        Assert.Equal((137, "container-run: killed: out of memory (limit 32M)\n"), (killed.Exit.Status, killed.ErrorText));
        ProcessResult below = Run(root, "--engine", engine, "--memory", "64M", "--swap", "0", "--", "probe", "eat", "10");
        Assert.Equal((0, ""), (below.Exit.Status, below.ErrorText));
        ProcessResult child = Run(root, "--engine", engine, "--memory", "32M", "--swap", "0", "--", "sh", "-c", "probe eat 100; exit 3");
        Assert.Equal(3, child.Exit.Status);
        Assert.EndsWith("container-run: out of memory: something inside was killed (limit 32M)\n", child.ErrorText);
        // What is written to /tmp is memory too.
        Assert.Equal(137, Run(root, "--engine", engine, "--memory", "32M", "--swap", "0", "--", "sh", "-c", "exec head -c 100000000 /dev/zero > /tmp/x").Exit.Status);
        // Process 1 itself does not fit.
        Assert.True(Run(root, "--engine", engine, "--memory", "4K", "--", "probe", "eat", "1").Exit.Status is 125 or 137);
        AssertNoGroups();
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Ends_a_fork_bomb_with_the_command(string engine)
    {
        using ContainerRoot root = Root("pids");
        // A timeout would be another status.
        ProcessResult result = Run(root, "--engine", engine, "--pids", "20", "--timeout", "150s", "--", "sh", "-c", "bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 0.3; exit 7");
        Assert.True(result.Exit.Status is 7 or 2);
        ProcessResult counted = Run(root, "--engine", engine, "--pids", engine == "nspawn" ? "8" : "5", "--", "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait");
        Assert.Contains("fork", counted.ErrorText);
        ProcessResult none = Run(root, "--engine", engine, "--pids", "1", "--", "id");
        Assert.Equal(125, none.Exit.Status);
        AssertNoGroups();
        if (engine == "nspawn")
        {
            Assert.Equal("container-run: a limit of 1 processes is too small for systemd-nspawn, which with process 1 of the container takes 4 itself\n", none.ErrorText);
            // The least that is allowed is enough.
            Assert.Equal(0, Run(root, "--engine", engine, "--pids", "5", "--", "id").Exit.Status);
            return;
        }
        Assert.EndsWith(": start: Resource temporarily unavailable: the limit of processes (1) is too small, process 1 of the container is one of them\n", none.ErrorText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Gives_some_of_the_processors_and_of_their_time(string engine)
    {
        using ContainerRoot root = Root("cpuset");
        ProcessResult result = Run(root, "--engine", engine, "--cpuset", "0", "--cpus", "0.2", "--", "sh", "-c", "grep Cpus_allowed_list /proc/self/status; probe spin 500");
        Assert.Equal("", result.ErrorText);
        string[] lines = result.OutputText.Split('\n');
        Assert.Equal("Cpus_allowed_list:\t0", lines[0]);
        // Half a second of work at a fifth of a processor; the first period is a gift.
        Assert.True(int.Parse(lines[1], CultureInfo.InvariantCulture) >= 1500);
        AssertNoGroups();
    }

    [Theory]
    [InlineData("a limit of 4 processes is too small for systemd-nspawn, which with process 1 of the container takes 4 itself", "--engine", "nspawn", "--pids", "4")]
    [InlineData("a limit of swap needs one of memory", "--swap", "1G")]
    [InlineData("a limit of memory, processes or processors has to be above zero", "--pids", "0")]
    [InlineData("'0-': not a list of processors such as 0-2,5", "--cpuset", "0-")]
    [InlineData("10001: a weight of disk time is between 1 and 10000", "--io-weight", "10001")]
    public void Refuses_what_cannot_be_meant(string reason, params string[] options)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        ProcessResult result = Run(root, [.. options, "--", "id"]);
        Assert.Equal((125, $"container-run: {reason}\n"), (result.Exit.Status, result.ErrorText));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Refuses_a_limit_that_the_kernel_refuses_and_leaves_nothing(string engine)
    {
        using ContainerRoot root = Root("cpuset");
        ProcessResult result = Run(root, "--engine", engine, "--cpuset", "9999", "--memory", "1G", "--", "id");
        Assert.Equal(125, result.Exit.Status);
        Assert.Matches("^container-run: /.*/layerbox-[0-9a-f]{32}/cpuset.cpus: write '9999': .*\n$", result.ErrorText);
        AssertNoGroups();
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Gives_the_kernel_the_numbers_that_were_said(string engine)
    {
        using ContainerRoot root = Root("pids");
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using (read)
        using (write)
        using (ChildProcess run = ChildProcess.Start(new ProgramStart(Published.OrSkip(), "container-run", root.Path, "--engine", engine, "--pids", "4321", "--memory", "1G", "--cpus", "0.75", "--cpuset", "0", "--", "sh", "-c", "echo ready; sleep 1000") { Output = write }))
        {
            Assert.Equal(6, Files.Read(read, new byte[6]));
            Assert.Contains("4321", Values("pids.max"));
            Assert.Contains("1073741824", Values("memory.limit_in_bytes"));
            Assert.Contains("75000", Values("cpu.cfs_quota_us"));
            Assert.Contains("0", Values("cpuset.cpus"));
            run.Kill(Signal.SIGTERM);
            Assert.Equal(143, run.Wait().ShellStatus);
        }
        AssertNoGroups();

        static IEnumerable<string> Values(string file) => Groups().Select(group => Value(Path.Combine(group, file)));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Sees_its_own_group_as_the_root_of_all(string engine)
    {
        using ContainerRoot root = Root("pids");
        ProcessResult result = Run(root, "--engine", engine, "--pids", "100", "--", "sh", "-c", "grep pids: /proc/self/cgroup");
        Assert.EndsWith(":pids:/\n", result.OutputText);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Leaves_no_group_when_the_tool_is_killed_at_any_moment(string engine)
    {
        using ContainerRoot root = Root("memory");
        Random random = new(2);
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite);
        for (int i = 0; i < 40; i++)
        {
            using ChildProcess run = ChildProcess.Start(new ProgramStart(Published.OrSkip(), "container-run", root.Path, "--engine", engine, "--memory", "100M", "--pids", "50", "--cpus", "1", "--", "sh", "-c", "sleep 1000 & sleep 1000")
            {
                Input = nothing,
                Output = nothing,
                Error = nothing,
            });
            Thread.Sleep(random.Next(40));
            run.Kill(Signal.SIGKILL);
            run.Wait();
        }
        AssertNoGroups();
    }
}
