using Layerbox.Nspawn;

namespace Layerbox.Tests.Nspawn;

/// <summary>What becomes of the tree that a container works in, with both engines.</summary>
public abstract class ContainerTreeTests(ContainerEngine engine)
{
    public sealed class OfBuiltin() : ContainerTreeTests(new BuiltinEngine())
    {
        [Fact]
        public void A_root_within_the_container_gets_what_the_container_has()
        {
            using ContainerRoot root = ContainerRoot.OrSkip();
            System.IO.Directory.CreateDirectory(root.Outside("image/proc"));
            System.IO.File.WriteAllText(root.Outside("image/null"), "");
            ContainerSpec spec = new(root.Path, ["sh", "-c", "read -r comm < /image/proc/self/comm; echo $comm; echo x > /image/null; cat /image/null; mkdir /image/made"])
            {
                Binds =
                [
                    new ContainerBind(root.Outside("image"), "/image", ReadOnly: false),
                    new ContainerBind("/proc", "/image/proc", ReadOnly: true) { IsInner = true },
                    new ContainerBind("/dev/null", "/image/null", ReadOnly: false) { IsInner = true },
                ],
            };
            (ContainerResult result, string output, string errors) = root.Run(spec);
            Assert.Equal((0, "sh\n", ""), (result.Status, output, errors));
            Assert.Equal(["made", "null", "proc"], System.IO.Directory.EnumerateFileSystemEntries(root.Outside("image")).Select(path => System.IO.Path.GetFileName(path)).Order(StringComparer.Ordinal));
            Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(root.Outside("image/proc")));
            ContainerSpec missing = spec with { Binds = [new ContainerBind("/proc", "/nowhere", ReadOnly: false) { IsInner = true }] };
            Assert.Contains("/nowhere: ", Assert.Throws<ContainerException>(() => root.Run(missing)).Message, StringComparison.Ordinal);
            Assert.StartsWith("/image/proc: ", Assert.Throws<ContainerException>(() => new NspawnEngine().Start(spec)).Message, StringComparison.Ordinal);
        }
    }

    public sealed class OfNspawn() : ContainerTreeTests(new NspawnEngine())
    {
        [Theory]
        [InlineData("etc")]
        [InlineData("root")]
        [InlineData("usr")]
        [InlineData("var")]
        public void Refuses_more_than_the_engine_needs_itself(string name) => Refuses_a_tree_whose_mount_points_lead_elsewhere(name);
    }

    private ContainerRoot Root() => ContainerRoot.OrSkip(engine);

    [Theory]
    [InlineData("dev")]
    [InlineData("proc")]
    [InlineData("run")]
    [InlineData("sys")]
    [InlineData("tmp")]
    public void Refuses_a_tree_whose_mount_points_lead_elsewhere(string name)
    {
        using ContainerRoot root = Root();
        string target = root.Outside("host");
        System.IO.Directory.CreateDirectory(target);
        Programs.Run("rm", "-rf", root / name);
        System.IO.Directory.CreateSymbolicLink(root / name, target);
        ContainerException e = Assert.Throws<ContainerException>(() => root.Run("exit 0"));
        Assert.Equal($"{root.Path}: /{name} is a symbolic link, not a folder: no container can be started in it", e.Message);
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(target));
    }

    [Fact]
    public void Binds_to_a_link_stay_inside()
    {
        using ContainerRoot root = Root();
        string target = root.Outside("host");
        System.IO.Directory.CreateDirectory(target);
        System.IO.Directory.CreateSymbolicLink(root / "link", target);
        // Made inside by one engine, where there is no such folder; refused by the other.
        Exception? refusal = Record.Exception(() => root.Run(root.Shell("exit 0") with { Binds = [new ContainerBind("/usr/share", "/link/made/here", ReadOnly: true)] }));
        Assert.True(refusal is null or ContainerException, refusal?.ToString());
        Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(target));
    }

    [Fact]
    public void Leaves_the_tree_as_it_was_to_the_nanosecond()
    {
        using ContainerRoot root = Root();
        string before = root.Listing();
        ContainerSpec spec = root.Shell("exit 0") with
        {
            Binds = [new ContainerBind("/etc/hostname", "/some/new/file", ReadOnly: true), new ContainerBind("/usr/share", "/usr/share/new", ReadOnly: true)],
            Tmpfs = ["/scratch/here"],
        };
        Assert.Equal(0, root.Run(spec).Result.Status);
        Assert.Equal(before, root.Listing());
    }

    [Fact]
    public void Leaves_nothing_when_the_command_is_killed_or_cannot_be_found()
    {
        using ContainerRoot root = Root();
        string before = root.Listing();
        root.Run("kill -KILL $$");
        root.Run(new ContainerSpec(root.Path, ["nope"]));
        Assert.Equal(before, root.Listing());
    }

    [Fact]
    public void Keeps_what_the_command_made()
    {
        using ContainerRoot root = Root();
        Assert.Equal(0, root.Run("mkdir -p /var/lib/app /new && echo data > /var/lib/app/file && touch /etc/flag && echo gone > /tmp/gone").Result.Status);
        Assert.Equal("data\n", System.IO.File.ReadAllText(root / "var/lib/app/file"));
        Assert.True(System.IO.File.Exists(root / "etc/flag"));
        Assert.Equal(["etc", "new", "usr", "var"], System.IO.Directory.EnumerateFileSystemEntries(root.Path).Select(path => System.IO.Path.GetFileName(path)).Order());
    }

    [Fact]
    public void Runs_in_a_tree_without_usr()
    {
        using ContainerRoot root = Root();
        // A static program is all there is: the published executable itself.
        Programs.Shell($"rm -rf '{root.Path}'/*; mkdir '{root / "bin"}'; cp '{Published.OrSkip()}' '{root / "bin/layerbox"}'");
        (ContainerResult result, string output, _) = root.Run(new ContainerSpec(root.Path, ["layerbox", "--version"]));
        Assert.Contains(result.Status, (int[])[0, 2]);
        Assert.Equal(["bin"], System.IO.Directory.EnumerateFileSystemEntries(root.Path).Select(path => System.IO.Path.GetFileName(path)));
    }

    [Fact]
    public void Refuses_a_second_container_in_the_same_tree()
    {
        using ContainerRoot root = Root();
        using RunningContainer first = engine.Start(root.Shell("sleep 30"));
        Assert.Equal($"{root.Path}: another container runs in it", Assert.Throws<ContainerException>(() => root.Run("exit 0")).Message);
    }

    [Fact]
    public void Is_found_by_a_path_with_links_and_dots()
    {
        using ContainerRoot root = Root();
        System.IO.Directory.CreateSymbolicLink(root.Outside("link"), root.Path);
        Assert.Equal(5, root.Run(root.Shell("exit 5") with { Root = root.Outside("link/usr/..") }).Result.Status);
    }

    [Theory]
    [InlineData("no command to run")]
    [InlineData("'in': a path inside the container has to be absolute and without '..'", "/bin/true", "in")]
    [InlineData("'/a/../..': a path inside the container has to be absolute and without '..'", "/bin/true", "/a/../..")]
    [InlineData("'/': nothing can be mounted over the root of the container", "/bin/true", "/")]
    public void Refuses_what_cannot_be_meant(string reason, string? command = null, string? tmpfs = null)
    {
        ContainerSpec spec = new("/nowhere", command is null ? [] : [command]) { Tmpfs = tmpfs is null ? [] : [tmpfs] };
        Assert.Equal(reason, Assert.Throws<ContainerException>(() => engine.Start(spec)).Message);
    }
}
