using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>
/// The published executable's small module starts containers as the whole one does. LAYERBOX_MODULE chooses: with "small" what is not in the small one fails
/// with a status of its own, with "whole" that one does all.
/// </summary>
public class SmallModuleTests
{
    private const int NotThere = 70;

    private static (int? Status, string Out, string Err) Run(string? module, byte[] input, params string[] arguments)
    {
        string[] choice = module is null ? [] : [$"LAYERBOX_MODULE={module}"];
        ProcessResult result = ChildProcess.Run(new ProgramStart("env", [.. choice, Published.OrSkip(), .. arguments]), input);
        return (result.Exit.Status, result.OutputText, result.ErrorText);
    }

    [Theory]
    [InlineData("-- sh -c 'exit 7'")]
    [InlineData("sh")]
    [InlineData("--env A=1 -e B=2 --env=A=3:4 -- env")]
    [InlineData("--hostname=there --workdir /usr --read-only -- sh -c 'hostname; pwd; touch /x'")]
    [InlineData("--user web --bind /etc:/mnt/x:ro --tmpfs /mnt/y -- sh -c 'id; ls /mnt; mount | grep -c /mnt'")]
    [InlineData("--in-place --overlay /etc --overlay=/mnt/z -- sh -c 'touch /etc/x /mnt/z/y; ls /etc /mnt/z; mount | grep -c overlay'")]
    [InlineData("--network host --seccomp none --no-new-privileges --drop-capability all -- grep Cap /proc/self/status")]
    [InlineData("--rlimit NOFILE=99 --umask 0077 --oom-score-adj 7 --mask /etc -- sh -c 'ulimit -n; umask; ls /etc; cat /proc/self/oom_score_adj'")]
    [InlineData("--in-place --no-tty -- ls /etc")]
    [InlineData("--suppress-sync --seccomp=none -- dd if=/dev/null of=/dev/null conv=fsync status=none")]
    [InlineData("--timeout 1s --kill-grace 1s --die-with-parent -- sleep 60")]
    [InlineData("--user-namespace 700000:65536 -- cat /proc/self/uid_map")]
    [InlineData("-- nope")]
    [InlineData("-- /etc/passwd")]
    [InlineData("--bind /x -- id")]
    [InlineData("--env X -- id")]
    [InlineData("--rlimit FILES=3 -- id")]
    [InlineData("--user nobody-here -- id")]
    [InlineData("--timeout soon -- id")]
    [InlineData("")]
    public void Plain_command_lines_are_its_own(string line)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string[] arguments = ["container-run", root.Path, .. Words(line)];
        (int? Status, string Out, string Err) whole = Run("whole", [], arguments), small = Run("small", [], arguments);
        Assert.Equal(WithoutPeculiar(whole), WithoutPeculiar(small));
        Assert.NotEqual(NotThere, small.Status);
        Assert.Equal(WithoutPeculiar(whole), WithoutPeculiar(Run(null, [], arguments)));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("--engine nspawn -- id -u")]
    [InlineData("--engine=builtin -- id -u")]
    [InlineData("--json-status 1 --hostname x -- hostname")]
    [InlineData("--bundle /no/such")]
    [InlineData("--snapshot -- id -u")]
    [InlineData("--keep /no/such/place -- id -u")]
    [InlineData("--unit -- id -u")]
    [InlineData("--boot --init /no/such")]
    [InlineData("--in-place --snapshot -- id")]
    [InlineData("--shell id")]
    [InlineData("--netwrok none -- id")]
    [InlineData("--network nowhere -- id")]
    [InlineData("--network none --network host -- id")]
    [InlineData("--read-only --read-only -- id -u")]
    [InlineData("--read-only=true -- id -u")]
    [InlineData("--hostname")]
    [InlineData("--hostname --read-only -- id")]
    [InlineData("--hostname= -- id -u")]
    [InlineData("--hostname:there -- hostname")]
    [InlineData("--oom-score-adj -5 -- cat /proc/self/oom_score_adj")]
    [InlineData("id -u")]
    [InlineData("-ewX=1 -- id")]
    [InlineData("-eX=1 -- env")]
    [InlineData("--volume")]
    [InlineData("--env")]
    [InlineData("--tty --no-tty -- id")]
    public void All_others_come_out_as_the_whole_one_has_them(string line)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string[] arguments = ["container-run", root.Path, .. Words(line)];
        Assert.Equal(WithoutPeculiar(Run("whole", [], arguments)), WithoutPeculiar(Run(null, [], arguments)));
    }

    [Theory]
    [InlineData("container-run --plan /")]
    [InlineData("container-run --frobnicate /")]
    [InlineData("layer-compile --help")]
    [InlineData("--list")]
    public void What_is_not_in_it_is_said_to_be_so(string line)
    {
        (int? status, string output, string errors) = Run("small", [], Words(line));
        Assert.Equal((NotThere, "", "layerbox: this is not in the small module\n"), (status, output, errors));
        Assert.NotEqual(NotThere, Run(null, [], Words(line)).Status);
    }

    [Theory]
    [InlineData("- -- id")]
    [InlineData("/etc/passwd -- id")]
    [InlineData("/no/such -- id")]
    [InlineData("")]
    [InlineData("--")]
    public void Handles_that_are_none_are_refused_alike(string line)
    {
        Privileged.OrSkip();
        foreach (string input in (string[])["", "null", "{}", "[]", "{\"layer\":3}", "{\"layer\":\"\\ud800\"}", new string(' ', 70_000)])
        {
            string[] arguments = ["container-run", .. Words(line)];
            (int? Status, string Out, string Err) whole = Run("whole", Encoding.UTF8.GetBytes(input), arguments);
            Assert.Equal(125, whole.Status);
            Assert.Equal(whole, Run("small", Encoding.UTF8.GetBytes(input), arguments));
        }
    }

    [Theory]
    [InlineData("{}\n", true)]
    [InlineData("{\"entrypoint\":[\"/bin/sh\",\"-c\"],\"cmd\":[\"id; env; pwd\"],\"env\":{\"A\":\"1\",\"B\":\"\"},\"user\":\"web\",\"working_dir\":\"/usr\"}\n", true)]
    [InlineData("{\"cmd\":[\"id\",null]}\n", false)]
    [InlineData("{\"cmd\":[3]}\n", false)]
    [InlineData("{\"cmd\":[\"id\"],\"more\":1}\n", false)]
    [InlineData("{\"cmd\":[\"id\"]}", false)]
    [InlineData("{\"user\":null}\n", true)]
    public void Configs_of_images_mean_the_same(string config, bool isPlain)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        Directory.CreateDirectory(root / ".layerbox");
        File.WriteAllText(root / ".layerbox/config.json", config);
        (int? Status, string Out, string Err) whole = Run("whole", [], "container-run", root.Path), small = Run("small", [], "container-run", root.Path);
        Assert.Equal(whole, Run(null, [], "container-run", root.Path));
        Assert.Equal(isPlain ? whole : (NotThere, "", "layerbox: this is not in the small module\n"), small);
    }

    [Theory]
    [InlineData("small", "", 1)]
    [InlineData("small", "--in-place", 1)]
    [InlineData("small", "--user-namespace 700000:65536", 1)]
    [InlineData("small", "--die-with-parent", 2)]
    [InlineData(null, "--in-place --engine:nspawn", null)]
    public void It_has_one_thread_and_passes_signals_on(string? module, string options, int? threads)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string[] choice = module is null ? [] : [$"LAYERBOX_MODULE={module}"];
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using (read)
        {
            const string Script = "trap 'echo one' USR1; trap 'echo two; exit 4' TERM; echo ready; while :; do sleep 0.1; done";
            using ChildProcess tool = ChildProcess.Start(new ProgramStart("env", [.. choice, Published.OrSkip(), "container-run", root.Path, .. Words(options), "--", "sh", "-c", Script]) { Output = write });
            write.Dispose();
            using StreamReader output = new(new FdStream(read, "output"));
            Assert.Equal("ready", output.ReadLine());
            string[] status = File.ReadAllLines($"/proc/{tool.Id}/status");
            if (threads is not null)
                Assert.Contains($"Threads:\t{threads}", status);
            // What the small one blocks, to read it, the whole one must not inherit.
            Assert.Equal(threads is null, status.Contains("SigBlk:\t0000000000000000"));
            tool.Kill(Signal.SIGUSR1);
            Assert.Equal("one", output.ReadLine());
            tool.Kill(Signal.SIGTERM);
            Assert.Equal("two", output.ReadLine());
            Assert.Equal(4, tool.Wait().Status);
        }
    }

    [Theory]
    [InlineData("8000")]
    [InlineData("40000")]
    public void Collections_of_garbage_do_no_harm(string size)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string[] variables = [.. Enumerable.Range(0, 5000).SelectMany(i => (string[])["--env", $"A{i}={i}"])];
        ProcessResult result = ChildProcess.Run(new ProgramStart("env", [$"DOTNET_GCgen0size={size}", "LAYERBOX_MODULE=small", Published.OrSkip(), "container-run", root.Path, .. variables, "--", "sh", "-c", "env | grep -c ^A"]));
        Assert.Equal((0, "5000\n", ""), (result.Exit.Status, result.OutputText, result.ErrorText));
    }

    [Fact]
    public void A_container_is_entered_by_it()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string name = $"small-{Environment.ProcessId}";
        using ChildProcess running = ChildProcess.Start(new ProgramStart("env", "LAYERBOX_MODULE=small", Published.OrSkip(), "container-run", root.Path, "--name", name, "--env", "A=1", "--", "sleep", "1000"));
        try
        {
            (int? Status, string Out, string Err) entered = default;
            Patience.Until(() => (entered = Run("small", [], "container-enter", name, "--env", "B=2", "--", "sh", "-c", "echo $A $B; exit 3")).Status == 3, "the container");
            Assert.Equal((3, "1 2\n", ""), entered);
            Assert.Equal(Run("whole", [], "container-enter", name, "env"), Run("small", [], "container-enter", name, "env"));
            Assert.Equal(Run("whole", [], "container-enter", $"{name}-not", "env"), Run("small", [], "container-enter", $"{name}-not", "env"));
        }
        finally
        {
            running.Kill(Signal.SIGKILL);
            running.Wait();
        }
    }

    // What differs from container to container.
    private static (int? Status, string Out, string Err) WithoutPeculiar((int? Status, string Out, string Err) result) =>
        result with { Out = string.Join('\n', result.Out.Split('\n').Where(line => !line.Contains("ctxt_switches", StringComparison.Ordinal) && !line.StartsWith("Vm", StringComparison.Ordinal) && !line.StartsWith("Rss", StringComparison.Ordinal) && !line.Contains("\"pid\"", StringComparison.Ordinal))) };

    // As a shell takes a line apart, as far as it is needed here.
    private static string[] Words(string line)
    {
        List<string> words = [];
        foreach ((int at, string part) in line.Split('\'').Index())
        {
            if (at % 2 == 1)
                words.Add(part);
            else
                words.AddRange(part.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        }
        return [.. words];
    }
}
