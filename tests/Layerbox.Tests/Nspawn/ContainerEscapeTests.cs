using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>What a layer or the command in it could try to get at the host.</summary>
public class ContainerEscapeTests
{
    private static readonly ContainerEngine Builtin = new BuiltinEngine(), Nspawn = new NspawnEngine();

    private static ContainerEngine Engine(string name) => name == "builtin" ? Builtin : Nspawn;

    [Theory]
    [InlineData("builtin", "HOST")]
    [InlineData("builtin", "../../../../../../../../HOST")]
    [InlineData("builtin", "/proc/self/root/HOST")]
    [InlineData("builtin", "/proc/1/root/HOST")]
    [InlineData("builtin", "/dangling")]
    [InlineData("builtin", "/link")]
    [InlineData("nspawn", "HOST")]
    [InlineData("nspawn", "../../../../../../../../HOST")]
    [InlineData("nspawn", "/proc/self/root/HOST")]
    [InlineData("nspawn", "/proc/1/root/HOST")]
    [InlineData("nspawn", "/dangling")]
    [InlineData("nspawn", "/link")]
    public void A_link_as_mount_point_leads_nowhere_outside(string engine, string target)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine));
        string host = root.Outside("host");
        System.IO.Directory.CreateDirectory(host);
        System.IO.Directory.CreateSymbolicLink(root / "link", target.Replace("HOST", host, StringComparison.Ordinal));
        foreach (bool ephemeral in (bool[])[true, false])
        {
            ContainerSpec spec = root.Shell("touch /link/x /link/made/x") with { Ephemeral = ephemeral };
            Try(spec with { Tmpfs = ["/link"] });
            Try(spec with { Tmpfs = ["/link/made"] });
            Try(spec with { Binds = [new ContainerBind("/etc/hostname", "/link/file", ReadOnly: false)] });
        }
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(host));

        void Try(ContainerSpec spec)
        {
            Exception? refusal = Record.Exception(() => root.Run(spec));
            Assert.True(refusal is null or ContainerException, refusal?.ToString());
        }
    }

    /// <summary>A program that gives two paths each other's names, again and again.</summary>
    internal static ChildProcess Exchange(string one, string other)
    {
        const string Program = """
            import ctypes, sys
            libc = ctypes.CDLL(None)
            a, b = (p.encode() for p in sys.argv[1:])
            while libc.renameat2(-100, a, -100, b, 2) == 0: pass
            """;
        return ChildProcess.Start(new ProgramStart("python3", "-c", Program, one, other));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void A_mount_point_that_is_exchanged_for_a_link_meanwhile_leads_nowhere_outside(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine));
        string host = root.Outside("host");
        System.IO.Directory.CreateDirectory(host);
        System.IO.Directory.CreateDirectory(root / "data");
        System.IO.Directory.CreateSymbolicLink(root / "link", host);
        using ChildProcess exchanger = Exchange(root / "data", root / "link");
        try
        {
            for (int i = 0; i < 20; i++)
                Record.Exception(() => root.Run(root.Shell("touch /data/x /data/sub/x /link/x") with { Ephemeral = i % 2 == 0, Binds = [new ContainerBind("/usr/share", $"/data/sub{i}", ReadOnly: true)], Tmpfs = ["/data"] }));
        }
        finally
        {
            exchanger.Kill(Signal.SIGKILL);
            exchanger.Wait();
        }
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(host));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void No_descriptor_but_the_three_gets_in(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string tool = Published.OrSkip();
        string listing = Programs.Shell($"exec 7</ 8</etc; cd /etc; '{tool}' container-run '{root.Path}' --engine {engine} -- sh -c 'ls /proc/self/fd; pwd; cd ..; pwd; grep -c container-run /proc/1/cmdline' 2>&1 || true");
        // The fourth is the folder that ls lists.
        Assert.Equal("0\n1\n2\n3\n/\n/\n0\n", listing);
    }

    [Theory]
    [InlineData("builtin", true)]
    [InlineData("builtin", false)]
    [InlineData("nspawn", true)]
    [InlineData("nspawn", false)]
    public void Up_from_another_root_is_its_own(string engine, bool ephemeral)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine)).WithProbe();
        System.IO.File.WriteAllText(root.Outside("host"), "");
        foreach (string path in (string[])[root.Outside("host"), "/boot"])
            Assert.Equal("chroot done\nfchdir done\nup done\noutside ENOENT\n", root.Run(new ContainerSpec(root.Path, ["probe", "unroot", path]) { Ephemeral = ephemeral }).Out);
    }

    public static TheoryData<string, string> Attempts()
    {
        string[] attempts =
        [
            "mount -o remount,rw /",
            "mount -o remount,rw /proc/sys",
            "mount -t tmpfs none /tmp",
            "mount --bind /usr /tmp",
            "touch /in/x",
            "touch /in/nested/x",
            "echo x > /proc/sys/kernel/core_pattern",
            "echo x > /proc/sys/kernel/hostname",
            "echo c > /proc/sysrq-trigger",
            "echo x > /sys/kernel/profiling",
            "mkdir /sys/fs/cgroup/x",
            "head -c 1 /disk",
            "head -c 1 /dev/kmsg",
            "mknod /dev/disk b 7 0",
            "grep . /proc/keys",
            "head -c 8 /proc/kpagecount | grep -a .",
            "head -c 8 /proc/kpageflags | grep -a .",
            "grep . /proc/timer_list",
            "head -c 1 /proc/kcore | grep .",
            "grep -r . /sys/firmware",
            "echo x > /proc/sys/net/core/somaxconn",
            "mkdir /sys/fs/cgroup/systemd/x",
            "ls /sys/fs/cgroup | grep .",
            "ls /run/host | grep .",
            "grep . /proc/interrupts",
            "umount /proc/keys",
            "mount -o remount,rw /in",
            "echo x > /proc/1/oom_score_adj",
            "head -c 1 /in/disk",
        ];
        TheoryData<string, string> data = [];
        foreach (string attempt in attempts)
        {
            data.Add("builtin", attempt);
            data.Add("nspawn", attempt);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Attempts))]
    public void Refuses(string engine, string attempt)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine));
        string source = root.Outside("source");
        System.IO.Directory.CreateDirectory(System.IO.Path.Combine(source, "nested"));
        foreach (string node in (string[])[root / "disk", System.IO.Path.Combine(source, "disk")])
            Programs.Run("mknod", "-m", "0666", node, "b", "7", "0");
        Programs.Run("mount", "-t", "tmpfs", "none", System.IO.Path.Combine(source, "nested"));
        try
        {
            ContainerSpec spec = root.Shell(attempt) with { Ephemeral = true, Binds = [new ContainerBind(source, "/in", ReadOnly: true)] };
            Assert.NotEqual(0, root.Run(spec).Result.Status);
            Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(System.IO.Path.Combine(source, "nested")));
        }
        finally
        {
            Mounting.Unmount(System.IO.Path.Combine(source, "nested"));
        }
    }

    [Theory]
    [InlineData("builtin", "mknod -m 666 /tmp/d b 7 0 && head -c 1 /tmp/d")]
    [InlineData("builtin", "mknod -m 666 /dev/d b 7 0 && head -c 1 /dev/d")]
    [InlineData("builtin", "mknod -m 666 /d c 1 5 && head -c 1 /d")]
    [InlineData("nspawn", "mknod -m 666 /tmp/d b 7 0 && head -c 1 /tmp/d")]
    [InlineData("nspawn", "mknod -m 666 /dev/shm/d b 7 0 && head -c 1 /dev/shm/d")]
    [InlineData("nspawn", "mknod -m 666 /d c 1 5 && head -c 1 /d")]
    public void Opens_no_device_that_it_was_allowed_to_make(string engine, string attempt)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine));
        (ContainerResult result, _, string errors) = root.Run(root.Shell(attempt) with { Ephemeral = true, Capabilities = [ContainerCapabilities.MakeNodes] });
        Assert.NotEqual(0, result.Status);
        Assert.Contains("Permission denied", errors);
        // The container's own devices work all the same.
        Assert.Equal(0, root.Run(root.Shell("echo gone > /dev/null && head -c 3 /dev/zero && head -c 3 /dev/urandom") with { Capabilities = [ContainerCapabilities.MakeNodes] }).Result.Status);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Masks_nothing_with_a_file_of_the_image(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine));
        System.IO.Directory.CreateDirectory(root / "dev");
        System.IO.File.CreateSymbolicLink(root / "dev/null", "/proc/sys/kernel/core_pattern");
        (ContainerResult result, string output, _) = root.Run(root.Shell("cat /proc/keys; echo > /dev/null") with { Ephemeral = true });
        Assert.Equal((0, ""), (result.Status, output));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Filters_system_calls(string engine)
    {
        const string Refused = """
            add_key EPERM
            keyctl EPERM
            bpf EPERM
            perf_event_open EPERM
            userfaultfd EPERM
            io_uring_setup ENOSYS
            init_module EPERM
            kexec_load EPERM
            open_by_handle_at EPERM
            unshare EPERM
            setns EPERM
            mount EPERM
            clone3 ENOSYS
            clone EPERM
            TIOCSTI EPERM
            TIOCLINUX EPERM
            vsock EPERM
            x32 ENOSYS
            getpid done

            """;
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine)).WithProbe();
        Assert.Equal(Refused, root.Run("probe calls").Out);
        Assert.Equal(128 + (int)Signal.SIGSYS, root.Run(new ContainerSpec(root.Path, ["probe", "call32"])).Result.Status);
        string open = root.Run(root.Shell("probe calls") with { SystemCallFilter = false }).Out;
        Assert.Contains("add_key done\n", open);
        Assert.Contains("unshare done\n", open);
        string admin = root.Run(root.Shell("probe calls") with { Capabilities = ["CAP_SYS_ADMIN"] }).Out;
        Assert.Contains("bpf EINVAL\n", admin);
        Assert.Contains("add_key EPERM\n", admin);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Reaches_sockets_of_the_host_only_with_the_hosts_network(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine)).WithProbe();
        string name = $"layerbox-{Guid.NewGuid():N}";
        using Socket local = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        local.Bind(new UnixDomainSocketEndPoint($"\0{name}"));
        local.Listen();
        using TcpListener loopback = new(IPAddress.Loopback, 0);
        loopback.Start();
        ContainerSpec spec = new(root.Path, ["probe", "reach", name, ((IPEndPoint)loopback.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture)]);
        Assert.Equal("abstract ECONNREFUSED\nloopback ECONNREFUSED\n", root.Run(spec).Out);
        Assert.Equal("abstract done\nloopback done\n", root.Run(spec with { Network = ContainerNetwork.Host }).Out);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void A_setuid_program_gives_root_unless_no_privileges_are_to_be_had(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine)).WithProbe("4755");
        ContainerSpec spec = new(root.Path, ["probe", "euid"]) { User = ContainerUser.Find(root.Path, "web") };
        Assert.Equal("33 0\n", root.Run(spec).Out);
        Assert.Equal("33 33\n", root.Run(spec with { NoNewPrivileges = true }).Out);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Has_exactly_the_capabilities_and_groups_that_were_said(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine));
        ContainerSpec spec = root.Shell("grep -E '^(Cap|Groups)' /proc/self/status");
        Assert.Equal(Expected("", "00000000a00425fb", "00000000a00425fb"), Squeeze(root.Run(spec).Out));
        Assert.Equal(Expected("4 34", "0000000000000000", "00000000a00425fb"),
            Squeeze(root.Run(spec with { User = new ContainerUser(33, 33, [4, 34], "/") }).Out));

        static string Expected(string groups, string effective, string bounding) =>
            $"Groups:{groups} CapInh:0000000000000000 CapPrm:{effective} CapEff:{effective} CapBnd:{bounding} CapAmb:0000000000000000";

        static string Squeeze(string text) => string.Join(' ', text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Replace("\t", "", StringComparison.Ordinal).TrimEnd()));
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void Process_1_is_out_of_reach(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine)).WithProbe();
        Assert.Equal("ptrace EPERM\nread EPERM\nmem EACCES\nexe EACCES\nroot EACCES\ncwd EACCES\nexec EACCES\ndescriptor EACCES\nown exe ETXTBSY\n",
            root.Run(root.Shell("probe process1") with { Ephemeral = true }).Out);
    }

    [Theory]
    [InlineData("builtin", "standard input")]
    [InlineData("builtin", "standard output")]
    [InlineData("builtin", "standard error")]
    [InlineData("builtin", "descriptor 4 of the command")]
    [InlineData("nspawn", "standard input")]
    [InlineData("nspawn", "descriptor 4 of the command")]
    public void An_open_folder_is_not_handed_in(string engine, string name)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine));
        using SafeFileHandle folder = Files.Open("/usr", OpenFlags.ReadOnly), file = Files.Open("/dev/null", OpenFlags.ReadOnly);
        ContainerSpec spec = root.Shell("cat /proc/self/fd/0/../etc/shadow") with { Ephemeral = true };
        spec = name switch
        {
            "standard input" => spec with { Input = folder },
            "standard output" => spec with { Output = folder },
            "standard error" => spec with { Error = folder },
            _ => spec with { ForwardedDescriptors = [file, folder] },
        };
        Assert.Equal($"{name} is a folder, by which the command could leave the container: bind it instead", Assert.Throws<ContainerException>(() => root.Run(spec)).Message);
    }

    [Theory]
    [InlineData("builtin")]
    [InlineData("nspawn")]
    public void A_folder_decides_nothing_about_what_it_sees_of_the_host(string engine)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        System.IO.Directory.CreateDirectory(root / ".layerbox");
        System.IO.File.WriteAllText(root / ".layerbox/mounts.json", """[{"mountpoint":"in","type":"host","source":"/etc/hostname"}]""" + "\n");
        string[] run = ["container-run", root.Path, "--engine", engine];
        ProcessResult refused = ChildProcess.Run(new ProgramStart(Published.OrSkip(), [.. run, "--", "cat", "/in"]));
        Assert.Equal((125, "", $"container-run: {root.Path}: /in is to show /etc/hostname of the host; allow it with --allow-host-mount if that is meant\n"),
            (refused.Exit.Status, refused.OutputText, refused.ErrorText));
        ProcessResult allowed = ChildProcess.Run(new ProgramStart(Published.OrSkip(), [.. run, "--allow-host-mount", "/etc/hostname", "--", "cat", "/in"]));
        Assert.Equal((0, Programs.Run("cat", "/etc/hostname")), (allowed.Exit.Status, allowed.OutputText));
    }

    [Fact]
    public void A_mount_point_that_is_too_deep_is_told()
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Builtin);
        ContainerSpec spec = root.Shell("exit 0") with { Ephemeral = true, Tmpfs = [string.Concat(Enumerable.Repeat("/deep", 100))] };
        Assert.Equal("a mount point lies below too many folders", Assert.Throws<ContainerException>(() => root.Run(spec)).Message);
    }

    [Theory]
    [InlineData("builtin", true)]
    [InlineData("builtin", false)]
    [InlineData("nspawn", true)]
    [InlineData("nspawn", false)]
    public void Links_in_the_layer_change_nothing_outside(string engine, bool ephemeral)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Engine(engine));
        string host = root.Outside("host");
        System.IO.Directory.CreateDirectory(host);
        System.IO.File.WriteAllText(System.IO.Path.Combine(host, "file"), "host\n");
        foreach (string folder in (string[])["etc", "usr/lib", "var", "var/log"])
            System.IO.Directory.CreateDirectory(root / folder);
        (string Link, string Target)[] links =
        [
            ("etc/resolv.conf", $"{host}/file"), ("etc/localtime", $"{host}/file"), ("etc/machine-id", $"{host}/new-id"), ("etc/os-release", "../../../../../../.." + host + "/new-os"),
            ("etc/hostname", $"{host}/file"), ("var/log/journal", host), ("lib64-x", host), ("sbin", host), ("lib32", $"{host}/none"), ("libx32", "libx32"),
        ];
        foreach ((string link, string target) in links)
            System.IO.Directory.CreateSymbolicLink(root / link, target);
        Exception? refusal = Record.Exception(() => root.Run(root.Shell("exit 0") with { Ephemeral = ephemeral }));
        Assert.True(refusal is null or ContainerException, refusal?.ToString());
        Assert.Equal(["file"], System.IO.Directory.EnumerateFileSystemEntries(host).Select(path => System.IO.Path.GetFileName(path)));
        Assert.Equal("host\n", System.IO.File.ReadAllText(System.IO.Path.Combine(host, "file")));
        foreach ((string link, string target) in links)
            Assert.Equal(target, new System.IO.FileInfo(root / link).LinkTarget);
    }
}
