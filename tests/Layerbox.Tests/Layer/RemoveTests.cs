using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public class RemoveTests
{
    private static readonly Tree s_parent = Parent();

    private static Tree Parent() => Draft.Compile("""
        {"item":"ensure_dirs","path":"/etc/d/e"}, {"item":"text","dest":"/etc/f","text":"old"}, {"item":"text","dest":"/etc/d/g","text":""}, {"item":"symlink","target":"/etc","link":"/conf"},
        {"item":"ensure_dirs","path":"/mnt"}, {"item":"mount","host":"/srv","mountpoint":"/mnt/srv"}
        """, more: """ "allow_host_mounts": ["/srv"], """);

    [Theory]
    [InlineData("""{"item":"remove","path":"/etc/f"}, {"item":"remove","path":"/etc/d"}""", "/ /.layerbox /.layerbox/mounts.json /conf /etc /mnt /mnt/srv")]
    [InlineData("""{"item":"remove","path":"/conf"}""", "/ /.layerbox /.layerbox/mounts.json /etc /etc/d /etc/d/e /etc/d/g /etc/f /mnt /mnt/srv")]
    [InlineData("""{"item":"remove","path":"/conf/d"}""", "/ /.layerbox /.layerbox/mounts.json /conf /etc /etc/f /mnt /mnt/srv")]
    [InlineData("""{"item":"remove","path":"/etc"}, {"item":"remove","path":"/etc/d/e"}, {"item":"remove","path":"/conf"}""", "/ /.layerbox /.layerbox/mounts.json /mnt /mnt/srv")]
    [InlineData("""{"item":"remove","path":"/etc"}, {"item":"remove","path":"/etc","must_exist":false}, {"item":"remove","path":"/no/where","must_exist":false}""", "/ /.layerbox /.layerbox/mounts.json /conf /mnt /mnt/srv")]
    public void Leaves(string features, string paths) =>
        Assert.Equal(paths, string.Join(' ', Draft.Compile(features, s_parent).Walk().Select(e => e.Key)));

    [Theory]
    [InlineData("""{"item":"remove","path":"/no"}""", "remove /no: /no does not exist")]
    [InlineData("""{"item":"remove","path":"/etc/f"}, {"item":"remove","path":"/etc/f"}""", "remove /etc/f: /etc/f does not exist", 1)]
    [InlineData("""{"item":"remove","path":"/g"}, {"item":"text","dest":"/g","text":""}""", "remove /g: /g does not exist")]
    [InlineData("""{"item":"remove","path":"/.layerbox","must_exist":false}""", "remove /.layerbox: /.layerbox is reserved for layerbox")]
    [InlineData("""{"item":"remove","path":"/.layerbox/mounts.json","must_exist":false}""", "remove /.layerbox/mounts.json: /.layerbox/mounts.json is reserved for layerbox")]
    [InlineData("""{"item":"remove","path":"/mnt/srv","must_exist":false}""", "remove /mnt/srv: /mnt/srv is a mount point")]
    [InlineData("""{"item":"remove","path":"/mnt/srv/x","must_exist":false}""", "remove /mnt/srv/x: /mnt/srv/x is below the mount point /mnt/srv")]
    [InlineData("""{"item":"remove","path":"/mnt"}""", "remove /mnt: /mnt/srv below it is a mount point")]
    [InlineData("""{"item":"remove","path":"/conf/../mnt/srv"}""", "remove /mnt/srv: /mnt/srv is a mount point")]
    public void Refuses(string features, string error, int at = 0) => Assert.Equal($"features[{at}]: {error}", Draft.Error<LayerException>(features, s_parent));

    [Fact]
    public void A_protected_path_is_protected_behind_a_link_too()
    {
        Tree parent = Parent();
        parent.Root.Add(new FileName("m"), Inode.Symlink("mnt"u8.ToArray()));
        parent.Root.Add(new FileName("l"), Inode.Symlink(".layerbox"u8.ToArray()));
        Assert.Equal("features[0]: remove /m/srv: /mnt/srv is a mount point", Draft.Error<LayerException>("""{"item":"remove","path":"/m/srv"}""", parent));
        Assert.Equal("features[0]: remove /l/mounts.json: /.layerbox/mounts.json is reserved for layerbox", Draft.Error<LayerException>("""{"item":"remove","path":"/l/mounts.json"}""", parent));
        Assert.Null(Draft.Compile("""{"item":"remove","path":"/m"}, {"item":"remove","path":"/l"}""", parent).Find(TreePath.Parse("m")));
    }

    [Fact]
    public void One_of_two_names_of_a_file_goes_and_the_other_stays()
    {
        Tree parent = Draft.Compile("""{"item":"text","dest":"/a","text":"x"}, {"item":"hardlink","target":"/a","link":"/b"}""");
        Assert.Equal("""["(Dir)", {"b": ["(File m444 d1)"]}]""", Flat(Draft.Compile("""{"item":"remove","path":"/a"}""", parent)));
    }

    [Fact]
    public void What_was_removed_can_be_made_anew_as_something_else() =>
        Assert.Equal("""["(Dir)", {"a": ["(Dir)", {}]}]""", Flat(Draft.Compile("""{"item":"remove","path":"/a"}, {"item":"ensure_dirs","path":"/a"}""", Draft.Compile("""{"item":"text","dest":"/a","text":"x"}"""))));

    private static string Flat(Tree tree) => string.Concat(tree.Render().Split('\n').Select(l => l.Trim()));
}
