using System.Globalization;
using System.Security.Cryptography;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>What both engines do alike.</summary>
public abstract class ContainerEngineTests(ContainerEngine engine)
{
    public sealed class OfBuiltin() : ContainerEngineTests(new BuiltinEngine());

    public sealed class OfNspawn() : ContainerEngineTests(new NspawnEngine());

    private ContainerRoot Root() => ContainerRoot.OrSkip(engine);

    [Theory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 7", 7)]
    [InlineData("exit 125", 125)]
    [InlineData("exit 255", 255)]
    [InlineData("kill -KILL $$", 137)]
    [InlineData("kill -TERM $$", 143)]
    [InlineData("kill -SEGV $$", 139)]
    [InlineData("exec no-such-program", 127)]
    [InlineData("sleep 100 & exit 3", 3)]
    public void Passes_the_exit_status_on(string script, int status)
    {
        using ContainerRoot root = Root();
        Assert.Equal(status, root.Run(script).Result.Status);
    }

    [Theory]
    [InlineData("no-such-program", 127, "no-such-program: run: No such file or directory")]
    [InlineData("/no/such/program", 127, "/no/such/program: run: No such file or directory")]
    [InlineData("/etc/passwd", 126, "/etc/passwd: run: Permission denied")]
    [InlineData("/etc", 126, "/etc: run: Permission denied")]
    public void Tells_not_found_from_not_executable(string program, int status, string reason)
    {
        using ContainerRoot root = Root();
        ContainerResult result = root.Run(new ContainerSpec(root.Path, [program])).Result;
        Assert.Equal((status, reason), (result.Status, result.NotStarted?.Message));
    }

    [Fact]
    public void Carries_64_megabytes_of_bytes_through_standard_input_and_output()
    {
        using ContainerRoot root = Root();
        byte[] bytes = new byte[64 << 20];
        new Random(1).NextBytes(bytes);
        System.IO.File.WriteAllBytes(root.Outside("in"), bytes);
        using SafeFileHandle input = Files.Open(root.Outside("in"), OpenFlags.ReadOnly);
        using (SafeFileHandle output = Files.Open(root.Outside("out"), OpenFlags.WriteOnly | OpenFlags.Create, 0x180))
            Assert.Equal(0, root.Run(new ContainerSpec(root.Path, ["cat"]) { Input = input, Output = output }).Result.Status);
        using FileStream written = System.IO.File.OpenRead(root.Outside("out"));
        Assert.Equal(SHA256.HashData(bytes), SHA256.HashData(written));
    }

    [Fact]
    public void Keeps_standard_error_apart_and_free_of_words_of_others()
    {
        using ContainerRoot root = Root();
        (ContainerResult result, string output, string errors) = root.Run("echo out; echo err >&2");
        Assert.Equal((0, "out\n", "err\n"), (result.Status, output, errors));
    }

    [Fact]
    public void Gives_exactly_the_environment_that_was_said()
    {
        using ContainerRoot root = Root();
        ContainerSpec env = new(root.Path, ["/usr/bin/env"]);
        Assert.Equal($"PATH={ContainerSpec.DefaultPath}\nHOME=/root\ncontainer=layerbox\n", root.Run(env).Out);
        Assert.Equal("A=1 \n2\nB=\n", root.Run(env with { Environment = ["A=1 \n2", "B="] }).Out);
    }

    [Fact]
    public void Gives_every_byte_of_the_arguments()
    {
        using ContainerRoot root = Root();
        string odd = PathText.FromBytes([.. "%s \\ \n\"'$:"u8, 0xFF, .. "é"u8]);
        using (SafeFileHandle output = Files.Open(root.Outside("out"), OpenFlags.WriteOnly | OpenFlags.Create, 0x180))
            root.Run(root.Shell("printf '%s|' \"$@\"") with { Command = ["sh", "-c", "printf '%s|' \"$@\"", "sh", odd, "", "--", "-x"], Output = output });
        Assert.Equal(PathText.ToBytes(odd + "||--|-x|"), System.IO.File.ReadAllBytes(root.Outside("out")));
    }

    [Fact]
    public void Has_no_network_but_its_own_loopback_unless_it_is_given_the_hosts()
    {
        using ContainerRoot root = Root();
        const string Interfaces = "grep -o '^ *[a-z0-9]*:' /proc/net/dev";
        Assert.Equal("lo:", root.Run(Interfaces).Out.Trim());
        Assert.Equal(Programs.Shell("readlink /proc/self/ns/net"),
            root.Run(root.Shell("readlink /proc/self/ns/net") with { Network = ContainerNetwork.Host }).Out);
    }

    [Fact]
    public void Is_called_as_it_was_told_on_every_host()
    {
        using ContainerRoot root = Root();
        Assert.Equal("layerbox\n", root.Run("hostname").Out);
        Assert.Equal("web.example\n", root.Run(root.Shell("hostname") with { HostName = "web.example" }).Out);
    }

    [Theory]
    [InlineData("web", "33 34 34 4 /srv/web")]
    [InlineData("33", "33 34 34 4 /srv/web")]
    [InlineData("web:log", "33 4 4 /srv/web")]
    [InlineData("web:1234", "33 1234 1234 4 /srv/web")]
    [InlineData("4321", "4321 0 0 /")]
    [InlineData("root", "0 0 0 /root")]
    public void Runs_as_the_user_that_the_image_knows(string user, string identity)
    {
        using ContainerRoot root = Root();
        ContainerSpec spec = root.Shell("echo $(id -u) $(id -g) $(id -G) $HOME") with { User = ContainerUser.Find(root.Path, user) };
        Assert.Equal(identity, root.Run(spec).Out.Trim());
    }

    [Theory]
    [InlineData("nobody-here", "etc/passwd: no user 'nobody-here'")]
    [InlineData("web:none", "etc/group: no group 'none'")]
    public void Says_which_user_the_image_lacks(string user, string reason)
    {
        using ContainerRoot root = Root();
        Assert.Equal($"{root.Path}: {reason}", Assert.Throws<ContainerException>(() => ContainerUser.Find(root.Path, user)).Message);
    }

    [Fact]
    public void Starts_in_the_working_directory_or_says_that_it_is_missing()
    {
        using ContainerRoot root = Root();
        Assert.Equal("/usr/lib\n", root.Run(root.Shell("pwd") with { WorkingDirectory = "/usr/lib" }).Out);
        ContainerException e = Assert.Throws<ContainerException>(() => root.Run(root.Shell("pwd") with { WorkingDirectory = "/nope" }));
        Assert.Equal("/nope: chdir: No such file or directory", e.Message);
    }

    [Fact]
    public void Shows_what_is_bound_and_writes_only_where_it_may()
    {
        using ContainerRoot root = Root();
        string odd = root.Outside("a:b\\c d");
        System.IO.Directory.CreateDirectory(odd);
        System.IO.File.WriteAllText(System.IO.Path.Combine(odd, "file"), "content\n");
        ContainerSpec spec = root.Shell("cat /in/file; touch /in/new; touch '/out:x/new' /mem/new && ls /out:x /mem") with
        {
            Binds = [new ContainerBind(odd, "/in", ReadOnly: true), new ContainerBind(odd, "/out:x", ReadOnly: false)],
            Tmpfs = ["/mem"],
        };
        (ContainerResult result, string output, string errors) = root.Run(spec);
        Assert.Equal((0, "content\n/mem:\nnew\n\n/out:x:\nfile\nnew\n"), (result.Status, output));
        Assert.Contains("Read-only file system", errors);
    }

    [Fact]
    public void Keeps_a_root_that_is_said_to_be_read_only()
    {
        using ContainerRoot root = Root();
        ContainerSpec spec = root.Shell("touch /tmp/x /run/x /mem/x && cat /in/name && touch /etc/x") with
        {
            ReadOnly = true,
            Binds = [new ContainerBind("/etc/hostname", "/in/name", ReadOnly: true)],
            Tmpfs = ["/mem"],
        };
        string before = root.Listing();
        (ContainerResult result, string output, string errors) = root.Run(spec);
        Assert.Equal(Programs.Run("cat", "/etc/hostname"), output);
        Assert.Equal(before, root.Listing());
        Assert.NotEqual(0, result.Status);
        Assert.Contains("/etc/x", errors);
        Assert.Contains("Read-only file system", errors);
    }

    // Each root in each way: what an overlay is of is seen with all its attributes, can be changed, and is as it was afterwards.
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Forgets_what_is_changed_in_an_overlay(bool isEphemeral, bool isReadOnly)
    {
        using ContainerRoot root = Root();
        string data = System.IO.Path.Combine(root.Path, "data");
        System.IO.Directory.CreateDirectory(System.IO.Path.Combine(data, "sub", "deep"));
        System.IO.File.WriteAllText(System.IO.Path.Combine(data, "sub", "file"), "old\n");
        Programs.Shell($"cd {root.Path}; chmod 2750 data/sub; chown 5:6 data/sub; setfattr -n user.note -v here data/sub; ln -s data/sub link; touch -d @1000000000 data/sub/file; touch data/outside; mkdir -p tmp; touch tmp/of-image");
        ContainerSpec spec = root.Shell(
            "stat -c '%a %u %g' /data/sub; stat -c %Y /data/sub/file; cat /data/sub/file; echo new > /data/sub/file; echo more > /data/sub/deep/made; touch /made/here; echo x:x:7: >> /etc/group; cat /link/file; ls /made /data/sub/deep; grep -c x:x /etc/group; echo $(ls /tmp /proc); chmod 644 /data/outside") with
        {
            Ephemeral = isEphemeral,
            ReadOnly = isReadOnly,
            // Nothing that is mounted there is seen, be it by the container itself.
            Overlays = ["/link", "/made", "/made", "/data/sub/deep", "/etc/group", "/tmp", "/proc"],
            Tmpfs = ["/data/sub/mem"],
        };
        string before = root.Listing();
        (ContainerResult result, string output, string errors) = root.Run(spec);
        Assert.Equal("2750 5 6\n1000000000\nold\nnew\n/data/sub/deep:\nmade\n\n/made:\nhere\n1\n/proc: /tmp: of-image\n", output);
        Assert.Equal(isReadOnly, errors.Contains("/data/outside': Read-only file system", StringComparison.Ordinal));
        Assert.Equal(isReadOnly, result.Status != 0);
        Assert.Equal(before, root.Listing());
        Assert.DoesNotContain(Mounts.List(), mount => mount.Point.StartsWith(root.Path, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/", "'/': nothing can be mounted over the root of the container")]
    [InlineData("data", "'data': a path inside the container has to be absolute and without '..'")]
    [InlineData("/etc/group/x", "/etc/group/x: open mount point: Not a directory")]
    public void Says_what_cannot_have_an_overlay(string path, string message)
    {
        using ContainerRoot root = Root();
        ContainerException e = Assert.Throws<ContainerException>(() => root.Run(root.Shell("true") with { Overlays = [path] }));
        Assert.Equal(message, e.Message);
    }

    [Fact]
    public void Drops_the_capabilities_that_would_reach_the_host()
    {
        using ContainerRoot root = Root();
        Assert.Equal("00000000a00425fb", Bounding(root.Shell(Script)));
        Assert.Equal("00000000a80425fb", Bounding(root.Shell(Script) with { AllowMknod = true }));
        Assert.Equal("00000000a02425fb", Bounding(root.Shell(Script) with { Capabilities = ["CAP_SYS_ADMIN"] }));
        Assert.NotEqual(0, root.Run("mknod /tmp/disk b 7 0").Result.Status);

        string Bounding(ContainerSpec spec) => root.Run(spec).Out.Split('\t')[1].Trim();
    }

    private const string Script = "grep CapBnd /proc/self/status";

    [Fact]
    public void Hides_its_process_1_from_root_inside()
    {
        using ContainerRoot root = Root();
        (_, string output, _) = root.Run("for file in exe root cwd fd/6 fd/7 mem; do head -c 1 /proc/1/$file || echo hidden; done; ls /proc/self/fd | grep -c .");
        // 0, 1, 2, and the folder that ls lists.
        Assert.Equal("hidden\nhidden\nhidden\nhidden\nhidden\nhidden\n4\n", output);
    }

    [Fact]
    public void Has_default_signals_so_that_writing_to_nobody_kills()
    {
        using ContainerRoot root = Root();
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        read.Dispose();
        // Somebody could still read for the moment in which another thread starts a program, which has a copy of all that is open here.
        int? status = null;
        using (write)
            Patience.Until(() => (status = root.Run(new ContainerSpec(root.Path, ["cat", "/etc/passwd"]) { Output = write }).Result.Status) != 0, "a pipe that nobody reads");
        Assert.Equal(128 + (int)Signal.SIGPIPE, status);
    }

    [Fact]
    public void Kills_what_takes_too_long()
    {
        using ContainerRoot root = Root();
        ContainerResult result = root.Run(root.Shell("trap '' TERM; sleep 60") with { Timeout = TimeSpan.FromMilliseconds(300) }).Result;
        Assert.Equal((true, ContainerResult.TimedOutStatus), (result.TimedOut, result.Status));
    }

    [Fact]
    public void Kills_everything_inside_when_it_is_cancelled()
    {
        using ContainerRoot root = Root();
        using CancellationTokenSource cancel = new(TimeSpan.FromMilliseconds(300));
        Assert.Throws<OperationCanceledException>(() => engine.Run(root.Shell("sleep 60 & wait"), cancel.Token));
    }

    [Fact]
    public void Passes_signals_on_and_lets_the_command_answer()
    {
        using ContainerRoot root = Root();
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using (read)
        using (write)
        using (RunningContainer container = engine.Start(
            root.Shell("trap 'exit 42' TERM; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done") with { Output = write }))
        {
            byte[] buffer = new byte[100];
            Assert.Equal("ready\n", Read());
            container.Send(Signal.SIGUSR1);
            Assert.Equal("usr1\n", Read());
            container.Send(Signal.SIGTERM);
            Assert.Equal(42, container.Wait().Status);

            string Read() => System.Text.Encoding.UTF8.GetString(buffer, 0, Files.Read(read, buffer));
        }
    }

    [Fact]
    public void Reaps_orphans()
    {
        using ContainerRoot root = Root();
        ContainerSpec spec = root.Shell("i=0; while [ $i -lt 50 ]; do (sleep 0.01 &); i=$((i+1)); done; while cat /proc/[0-9]*/stat 2>/dev/null | grep -q -e ' Z ' -e '(sleep)'; do sleep 0.05; done; exit 7");
        Assert.Equal(7, root.Run(spec with { Timeout = Patience.Limit }).Result.Status);
    }

    [Fact]
    public void Runs_eight_at_once()
    {
        using ContainerRoot root = Root();
        int[] statuses = new int[8];
        Parallel.For(0, statuses.Length, new ParallelOptions { MaxDegreeOfParallelism = statuses.Length }, i =>
        {
            string own = root.Outside(i.ToString(CultureInfo.InvariantCulture));
            Programs.Run("cp", "-a", root.Path, own);
            statuses[i] = root.Run(root.Shell($"exit {i}") with { Root = own }).Result.Status;
        });
        Assert.Equal(Enumerable.Range(0, statuses.Length), statuses);
    }
}
