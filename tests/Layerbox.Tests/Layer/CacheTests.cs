using Layerbox.Btrfs;
using Layerbox.Layer;
using Layerbox.Tests.Btrfs;

namespace Layerbox.Tests.Layer;

/// <summary>Handles, recipes, facts and roots on a real volume.</summary>
public sealed class CacheTests(SharedVolume shared) : DiskTest(shared), IClassFixture<SharedVolume>
{
    private const string Install = """{"item":"install","source":"f","dest":"/f"}""";

    [Fact]
    public void The_same_recipe_is_built_once_and_any_change_builds_anew()
    {
        Shell("echo 1 > f");
        Built first = Compile("a", Install);
        Assert.Equal(first.Handle, Compile("a", Install + ", " + Install).Handle);
        Shell("touch -d 2000-01-01 f; chmod 0600 f");
        Assert.Equal(first.Handle, Compile("a", Install).Handle);
        Built forced = Compile("a", Install, "", "--no-cache");
        Assert.Equal((first.Handle.Digest, first.Handle.Recipe), (forced.Handle.Digest, forced.Handle.Recipe));
        Assert.NotEqual(first.Handle.Uuid, forced.Handle.Uuid);
        Shell("chmod u+x f");
        Assert.NotEqual(first.Handle.Recipe, Compile("a", Install).Handle.Recipe);
        Shell("chmod u-x f; echo 2 > f");
        Assert.NotEqual(first.Handle.Digest, Compile("a", Install).Handle.Digest);
        Assert.NotEqual(first.Handle.Recipe, Compile("a", Install, """ "source_date_epoch":1, """).Handle.Recipe);
    }

    [Fact]
    public void Another_parent_of_the_same_content_makes_no_difference_and_one_of_another_does()
    {
        Compile("p", """{"item":"text","dest":"/f","text":"1"}""");
        Built child = Compile("c", "", """ "parent":"p.layer", """);
        Compile("p", """{"item":"text","dest":"/f","text_b64":"MQ=="}""", "", "--no-cache");
        Assert.Equal(child.Handle, Compile("c", "", """ "parent":"p.layer", """).Handle);
        Compile("p", """{"item":"text","dest":"/f","text":"2"}""");
        Assert.NotEqual(child.Handle.Recipe, Compile("c", "", """ "parent":"p.layer", """).Handle.Recipe);
    }

    [Fact]
    public void Check_builds_again_and_says_when_it_comes_out_the_same()
    {
        Shell("echo 1 > f");
        Built first = Compile("a", Install);
        Assert.Equal(first.Handle, Compile("a", Install, "", "--check").Handle);
    }

    [Fact]
    public void A_plan_is_the_order_and_builds_nothing()
    {
        Tools.Result plan = TryCompile("a", """{"item":"text","dest":"/d/f","text":"x"}, {"item":"ensure_dirs","path":"/d"}, {"item":"run","command":["true"]}, {"item":"remove","path":"/x","must_exist":false}""", "", "--plan").AssertSucceeded();
        Assert.Equal(["remove", "run", "ensure_dir", "text"], plan.Out.TrimEnd('\n').Split('\n').Select(l => l.Split(' ')[0]));
        Assert.False(System.IO.File.Exists(File("a.layer")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Volume, "layers")));
    }

    [Fact]
    public void The_handle_on_standard_output_is_the_file_that_keeps_the_layer()
    {
        Tools.Result result = TryCompile("a", """{"item":"text","dest":"/f","text":"1"}""").AssertSucceeded();
        Assert.Equal(result.Bytes, System.IO.File.ReadAllBytes(File("a.layer")));
        Built built = BuiltOf(result.Bytes);
        Run("subvol-gc", "--grace", "0s").AssertSucceeded();
        Assert.Equal(result.Out, Compile("a", """{"item":"text","dest":"/f","text":"1"}""").Handle is { } handle ? System.Text.Encoding.UTF8.GetString(handle.ToBytes()) : "");
        Assert.Contains("\"f\": [\"(File m444 d1)\"]", Tools.RunWithInput(result.Bytes, "layer-show", "-", "--volume", Volume).AssertSucceeded().Out, StringComparison.Ordinal);
        System.IO.File.Delete(File("a.layer"));
        Run("subvol-gc", "--grace", "0s").AssertSucceeded();
        Assert.False(Directory.Exists(built.Path));
    }

    [Fact]
    public void Facts_survive_a_sync_and_name_the_makers()
    {
        Shell("mkdir -p t/d; echo 1 > t/d/f; tar -cf t.tar t");
        Built parent = Compile("p", """{"item":"tarball","source":"t.tar","into":"/"}""");
        Compile("c", """{"item":"ensure_dirs","path":"/e"}, {"item":"config","env":{"A":"1"}}""", """ "parent":"p.layer", """);
        Programs.Run("btrfs", "filesystem", "sync", parent.Path);
        Tools.Result shown = Run("layer-show", File("c.layer"), "--format", "json").AssertSucceeded();
        Assert.Equal(("tarball t.tar", "ensure_dirs /e", "layerbox"), (MadeBy(shown, "t/d/f"), MadeBy(shown, "e"), MadeBy(shown, ".layerbox/config.json")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("garbage")]
    [InlineData("{}\n{}\n")]
    [InlineData("[]\n")]
    [InlineData(null)]
    public void Facts_that_were_lost_are_found_again_on_disk(string? facts)
    {
        Shell("echo 1 > f");
        Built built = Compile("a", Install);
        string path = Path.Combine(Path.GetDirectoryName(built.Path)!, "facts.jsonl");
        if (facts is null)
            System.IO.File.Delete(path);
        else
            System.IO.File.WriteAllText(path, facts);
        Assert.Equal("""["(Dir)", {"f": ["(File m444 d2)"]}]""", string.Concat(ShowTree("a").Split('\n').Select(l => l.Trim())));
        Compile("c", """{"item":"text","dest":"/g","text":""}""", """ "parent":"a.layer", """).AssertDiskIsAsModelled();
        Assert.Equal(built.Handle.Digest, Compile("a", Install).Handle.Digest);
    }

    [Fact]
    public void Nor_is_it_mounted_where_another_layer_wants_it()
    {
        Built data = Compile("data", """{"item":"text","dest":"/f","text":"1"}"""), web = Compile("web", """{"item":"mount","mountpoint":"/m","layer":"data.layer"}""");
        Volume volume = Layerbox.Btrfs.Volume.Open(Volume);
        using (RuntimeImage image = RuntimeImage.Open(web.Path, () => volume))
            Assert.Equal([data.Path], image.Binds.Select(bind => bind.Source));
        Programs.Shell($"btrfs property set -ts '{data.Path}' ro false; echo 2 > '{data.Path}/g'; btrfs property set -ts '{data.Path}' ro true");
        Assert.EndsWith("which is to be mounted there, is not on the volume: compile it again", Assert.Throws<LayerException>(() => RuntimeImage.Open(web.Path, () => volume)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_somebody_meddled_with_is_not_trusted()
    {
        Shell("echo 1 > f");
        Built built = Compile("a", Install);
        Programs.Shell($"btrfs property set -ts '{built.Path}' ro false; echo 2 > '{built.Path}/f'");
        Assert.Equal($"layer-show: {File("a.layer")}: layer 'a': {built.Path} is not read-only; somebody may have changed it", Run("layer-show", File("a.layer")).FirstErrorLine);
        Programs.Shell($"btrfs property set -ts '{built.Path}' ro true");
        Assert.StartsWith($"layer-show: {built.Path}: layer 'a' was changed since it was built: its digest is sha256:", Run("layer-show", File("a.layer")).FirstErrorLine, StringComparison.Ordinal);
        Tools.Result run = Tools.Run("container-run", "--volume", Volume, File("a.layer"), "--", "/f");
        Assert.Equal(125, run.Status);
        Assert.StartsWith($"container-run: {built.Path}: layer 'a' was changed since it was built: ", run.FirstErrorLine, StringComparison.Ordinal);
        Built again = Compile("a", Install).AssertDiskIsAsModelled();
        Assert.NotEqual(built.Handle.Uuid, again.Handle.Uuid);
    }

    /// <summary>antlir's case 11 with our handles: each wrong in its own way, and none deletes anything.</summary>
    [Fact]
    public void Says_what_is_wrong_with_a_handle()
    {
        Built built = Compile("a", """{"item":"text","dest":"/f","text":"1"}""");
        string other = Guid.NewGuid().ToString("D"), id = Path.GetFileName(Path.GetDirectoryName(built.Path)!), missing = "0" + id[1..];
        missing = missing == id ? "1" + id[1..] : missing;
        Assert.Matches($"^h: layer 'a' is on volume {other}; this one, .*, is {built.Handle.VolumeUuid}$", With(h => h with { VolumeUuid = other }));
        Assert.Equal($"h: layer 'a': {built.Path} has uuid {built.Handle.Uuid}, not {other}", With(h => h with { Uuid = other }));
        Assert.Equal($"h: layer 'a': {built.Path.Replace(id, missing, StringComparison.Ordinal)}: no such layer on this volume: it was removed, or was made on another one", With(h => h with { Subvolume = $"layers/{missing}/volume" }));
        Assert.Equal("h: layer 'a': subvolume: expected 'layers/ID/volume', found 'layers/x/volume'", With(h => h with { Subvolume = "layers/x/volume" }));
        Assert.Equal("h: no layer handle: subvolume 'layers/a/b/volume' is not of the form layers/ID/volume", With(h => h with { Subvolume = "layers/a/b/volume" }));
        string plain = Path.Combine(Volume, "layers", missing, "volume");
        Directory.CreateDirectory(plain);
        Assert.Equal($"h: layer 'a': {plain}: no such layer on this volume: it was removed, or was made on another one", With(h => h with { Subvolume = $"layers/{missing}/volume" }));
        Assert.True(Directory.Exists(plain));
        built.AssertDiskIsAsModelled();

        string With(Func<Layerbox.Layer.LayerHandle, Layerbox.Layer.LayerHandle> change)
        {
            System.IO.File.WriteAllBytes(File("h"), change(built.Handle).ToBytes());
            Tools.Result result = Run("layer-show", File("h"));
            Assert.Equal((2, ""), (result.Status, result.Out));
            return result.FirstErrorLine.Replace($"layer-show: {Folder}/", "", StringComparison.Ordinal);
        }
    }
}
