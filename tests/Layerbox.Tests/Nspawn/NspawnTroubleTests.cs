using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

public class NspawnTroubleTests
{
    private static string TroubleOf(NspawnEngine engine, Func<ContainerRoot, ContainerSpec> spec)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        IOException e = Assert.ThrowsAny<IOException>(() =>
        {
            using RunningContainer container = engine.Start(spec(root));
            container.Wait();
        });
        return e.Message.Replace(root.Path, "ROOT", StringComparison.Ordinal);
    }

    [Fact]
    public void Names_the_package_that_is_missing() =>
        Assert.Equal("no-nspawn is not installed (Debian, Ubuntu, Fedora, RHEL: package systemd-container)",
            TroubleOf(new NspawnEngine { Program = "no-nspawn" }, root => root.Shell("exit 0")));

    [Fact]
    public void Says_that_the_build_for_tests_cannot_run_inside() =>
        Assert.Equal("this is not the published executable, which has to run inside: set LAYERBOX_BIN to where that is",
            TroubleOf(new NspawnEngine { Executable = null }, root => root.Shell("exit 0")));

    [Fact]
    public void Passes_on_what_systemd_nspawn_says() =>
        Assert.StartsWith("ROOT: systemd-nspawn: Failed to read machine ID", TroubleOf(new NspawnEngine(), root =>
        {
            System.IO.File.WriteAllText(root / "etc/machine-id", "none\n");
            return root.Shell("exit 0");
        }));

    [Fact]
    public void Names_a_mount_point_that_cannot_be_made()
    {
        string reason = TroubleOf(new NspawnEngine(), root => root.Shell("exit 0") with { Ephemeral = true, Binds = [new ContainerBind("/etc/hostname", "/etc/group/x", ReadOnly: true)] });
        Assert.Contains("/etc/group", reason);
        Assert.Contains("Not a directory", reason);
    }

    [Fact]
    public void Says_how_a_silent_systemd_nspawn_ended() =>
        Assert.Equal("ROOT: systemd-nspawn: exit status 1", TroubleOf(new NspawnEngine { Program = "/bin/false" }, root => root.Shell("exit 0")));

    [Fact]
    public void Names_a_source_of_a_bind_that_is_missing() =>
        Assert.Equal("/no/such/source: open: No such file or directory",
            TroubleOf(new NspawnEngine(), root => root.Shell("exit 0") with { Binds = [new ContainerBind("/no/such/source", "/in", ReadOnly: true)] }));

    [Fact]
    public void Names_a_root_that_is_missing() =>
        Assert.Equal("ROOT/none: open: No such file or directory",
            TroubleOf(new NspawnEngine(), root => root.Shell("exit 0") with { Root = root / "none" }));

    [Fact]
    public void Ends_what_runs_when_it_is_thrown_away()
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        string before = root.Listing();
        new NspawnEngine().Start(root.Shell("sleep 1000")).Dispose();
        // The tree is free again, and was cleaned.
        Assert.Equal(0, root.Run("exit 0").Result.Status);
        Assert.Equal(before, root.Listing());
    }

    [Theory]
    [InlineData("systemd 252 (252.39-1~deb12u2)\n+PAM", 252)]
    [InlineData("systemd 239\n", 239)]
    [InlineData("systemd v7", null)]
    [InlineData("", null)]
    [InlineData("elogind 243", null)]
    public void Reads_a_version(string text, int? version) => Assert.Equal(version, NspawnVersion.Parse(text));

    [Fact]
    public void A_plan_comes_out_of_the_pipe_as_it_went_in()
    {
        byte[] plan = new NspawnPlan(new ContainerSpec("/", ["a", "", PathText.FromBytes([0xFF, (byte)'\n'])])).Bytes;
        using MemoryStream pipe = new([.. plan, 15]);
        using (LoadedPlan? read = LoadedPlan.Read(pipe))
            Assert.NotNull(read);
        Assert.Equal(15, pipe.ReadByte());
        Assert.All(Enumerable.Range(0, plan.Length), length => Assert.Null(LoadedPlan.Read(new MemoryStream(plan[..length]))));
    }
}
