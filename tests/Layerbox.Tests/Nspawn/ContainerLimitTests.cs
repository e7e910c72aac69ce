using System.Diagnostics;
using System.Text;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>What a command can reach and may use, in both engines.</summary>
public abstract class ContainerLimitTests(ContainerEngine engine)
{
    public sealed class OfBuiltin() : ContainerLimitTests(new BuiltinEngine());

    public sealed class OfNspawn() : ContainerLimitTests(new NspawnEngine());

    private ContainerRoot Root() => ContainerRoot.OrSkip(engine);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Shows_masked_folders_empty_and_masked_files_as_nothing(bool ephemeral)
    {
        using ContainerRoot root = Root();
        System.IO.Directory.CreateDirectory(root / "secret/deep");
        System.IO.File.WriteAllText(root / "etc/key", "key\n");
        System.IO.Directory.CreateSymbolicLink(root / "link", "/secret");
        // What an image has at this place must not be shown (CVE-2025-31133).
        System.IO.Directory.CreateDirectory(root / "dev");
        System.IO.File.WriteAllText(root / "dev/null", "image's\n");
        ContainerSpec spec = root.Shell("ls -A /secret /link; cat /etc/key; echo x > /etc/key; cat /etc/key; echo gone /proc/version $(cat /proc/version); touch /secret/x; umount /secret; rm -r /etc/key") with
        {
            Ephemeral = ephemeral,
            Masks = ["/link", "/etc/key", "/proc/version", "/not/there"],
        };
        (_, string output, string errors) = root.Run(spec);
        Assert.Equal("/link:\n\n/secret:\ngone /proc/version\n", output);
        Assert.Contains("Read-only file system", errors);
        Assert.Contains("busy", errors);
        Assert.Equal("key\n", System.IO.File.ReadAllText(root / "etc/key"));
    }

    [Fact]
    public void Keeps_paths_read_only_that_are_said_to_be()
    {
        using ContainerRoot root = Root();
        ContainerSpec spec = root.Shell("touch /usr/x; touch /etc/passwd; touch /etc/group /x && ls /usr/bin/sh") with { Ephemeral = true, ReadOnlyPaths = ["/usr", "/etc/passwd", "/none"] };
        (ContainerResult result, string output, string errors) = root.Run(spec);
        Assert.Equal((0, "/usr/bin/sh\n"), (result.Status, output));
        Assert.Equal(2, errors.Split("Read-only file system").Length - 1);
    }

    [Fact]
    public void Takes_two_hundred_binds_and_masks_and_forgets_none()
    {
        const int Many = 200;
        using ContainerRoot root = Root();
        System.IO.File.WriteAllText(root.Outside("in"), "x\n");
        ContainerSpec spec = root.Shell("cat /in/deep/*/file | grep -c x; cat /etc/group") with
        {
            Ephemeral = true,
            Binds = [.. Enumerable.Range(0, Many).Select(i => new ContainerBind(root.Outside("in"), $"/in/deep/{i}/file", ReadOnly: true))],
            Masks = [.. Enumerable.Range(0, Many).Select(i => $"/none/{i}"), "/etc/group"],
        };
        (ContainerResult result, string output, _) = root.Run(spec);
        Assert.Equal((0, $"{Many}\n"), (result.Status, output));
    }

    [Fact]
    public void Binds_what_is_mounted_below_and_only_when_asked()
    {
        using ContainerRoot root = Root();
        string outside = root.Outside("shared");
        System.IO.Directory.CreateDirectory(System.IO.Path.Combine(outside, "sub"));
        Programs.Run("mount", "-t", "tmpfs", "none", System.IO.Path.Combine(outside, "sub"));
        try
        {
            System.IO.File.WriteAllText(System.IO.Path.Combine(outside, "sub/file"), "below\n");
            ContainerSpec spec = root.Shell("cat /all/sub/file; touch /all/sub/x; ls /one/sub; touch /one/sub/x; ls /none") with
            {
                Ephemeral = true,
                Binds =
                [
                    new ContainerBind(outside, "/all", ReadOnly: true),
                    new ContainerBind(outside, "/one", ReadOnly: true) { IsRecursive = false },
                    new ContainerBind(root.Outside("missing"), "/none", ReadOnly: true) { IsOptional = true },
                ],
            };
            (_, string output, string errors) = root.Run(spec);
            Assert.Equal("below\n", output);
            Assert.Equal(2, errors.Split("Read-only file system").Length - 1);
            Assert.Contains("/none", errors);
        }
        finally
        {
            Mounting.Unmount(System.IO.Path.Combine(outside, "sub"));
        }
    }

    [Fact]
    public void Gives_a_device_that_was_asked_for_and_no_other_kind_of_file()
    {
        using ContainerRoot root = Root();
        const string Script = "[ -c /dev/loop-control ] && exec 3< /dev/loop-control && echo open";
        Assert.Equal("open\n", root.Run(root.Shell(Script) with { Ephemeral = true, Devices = ["/dev/loop-control"] }).Out);
        Assert.Equal("", root.Run(root.Shell(Script) with { Ephemeral = true }).Out);
        ContainerException e = Assert.Throws<ContainerException>(() => root.Run(root.Shell("exit 0") with { Devices = ["/etc/passwd"] }));
        Assert.Equal("/etc/passwd: is no device: bind it instead", e.Message);
        Assert.Equal("/dev/no-such: stat: No such file or directory", Assert.Throws<PosixException>(() => root.Run(root.Shell("exit 0") with { Devices = ["/dev/no-such"] })).Message);
    }

    [Theory]
    [InlineData("", "CAP_KILL,CAP_SETUID", "00000000a004255b")]
    [InlineData("", "all", "0000000000000000")]
    [InlineData("CAP_CHOWN", "all", "0000000000000001")]
    [InlineData("CAP_SYS_ADMIN", "CAP_CHOWN", "00000000a02425fa")]
    public void Has_the_capabilities_that_were_said_in_every_set(string given, string dropped, string expected)
    {
        using ContainerRoot root = Root();
        ContainerSpec spec = root.Shell("grep -E 'Cap(Prm|Eff|Bnd|Amb|Inh)' /proc/self/status") with { Capabilities = Split(given), DroppedCapabilities = Split(dropped) };
        const string None = "0000000000000000";
        Assert.Equal($"CapInh:\t{None}\nCapPrm:\t{expected}\nCapEff:\t{expected}\nCapBnd:\t{expected}\nCapAmb:\t{None}\n", root.Run(spec).Out);
        Assert.Equal($"CapInh:\t{None}\nCapPrm:\t{None}\nCapEff:\t{None}\nCapBnd:\t{expected}\nCapAmb:\t{None}\n", root.Run(spec with { User = new ContainerUser(33, 34, [], "/") }).Out);

        static string[] Split(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries);
    }

    [Fact]
    public void Has_all_capabilities_that_we_have_when_asked()
    {
        using ContainerRoot root = Root();
        const string Script = "grep CapEff /proc/self/status";
        Assert.Equal(Programs.Shell(Script), root.Run(root.Shell(Script) with { Capabilities = [ContainerCapabilities.All] }).Out);
    }

    [Fact]
    public void Filters_system_calls_the_same_way()
    {
        using ContainerRoot root = Root();
        const string Script = "grep Seccomp: /proc/self/status";
        Assert.Equal("Seccomp:\t2\n", root.Run(root.Shell(Script)).Out);
        Assert.Equal("Seccomp:\t0\n", root.Run(root.Shell(Script) with { SystemCallFilter = false }).Out);
    }

    // The kernel has nothing to sync there, and says so.
    [Theory]
    [InlineData(true, true, "0\n")]
    [InlineData(true, false, "0\n")]
    [InlineData(false, true, "1\n")]
    public void Suppresses_syncs_when_asked(bool suppress, bool filter, string status)
    {
        using ContainerRoot root = Root();
        Assert.Equal(status, root.Run(root.Shell("dd if=/dev/null of=/dev/null conv=fsync 2>/dev/null; echo $?") with { SuppressSync = suppress, SystemCallFilter = filter }).Out);
    }

    [Fact]
    public void Limits_what_a_process_may_use()
    {
        using ContainerRoot root = Root();
        ContainerSpec spec = root.Shell("grep -E 'core file|open files|file size|address space' /proc/self/limits; umask; cat /proc/self/oom_score_adj; head -c 9000 /dev/zero > /tmp/x; exit $?") with
        {
            Ephemeral = true,
            ResourceLimits = [new("CORE", 0, 0), new("NOFILE", 64, 128), new("FSIZE", 8192, 8192), new("AS", 1 << 30, ResourceLimit.Unlimited)],
            Umask = 0x17 /* 0027 */,
            OutOfMemoryScore = 777,
        };
        (ContainerResult result, string output, _) = root.Run(spec);
        string[] lines = [.. output.Split('\n').Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))];
        Assert.Equal(["Max file size 8192 8192 bytes", "Max core file size 0 0 bytes", "Max open files 64 128 files", "Max address space 1073741824 unlimited bytes", "0027", "777", ""], lines);
        // SIGXFSZ
        Assert.Equal(128 + 25, result.Status);
        Assert.Equal("NOFILE=2000000000:2000000000: set resource limit: Operation not permitted",
            Assert.Throws<ContainerException>(() => root.Run(root.Shell("exit 0") with { ResourceLimits = [new("NOFILE", 2_000_000_000, 2_000_000_000)] })).Message);
    }

    [Fact]
    public void Hands_descriptors_on_and_closes_all_others()
    {
        using ContainerRoot root = Root();
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        (SafeFileHandle back, SafeFileHandle answer) = Pipes.Make();
        using (read)
        using (back)
        {
            Files.Write(write, "question"u8, "pipe");
            write.Dispose();
            ContainerSpec spec = root.Shell("echo $LISTEN_FDS $((LISTEN_PID - $$)); ls /proc/$$/fd; cat <&3 >&4") with { ForwardedDescriptors = [read, answer] };
            string output;
            using (answer)
                output = root.Run(spec).Out;
            byte[] buffer = new byte[100];
            Assert.Equal("2 0\n0\n1\n2\n3\n4\n", output);
            Assert.Equal("question", Encoding.UTF8.GetString(buffer, 0, Files.Read(back, buffer)));
            // And nobody inside keeps the other end open.
            Assert.Equal(0, Files.Read(back, buffer));
        }
    }

    [Fact]
    public void Asks_the_command_to_end_before_it_kills()
    {
        using ContainerRoot root = Root();
        foreach (TimeSpan time in Patience.Doubled(TimeSpan.FromMilliseconds(300)))
        {
            (ContainerResult result, string output, _) = root.Run(root.Shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done") with { Timeout = time, KillGrace = Patience.Limit });
            Assert.Equal((true, ContainerResult.TimedOutStatus), (result.TimedOut, result.Status));
            // Else it was asked before it could answer.
            if (!output.StartsWith("ready\n", StringComparison.Ordinal))
                continue;
            Assert.Equal("ready\nbye\n", output);
            break;
        }
    }

    [Fact]
    public void Kills_a_command_that_does_not_end_when_it_is_asked()
    {
        using ContainerRoot root = Root();
        foreach (TimeSpan time in Patience.Doubled(TimeSpan.FromMilliseconds(300)))
        {
            Stopwatch watch = Stopwatch.StartNew();
            (ContainerResult result, string output, _) = root.Run(root.Shell("trap '' TERM; echo ready; exec sleep 1000") with { Timeout = time, KillGrace = time });
            Assert.Equal((true, ContainerResult.TimedOutStatus), (result.TimedOut, result.Status));
            if (output.Length == 0)
                continue;
            Assert.True(watch.Elapsed >= 2 * time);
            break;
        }
    }
}
