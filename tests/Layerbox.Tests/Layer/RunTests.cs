using Layerbox.FileTree;
using Layerbox.Tests.Btrfs;

namespace Layerbox.Tests.Layer;

/// <summary>Commands that run while a layer is built.</summary>
public sealed class RunTests(SharedVolume shared) : DiskTest(shared), IClassFixture<SharedVolume>
{
    private const string Base = """{"item":"extract","root":"/","programs":["/bin/sh","/bin/cat","/bin/mkdir","/bin/rm","/bin/chmod"]}, {"item":"text","dest":"/keep","text":"k"}, {"item":"config","env":{"A":"1"}}, {"item":"mount","host":"/srv","mountpoint":"/mnt"}""";

    private void MakeBase()
    {
        Published.OrSkip();
        Compile("base", Base, """ "allow_host_mounts":["/srv"], """);
    }

    private Tools.Result Try(string script, string more = "") =>
        TryCompile("run", $$"""{"item":"run","command":["/bin/sh","-c","{{script}}"]{{more}}}""", """ "parent":"base.layer", """);

    [Fact]
    public void Keeps_what_the_command_did_and_nothing_of_the_container()
    {
        MakeBase();
        Shell("echo pinned > input");
        Tools.Result result = Try("cat /run/inputs/in > /out; echo $SOURCE_DATE_EPOCH $X >> /out; mkdir /made; chmod 0700 /made; rm /keep; echo said", ""","inputs":{"in":"input"},"env":{"X":"y"}""").AssertSucceeded();
        Built built = BuiltOf(result.Bytes).AssertDiskIsAsModelled();
        Assert.Equal("pinned\n0 y\n", System.IO.File.ReadAllText(built / "out"));
        Tree parent = BuiltOf(System.IO.File.ReadAllBytes(File("base.layer"))).Disk;
        Assert.Equal(["A /made", "A /out", "D /keep"], TreeDifference.Compare(parent, built.Disk).Select(TreeDifferenceText.Line).Order(StringComparer.Ordinal));
        Tools.Result shown = Run("layer-show", File("run.layer"), "--format", "json").AssertSucceeded();
        Assert.Equal(("run /bin/sh", "layerbox"), (MadeBy(shown, "out"), MadeBy(shown, ".layerbox/config.json")));
        Assert.Equal(result.Out, Try("cat /run/inputs/in > /out; echo $SOURCE_DATE_EPOCH $X >> /out; mkdir /made; chmod 0700 /made; rm /keep; echo said", ""","inputs":{"in":"input"},"env":{"X":"y"}""").Out);
    }

    [Theory]
    [InlineData("exit 3", "run /bin/sh: exit status 3")]
    [InlineData("echo x > /.layerbox/config.json", "run /bin/sh: /.layerbox/config.json was changed by a command, but /.layerbox is reserved for layerbox")]
    [InlineData("echo x > /.layerbox/new", "run /bin/sh: /.layerbox was changed by a command, but /.layerbox is reserved for layerbox")]
    [InlineData("echo x > /mnt/f", "run /bin/sh: /mnt was changed by a command, but /mnt is a mount point")]
    public void Refuses(string script, string error)
    {
        MakeBase();
        Tools.Result result = Try(script);
        Assert.Equal((2, $"layer-compile: {File("run.layer.json")}: features[0]: {error}"), (result.Status, result.FirstErrorLine));
        Assert.Empty(Leftovers);
    }

    [Fact]
    public void Check_shows_what_comes_out_differently()
    {
        MakeBase();
        Tools.Result result = TryCompile("dice", """{"item":"run","command":["/bin/sh","-c","cat /proc/sys/kernel/random/uuid > /dice"]}""", """ "parent":"base.layer", """, "--check");
        Assert.Equal((1, "M /dice content\n"), (result.Status, result.Out));
    }

    [Fact]
    public void Runs_after_removals_and_before_all_other_items_in_the_order_of_the_specification()
    {
        MakeBase();
        Built built = Compile("order", """
            {"item":"text","dest":"/later","text":""}, {"item":"run","command":["/bin/sh","-c","echo 1 > /f; test ! -e /later; test ! -e /keep"]},
            {"item":"run","command":["/bin/sh","-c","echo 2 >> /f"]}, {"item":"remove","path":"/keep"}, {"item":"hardlink","link":"/g","target":"/f"}
            """, """ "parent":"base.layer","source_date_epoch":100, """).AssertDiskIsAsModelled();
        Assert.Equal("1\n2\n", System.IO.File.ReadAllText(built / "g"));
        Assert.Equal("100\n", Programs.Run("stat", "-c", "%Y", built / "f"));
    }
}
