using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public class ConfigTests
{
    [Fact]
    public void Unlike_antlirs_folder_of_files_it_is_one_line_of_json()
    {
        Tree tree = Draft.Compile("""{"item":"config","env":{"Z":"","A":"1"},"exposed_ports":["80/tcp","443/tcp"],"labels":{"b":"2"},"stop_signal":"SIGTERM","volumes":["/v"],"entrypoint":["a b","é"],"cmd":[],"working_dir":"//","user":7}""");
        Assert.Equal("""{"entrypoint":["a b","\u00E9"],"cmd":[],"env":{"A":"1","Z":""},"user":"7","working_dir":"/","stop_signal":"SIGTERM","exposed_ports":["443/tcp","80/tcp"],"volumes":["/v"],"labels":{"b":"2"}}""" + "\n", tree.Text(".layerbox/config.json"));
        Assert.Equal(["/", "/.layerbox", "/.layerbox/config.json"], tree.Walk().Select(e => e.Key.ToString()));
    }

    [Fact]
    public void A_layer_that_says_nothing_has_no_records() => Assert.Equal("""["(Dir)", {}]""", Draft.Compile("").Render());

    [Theory]
    [InlineData("""{"item":"config","env":{"B":"3","C":"4"}}""", """{"entrypoint":["e"],"cmd":["c"],"env":{"A":"1","B":"3","C":"4"},"labels":{"l":"1"}}""")]
    [InlineData("""{"item":"config","entrypoint":["f"]}""", """{"entrypoint":["f"],"env":{"A":"1","B":"2"},"labels":{"l":"1"}}""")]
    [InlineData("""{"item":"config","cmd":["d"]}""", """{"entrypoint":["e"],"cmd":["d"],"env":{"A":"1","B":"2"},"labels":{"l":"1"}}""")]
    [InlineData("""{"item":"config","entrypoint":["f"]}, {"item":"config","cmd":["d"]}""", """{"entrypoint":["f"],"cmd":["d"],"env":{"A":"1","B":"2"},"labels":{"l":"1"}}""")]
    [InlineData("""{"item":"config","labels":{"l":"2"},"stop_signal":"9"}, {"item":"config","labels":{"m":"3"}}""", """{"entrypoint":["e"],"cmd":["c"],"env":{"A":"1","B":"2"},"stop_signal":"9","labels":{"l":"2","m":"3"}}""")]
    public void Merges_with_the_parents(string features, string expected)
    {
        Tree parent = Draft.Compile("""{"item":"config","entrypoint":["e"],"cmd":["c"],"env":{"A":"1","B":"2"},"labels":{"l":"1"}}""");
        Assert.Equal(expected + "\n", Draft.Compile(features, parent).Text(".layerbox/config.json"));
    }

    [Theory]
    [InlineData("""{"item":"config","user":"a"}, {"item":"config","user":"b"}""", "config: 'user' is set by another config item of this layer", true)]
    [InlineData("""{"item":"config","env":{"A":"1"}}, {"item":"config","env":{"A":"2"}}""", "config: 'env: A' is set by another config item of this layer", true)]
    [InlineData("""{"item":"config","user":"web"}""", "config: user 'web' is required, but the finished layer has none")]
    [InlineData("""{"item":"config","user":"0:web"}""", "config: group 'web' is required, but the finished layer has none")]
    [InlineData("""{"item":"config","user":"a:b:c"}""", "member 'user': 'a:b:c' is not of the form USER or USER:GROUP")]
    [InlineData("""{"item":"config","working_dir":"/srv"}""", "config: /srv as a directory is required, but the finished layer does not have it")]
    [InlineData("""{"item":"config","entrypoint":["/bin/x"]}""", "config: /bin/x as an executable file is required, but the finished layer does not have it")]
    [InlineData("""{"item":"config","env":{"A=B":"1"}}""", "member 'env': 'A=B' cannot be the name of a variable")]
    [InlineData("""{"item":"config","env":{"A":1}}""", "env: member 'A': a string is expected, not the number 1")]
    public void Refuses(string features, string error, bool inSecond = false) =>
        Assert.Equal($"/nowhere/t.layer.json: features[{(inSecond ? 1 : 0)}]: {error}", Assert.ThrowsAny<LayerException>(() => Draft.Compile(features)).Message);

    [Fact]
    public void A_user_of_this_layer_will_do() =>
        Draft.Compile("""{"item":"config","user":"web:web"}, {"item":"ensure_dirs","path":"/etc"}, {"item":"text","dest":"/etc/passwd","text":"web:x:1:1::/:/\n"}, {"item":"text","dest":"/etc/group","text":"web:x:1:\n"}""");

    /// <summary>antlir's case 27 with our files: what is written is read back, and what we would not have written is refused.</summary>
    [Theory]
    [InlineData("config.json", "{}", "/.layerbox/config.json: the newline at the end is missing")]
    [InlineData("config.json", "", "/.layerbox/config.json: the newline at the end is missing")]
    [InlineData("config.json", "null\n", "/.layerbox/config.json: null is no value")]
    [InlineData("config.json", "[]\n", "/.layerbox/config.json: not as layerbox writes it ($)")]
    [InlineData("config.json", "{\"entrypint\":[]}\n", "/.layerbox/config.json: not as layerbox writes it ($.entrypint)")]
    [InlineData("config.json", """{"entrypoint":[null]}""" + "\n", "/.layerbox/config.json: not as layerbox writes it (a list with null in it)")]
    [InlineData("config.json", """{"env":{"A":null}}""" + "\n", "/.layerbox/config.json: not as layerbox writes it (a list with null in it)")]
    [InlineData("mounts.json", "[null]\n", "/.layerbox/mounts.json: a mount is not as layerbox writes it")]
    [InlineData("mounts.json", """[{"mountpoint":"m","type":"magic","source":"/s"}]""" + "\n", "/.layerbox/mounts.json: a mount is not as layerbox writes it")]
    [InlineData("mounts.json", """[{"mountpoint":"m","type":"host"}]""" + "\n", "/.layerbox/mounts.json: a mount is not as layerbox writes it")]
    [InlineData("mounts.json", """[{"mountpoint":"m","type":"layer","source":"x"}]""" + "\n", "/.layerbox/mounts.json: a mount is not as layerbox writes it")]
    [InlineData("mounts.json", """[{"type":"host","source":"/s"}]""" + "\n", "/.layerbox/mounts.json: the root of the image cannot be a mount point")]
    [InlineData("mounts.json", """[{"mountpoint":"../m","type":"host","source":"/s"}]""" + "\n", "/.layerbox/mounts.json: a mount point is no path")]
    [InlineData("mounts.json", """[{"mountpoint_b64":"?","type":"host","source":"/s"}]""" + "\n", "/.layerbox/mounts.json: a mount point is no path")]
    [InlineData("mounts.json", """[{"mountpoint":"m","type":"host","source":"/s"},{"mountpoint":"m/n","type":"host","source":"/s"}]""" + "\n", "/m/n: mounts cannot be nested; /m is a mount point already")]
    [InlineData("other", "x\n", "/.layerbox/other: unknown; this folder is reserved for layerbox")]
    public void Records_of_other_making_are_refused(string name, string text, string error)
    {
        Tree tree = WithRecord(name, Inode.File(0x124, new MemoryContent(System.Text.Encoding.UTF8.GetBytes(text))));
        Assert.Equal(error, Assert.Throws<LayerException>(() => ImageMetadata.Read(tree)).Message);
    }

    [Fact]
    public void So_is_what_is_no_file()
    {
        Assert.Equal("/.layerbox/config.json: a regular file is expected", Assert.Throws<LayerException>(() => ImageMetadata.Read(WithRecord("config.json", Inode.Fifo(0x1A4)))).Message);
        Tree tree = new();
        tree.Root.Add(ImageMetadata.Folder.Name, Inode.Symlink("etc"u8.ToArray()));
        Assert.Equal("/.layerbox: a directory is expected", Assert.Throws<LayerException>(() => ImageMetadata.Read(tree)).Message);
    }

    [Fact]
    public void A_mount_point_that_is_not_utf8_survives()
    {
        Tree tree = Draft.Compile("""{"item":"mount","host":"/srv","mountpoint_b64":"L/8="}""", more: """ "allow_host_mounts": ["/srv"], """);
        Assert.Equal([0xFF], Assert.Single(ImageMetadata.Read(tree).Mounts).MountPoint.ToBytes());
    }

    private static Tree WithRecord(string name, Inode inode)
    {
        Tree tree = new();
        Inode folder = Inode.Directory(0x1ED);
        tree.Root.Add(ImageMetadata.Folder.Name, folder);
        folder.Add(new FileName(name), inode);
        return tree;
    }
}
