using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Layerbox.Nspawn;
using Layerbox.Posix;

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

    [Fact]
    public void A_mount_point_that_is_exchanged_for_a_link_meanwhile_leads_nowhere_outside()
    {
        const string Exchange = """
            import ctypes, sys
            libc = ctypes.CDLL(None)
            a, b = (p.encode() for p in sys.argv[1:])
            print("ready", flush=True)
            while libc.renameat2(-100, a, -100, b, 2) == 0: pass
            """;
        using ContainerRoot root = ContainerRoot.OrSkip(Builtin);
        string host = root.Outside("host");
        System.IO.Directory.CreateDirectory(host);
        System.IO.Directory.CreateDirectory(root / "data");
        System.IO.Directory.CreateSymbolicLink(root / "link", host);
        using ChildProcess exchanger = ChildProcess.Start(new ProgramStart("python3", "-c", Exchange, root / "data", root / "link"));
        try
        {
            for (int i = 0; i < 20; i++)
                Record.Exception(() => root.Run(root.Shell("touch /data/x /data/sub/x /link/x") with { Binds = [new ContainerBind("/usr/share", $"/data/sub{i}", ReadOnly: true)], Tmpfs = ["/data"] }));
        }
        finally
        {
            exchanger.Kill(Signal.SIGKILL);
            exchanger.Wait();
        }
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(host));
    }

    [Fact]
    public void No_descriptor_but_the_three_gets_in()
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Builtin);
        string tool = Published.OrSkip();
        string listing = Programs.Shell($"exec 7</ 8</etc; cd /etc; '{tool}' container-run '{root.Path}' -- sh -c 'ls /proc/self/fd; pwd; cd ..; pwd; grep -c container-run /proc/1/cmdline' 2>&1 || true");
        // The fourth is the folder that ls lists.
        Assert.Equal("0\n1\n2\n3\n/\n/\n0\n", listing);
    }

    [Theory]
    [InlineData("mount -o remount,rw /")]
    [InlineData("mount -o remount,rw /proc/sys")]
    [InlineData("mount -t tmpfs none /tmp")]
    [InlineData("mount --bind /usr /tmp")]
    [InlineData("touch /in/x")]
    [InlineData("touch /in/nested/x")]
    [InlineData("echo x > /proc/sys/kernel/core_pattern")]
    [InlineData("echo x > /proc/sys/kernel/hostname")]
    [InlineData("echo c > /proc/sysrq-trigger")]
    [InlineData("echo x > /sys/kernel/uevent_helper")]
    [InlineData("mkdir /sys/fs/cgroup/x")]
    [InlineData("head -c 1 /disk")]
    [InlineData("head -c 1 /dev/kmsg")]
    [InlineData("mknod /dev/disk b 7 0")]
    [InlineData("grep . /proc/keys")]
    [InlineData("grep . /proc/timer_list")]
    [InlineData("head -c 1 /proc/kcore | grep .")]
    [InlineData("grep -r . /sys/firmware")]
    public void Refuses(string attempt)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Builtin);
        string source = root.Outside("source");
        System.IO.Directory.CreateDirectory(System.IO.Path.Combine(source, "nested"));
        Programs.Run("mknod", "-m", "0666", root / "disk", "b", "7", "0");
        Programs.Run("mount", "-t", "tmpfs", "none", System.IO.Path.Combine(source, "nested"));
        try
        {
            ContainerSpec spec = root.Shell(attempt) with { Ephemeral = true, Binds = [new ContainerBind(source, "/in", ReadOnly: true)] };
            Assert.NotEqual(0, root.Run(spec).Result.Status);
            Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(System.IO.Path.Combine(source, "nested")));
        }
        finally
        {
            Programs.Run("umount", System.IO.Path.Combine(source, "nested"));
        }
    }

    [Theory]
    [InlineData("mknod -m 666 /tmp/d b 7 0 && head -c 1 /tmp/d")]
    [InlineData("mknod -m 666 /dev/d b 7 0 && head -c 1 /dev/d")]
    [InlineData("mknod -m 666 /d c 1 5 && head -c 1 /d")]
    public void Opens_no_device_that_it_was_allowed_to_make(string attempt)
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Builtin);
        (ContainerResult result, _, string errors) = root.Run(root.Shell(attempt) with { Ephemeral = true, Capabilities = [ContainerCapabilities.MakeNodes] });
        Assert.NotEqual(0, result.Status);
        Assert.Contains("Permission denied", errors);
        // The container's own devices work all the same.
        Assert.Equal(0, root.Run(root.Shell("echo gone > /dev/null && head -c 3 /dev/zero && head -c 3 /dev/urandom") with { Capabilities = [ContainerCapabilities.MakeNodes] }).Result.Status);
    }

    [Fact]
    public void Masks_nothing_with_a_file_of_the_image()
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Builtin);
        System.IO.Directory.CreateDirectory(root / "dev");
        System.IO.File.CreateSymbolicLink(root / "dev/null", "/proc/sys/kernel/core_pattern");
        (ContainerResult result, string output, _) = root.Run(root.Shell("cat /proc/keys; echo > /dev/null") with { Ephemeral = true });
        Assert.Equal((0, ""), (result.Status, output));
    }

    [Fact]
    public void Filters_system_calls()
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
        using ContainerRoot root = ContainerRoot.OrSkip(Builtin).WithProbe();
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

    [Fact]
    public void Has_exactly_the_capabilities_and_groups_that_were_said()
    {
        using ContainerRoot root = ContainerRoot.OrSkip(Builtin);
        ContainerSpec spec = root.Shell("grep -E '^(Cap|Groups)' /proc/self/status");
        Assert.Equal(Expected("", "00000000a00425fb", "00000000a00425fb"), Squeeze(root.Run(spec).Out));
        Assert.Equal(Expected("4 34", "0000000000000000", "00000000a00425fb"),
            Squeeze(root.Run(spec with { User = new ContainerUser(33, 33, [4, 34], "/") }).Out));

        static string Expected(string groups, string effective, string bounding) =>
            $"Groups:{groups} CapInh:0000000000000000 CapPrm:{effective} CapEff:{effective} CapBnd:{bounding} CapAmb:0000000000000000";

        static string Squeeze(string text) => string.Join(' ', text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Replace("\t", "", StringComparison.Ordinal).TrimEnd()));
    }
}
