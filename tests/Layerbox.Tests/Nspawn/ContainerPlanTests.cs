using Layerbox.Cmd;
using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

/// <summary>What --plan tells: all that a run depends on. Whoever adds an option says here how it shows, or why it need not.</summary>
public class ContainerPlanTests
{
    // The option with a value, and behind a bar what it needs besides.
    private static readonly string[] Told =
    [
        "--user web", "--env A=1", "--workdir /usr", "--hostname h1", "--name n1", "--bind /usr:/in", "--tmpfs /mem", "--overlay /etc", "--network host", "--no-new-privileges", "--seccomp none", "--suppress-sync",
        "--in-place", "--snapshot", "--keep /kept", "--read-only", "--timeout 2m", "--die-with-parent", "--engine nspawn", "--tty", "--shell",
        "--capability CAP_BPF", "--drop-capability CAP_KILL", "--user-namespace 1000000:65536", "--mask /etc", "--device /dev/null", "--rlimit CORE=0", "--oom-score-adj 5", "--umask 077", "--forward-fd 9", "--kill-grace 1s",
        "--memory 1G", "--swap 0 | --memory 1G", "--pids 9", "--cpus 1", "--cpuset 0", "--io-weight 50", "--io-max DISK:wbps=1M",
        "--boot", "--init /sbin/init | --boot", "--init-argument x | --boot", "--boot-timeout 1s | --boot", "--console - | --boot", "--unit | --boot", "--require-units | --boot", "--stop kill | --boot", "--stop-timeout 1s | --boot",
    ];

    private static readonly string[] Untold =
    [
        // Who is told, or what is done instead.
        "--pid-file", "--json-status", "--plan",
        // Ways to a root and a description, which are told themselves; a permission for mounts, which are.
        "--bundle", "--volume", "--allow-host-mount",
        // As without it, but on a terminal.
        "--no-tty",
    ];

    public static TheoryData<string> Options => [.. Told];

    [Fact]
    public void No_option_is_forgotten() =>
        Assert.Equal(
            ToolTable.Tools["container-run"]().Command.Options.Where(option => !option.Hidden).Select(option => option.Name).Order(StringComparer.Ordinal),
            Told.Select(option => option.Split(' ')[0]).Concat(Untold).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Options))]
    public void The_plan_tells_an_option(string option)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        if (option.Contains("DISK", StringComparison.Ordinal))
        {
            string? disk = System.IO.Directory.EnumerateDirectories("/sys/block").Select(path => $"/dev/{Path.GetFileName(path)}").FirstOrDefault(System.IO.File.Exists);
            Assert.SkipWhen(disk is null, "no block device here");
            option = option.Replace("DISK", disk, StringComparison.Ordinal);
        }
        string[] parts = option.Split(" | "), needed = parts.Length > 1 ? parts[1].Split(' ') : [];
        Assert.NotEqual(Plan(needed), Plan([.. needed, .. parts[0].Split(' ')]));

        string Plan(string[] options)
        {
            string[] command = options is ["--shell"] ? [] : ["--", "id"];
            ProcessResult result = ChildProcess.Run(new ProgramStart("bash", ["-c", "exec 9</dev/null; exec \"$@\"", "bash", Published.OrSkip(), "container-run", root.Path, "--plan", .. options, .. command]));
            Assert.SkipWhen(result.ErrorText.Contains("cannot be kept", StringComparison.Ordinal), result.ErrorText);
            return result.ThrowIfFailed().OutputText;
        }
    }
}
