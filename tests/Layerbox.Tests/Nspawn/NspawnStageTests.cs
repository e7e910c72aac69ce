using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

/// <summary>
/// Every stage of a container of systemd-nspawn goes wrong once: programs of its name fail, hang, are killed or leave processes before it makes the container and after; and
/// the container itself is one that cannot be made, entered or stopped. Seen from outside: the exit status, one line, and that nothing is left.
/// </summary>
public class NspawnStageTests(BootRoot shared) : IClassFixture<BootRoot>
{
    // What a fake does; the real one is $REAL.
    private const string Silent = "exit 1", Zero = "exit 0", Words = "echo 'No luck.' >&2; exit 3", Killed = "kill -KILL $$", Hangs = "exec sleep 1000",
        Old = "[[ $1 != --version ]] || { echo 'systemd 239 (239-82.el8)'; exit; }; echo 'unrecognized option --console=pipe' >&2; exit 1",
        LeavesChildAndFails = "sleep 1000 & echo 'No luck.' >&2; exit 3", LeavesChild = "sleep 1000 & exec \"$REAL\" \"$@\"";

    // The real one, under the number that the fake had, which is the one that is told to take the descriptors.
    private static string KilledWhen(string condition) => $"(until {condition}; do sleep 0.02; done; kill -KILL $$) & exec \"$REAL\" \"$@\"";

    // Ours; nspawn's own are below them. Those of other tests come and go meanwhile, also while they are listed.
    private static HashSet<string> Groups() => [.. Programs.Shell("find /sys/fs/cgroup -type d -path '*/layerbox-*' 2>/dev/null || true").Split('\n', StringSplitOptions.RemoveEmptyEntries)];

    /// <summary>A folder with a systemd-nspawn in it, to be the first of PATH; the mark is in the environment of all that it starts.</summary>
    private sealed class Fake : IDisposable
    {
        private readonly TempFolder _folder = new();
        private readonly HashSet<string> _groups = Groups();

        public Fake(string script)
        {
            ProgramFile.Write(Program, $"#!/bin/bash\nexport {Mark}=1 REAL={ProgramStart.TryFind("systemd-nspawn")}\n{(script == Old ? "" : "[[ $1 != --version ]] || exec \"$REAL\" --version")}\n{script}\n");
        }

        public string Mark { get; } = $"MARK{Guid.NewGuid():N}";

        public string Program => _folder / "systemd-nspawn";

        public ProgramStart Start(string root, params string[] options) => new("env", [$"PATH={_folder.Path}:{Environment.GetEnvironmentVariable("PATH")}", Published.OrSkip(), "container-run", root, "--engine", "nspawn", .. options]);

        public ProcessResult Run(string root, params string[] options) => ChildProcess.Run(Start(root, options), ReadOnlyMemory<byte>.Empty);

        public void AssertNothingIsLeft(string root)
        {
            Patience.Until(() => Programs.Shell($"grep --files-with-matches --null-data '^{Mark}' /proc/[0-9]*/environ 2>/dev/null || true").Length == 0, "the end of all processes");
            // Others begin new ones meanwhile, so those that are there now are waited for.
            string[] groups = [.. Groups().Except(_groups)];
            Patience.Until(() => !Groups().Overlaps(groups), "the end of all groups");
            Assert.DoesNotContain(Mounts.List(), mount => mount.Point.StartsWith(root, StringComparison.Ordinal) || mount.Point.StartsWith("/run/systemd/nspawn", StringComparison.Ordinal));
        }

        public void Dispose() => _folder.Dispose();
    }

    [Theory]
    [InlineData(Silent, "ROOT: systemd-nspawn: exit status 1")]
    [InlineData(Zero, "ROOT: systemd-nspawn: exit status 0")]
    [InlineData(Words, "ROOT: systemd-nspawn: No luck")]
    [InlineData(Killed, "ROOT: systemd-nspawn: killed by SIGKILL")]
    [InlineData(LeavesChildAndFails, "ROOT: systemd-nspawn: No luck")]
    [InlineData(Old, "NSPAWN: version 239 is too old: 242 or newer is needed")]
    [InlineData("\"$REAL\" --no-such-option", "ROOT: systemd-nspawn: *unrecognized option '--no-such-option'")]
    // In the midst of its work: the root is not there.
    [InlineData("args=(\"$@\"); exec \"$REAL\" \"${args[@]/--directory=*/--directory=/none}\"", "ROOT: systemd-nspawn: *No such file or directory")]
    public void One_that_fails_is_told(string script, string reason)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string before = root.Listing();
        foreach (string[] options in (string[][])[["--", "id"], ["--in-place", "--", "id"], ["--boot", "--init", "/usr/bin/sh", "--", "id"], ["--boot", "--init", "/usr/bin/sh", "--in-place"]])
        {
            using Fake fake = new(script);
            ProcessResult result = fake.Run(root.Path, options);
            string[] expected = $"container-run: {reason.Replace("NSPAWN", fake.Program, StringComparison.Ordinal)}\n".Split('*');
            string said = result.ErrorText.Replace(root.Path, "ROOT", StringComparison.Ordinal);
            Assert.Equal((125, ""), (result.Exit.Status, result.OutputText));
            Assert.StartsWith(expected[0], said);
            Assert.EndsWith(expected[^1], said);
            Assert.Single(said.Split('\n', StringSplitOptions.RemoveEmptyEntries));
            fake.AssertNothingIsLeft(root.Path);
            Assert.Equal(before, root.Listing());
        }
    }

    [Theory]
    [InlineData("--", "id")]
    [InlineData("--boot", "--init", "/usr/bin/sh", "--", "id")]
    public void A_missing_one_is_told(params string[] options)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        // It is looked for in more folders than PATH has.
        ProcessResult result = ChildProcess.Run(new ProgramStart("unshare", ["--mount", "bash", "-c", "mount --bind /dev/null \"$1\"; shift; exec \"$@\"", "bash", ProgramStart.TryFind("systemd-nspawn")!, Published.OrSkip(), "container-run", root.Path, "--engine", "nspawn", .. options]), ReadOnlyMemory<byte>.Empty);
        Assert.Equal((125, "", "container-run: systemd-nspawn is not installed (Debian, Ubuntu, Fedora, RHEL: package systemd-container)\n"), (result.Exit.Status, result.OutputText, result.ErrorText));
    }

    [Theory]
    [InlineData(Hangs)]
    [InlineData("trap '' TERM INT HUP; sleep 1000 & sleep 1000")]
    public void One_that_hangs_ends_when_it_is_told_to(string script)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string before = root.Listing();
        foreach (string[] options in (string[][])[["--", "id"], ["--in-place", "--", "id"], ["--boot", "--init", "/usr/bin/sh", "--", "id"]])
        {
            bool boots = options[0] == "--boot";
            using (Fake fake = new(script))
            {
                ProcessResult result = fake.Run(root.Path, [boots ? "--boot-timeout" : "--timeout", "1s", .. options]);
                Assert.Equal(124, result.Exit.Status);
                Assert.Equal(boots ? "container-run: the system is not up after 1 s\n" : "container-run: killed: its time is up\n", result.ErrorText);
                fake.AssertNothingIsLeft(root.Path);
            }
            foreach (Signal signal in (Signal[])[Signal.SIGTERM, Signal.SIGINT, Signal.SIGKILL])
            {
                using Fake fake = new($"echo >'{root.Outside("hangs")}'; {script}");
                System.IO.File.Delete(root.Outside("hangs"));
                using ChildProcess tool = ChildProcess.Start(fake.Start(root.Path, options) with { Input = Files.Open("/dev/null", OpenFlags.ReadOnly) });
                Patience.Until(() => System.IO.File.Exists(root.Outside("hangs")), "the start");
                tool.Kill(signal);
                ProcessExit exit = tool.Wait();
                Assert.Equal(128 + (int)signal, exit.Status ?? 128 + (int)exit.Signal!.Value);
                fake.AssertNothingIsLeft(root.Path);
            }
            // After SIGKILL empty mount points may be left, which the next run finds.
            Programs.Shell($"find {root.Path} -depth -type d -empty -newer {root.Outside("hangs")} -delete");
            Assert.Equal(before.Split('\n').Select(line => line.Split(' ')[0]), root.Listing().Split('\n').Select(line => line.Split(' ')[0]));
        }
    }

    [Fact]
    public void What_it_leaves_running_ends_with_the_container()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        foreach (string[] options in (string[][])[[], ["--in-place"]])
        {
            using Fake fake = new(LeavesChild);
            ProcessResult result = fake.Run(root.Path, [.. options, "--", "sh", "-c", "echo ran; exit 7"]);
            Assert.Equal((7, "ran\n", ""), (result.Exit.Status, result.OutputText, result.ErrorText));
            fake.AssertNothingIsLeft(root.Path);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("--in-place")]
    public void One_that_is_killed_while_the_command_runs_is_told(string option)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string[] options = option.Length > 0 ? [option] : [];
        string mark = root.Outside("up");
        System.IO.File.WriteAllText(mark, "");
        using Fake fake = new(KilledWhen($"[ -s '{mark}' ]"));
        ProcessResult result = fake.Run(root.Path, [.. options, "--bind", $"{mark}:/up", "--", "sh", "-c", "echo up >/up; sleep 1000"]);
        Assert.Equal((125, "", $"container-run: {root.Path}: systemd-nspawn: killed by SIGKILL\n"), (result.Exit.Status, result.OutputText, result.ErrorText));
        Assert.Equal("up\n", System.IO.File.ReadAllText(mark));
        fake.AssertNothingIsLeft(root.Path);
    }

    [Fact]
    public void A_system_that_never_says_that_it_is_up_is_ended()
    {
        string root = shared.OrSkip();
        using Fake fake = new("NOTIFY_SOCKET= exec \"$REAL\" \"$@\"");
        ProcessResult result = fake.Run(root, "--boot", "--boot-timeout", "3s", "--", "id");
        Assert.Equal((124, ""), (result.Exit.Status, result.OutputText));
        Assert.StartsWith("container-run: the system is not up after 3 s", result.ErrorText);
        fake.AssertNothingIsLeft(root);
    }

    [Theory]
    [InlineData("true")]
    [InlineData("sleep 0.05")]
    [InlineData("sleep 0.1")]
    public void A_system_whose_nspawn_is_killed_on_the_way_is_told(string condition)
    {
        string root = shared.OrSkip();
        using Fake fake = new(KilledWhen(condition));
        ProcessResult result = fake.Run(root, "--boot", "--", "sh", "-c", "sleep 1000");
        Assert.Equal((125, ""), (result.Exit.Status, result.OutputText));
        Assert.StartsWith("container-run: ", result.ErrorText);
        fake.AssertNothingIsLeft(root);
    }

    [Fact]
    public void A_command_of_a_system_whose_nspawn_is_killed_ends()
    {
        string root = shared.OrSkip(), mark = shared.Outside("up");
        System.IO.File.WriteAllText(mark, "");
        using Fake fake = new(KilledWhen($"[ -s '{mark}' ]"));
        ProcessResult result = fake.Run(root, "--boot", "--bind", $"{mark}:/up", "--", "sh", "-c", "echo up >/up; sleep 1000");
        Assert.Equal(137, result.Exit.Status);
        // The command may end before the system has.
        Assert.Contains(result.ErrorText, (string[])["", "container-run: the system ended while the command ran\n"]);
        fake.AssertNothingIsLeft(root);
    }

    [Fact]
    public void One_that_hands_nothing_on_is_told()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        // Process 1 is then without its executable and its pipes.
        using Fake fake = new("LISTEN_FDS=2 exec \"$REAL\" \"$@\"");
        ProcessResult result = fake.Run(root.Path, "--timeout", "20s", "--", "id");
        Assert.Equal((125, ""), (result.Exit.Status, result.OutputText));
        Assert.Single(result.ErrorText.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        fake.AssertNothingIsLeft(root.Path);
    }
}
