using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public sealed class CloneTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public CloneTests() => Draft.WriteHandle(_folder / "src.layer", Draft.Compile("""
        {"item":"ensure_dirs","path":"/d","mode":"0711"}, {"item":"text","dest":"/d/f","text":"12345","mode":"0640","user":3,"group":4,"xattrs":{"user.a":"1"}},
        {"item":"hardlink","target":"/d/f","link":"/d/g"}, {"item":"mknod","path":"/d/null","type":"char","major":1,"minor":3,"mode":"0666"}, {"item":"mknod","path":"/d/p","type":"fifo"},
        {"item":"symlink","target":"/d/f","link":"/d/l"}, {"item":"symlink","target":"/d","link":"/dl"},
        {"item":"ensure_dirs","path":"/mnt"}, {"item":"mount","host":"/srv","mountpoint":"/mnt/srv"}, {"item":"config","env":{"A":"1"}}
        """, more: """ "allow_host_mounts": ["/srv"], """));

    public void Dispose() => _folder.Dispose();

    private const string Content = """
        "f": [["(File m640 o3:4 'user.a'='1' d5)", 0]],
        "g": [["(File m640 o3:4 'user.a'='1' d5)", 0]],
        "l": ["(Symlink f)"],
        "null": ["(Char m666 1:3)"],
        "p": ["(FIFO)"]
        """;

    [Theory]
    [InlineData("d", "/n", """["(Dir)", { "e": ["(Dir)", {}], "n": ["(Dir m711)", { CONTENT }] }]""")]
    [InlineData("d", "/e/", """["(Dir)", { "e": ["(Dir)", { "d": ["(Dir m711)", { CONTENT }] }] }]""")]
    [InlineData("d/", "/e/", """["(Dir)", { "e": ["(Dir)", { CONTENT }] }]""")]
    [InlineData("dl/", "/e/", """["(Dir)", { "e": ["(Dir)", { CONTENT }] }]""")]
    [InlineData("dl/f", "/n", """["(Dir)", { "e": ["(Dir)", {}], "n": ["(File m640 o3:4 'user.a'='1' d5)"] }]""")]
    [InlineData("d/l", "/n", """["(Dir)", { "e": ["(Dir)", {}], "n": ["(Symlink f)"] }]""")]
    public void Slashes_mean_what_they_mean_to_rsync(string source, string dest, string expected) =>
        Assert.Equal(Words(expected.Replace("CONTENT", Content, StringComparison.Ordinal)), Words(Compile(source, dest).Render()));

    [Theory]
    [InlineData("d/", "/e", "a 'source' that ends in a slash needs a 'dest' that ends in one: its content goes into an existing directory")]
    [InlineData("d", "/e", "clone /e: /e exists already in the parent layer (directory)")]
    [InlineData("d", "/no/", "clone /no/d: /no as a directory is required, but nothing provides it")]
    [InlineData("d", "/no/x", "clone /no/x: /no as a directory is required, but nothing provides it")]
    [InlineData("no", "/n", "clone /n: layer 'src' has no /no")]
    [InlineData("d/f/", "/e/", "clone /e/: /d/f of layer 'src' is no directory")]
    [InlineData("mnt", "/n", "clone /n: /mnt/srv of layer 'src' is a mount point; mounts cannot be cloned")]
    [InlineData("mnt/srv", "/n", "clone /n: /mnt/srv of layer 'src' is a mount point; mounts cannot be cloned")]
    [InlineData(".layerbox", "/n", "clone /n: /.layerbox is reserved for layerbox")]
    [InlineData(".layerbox/config.json", "/n", "clone /n: /.layerbox/config.json is reserved for layerbox")]
    [InlineData("d", "/m", "clone /m: /m is a mount point")]
    [InlineData("d", "/m/", "clone /m/d: /m/d is below the mount point /m")]
    [InlineData("d/f", "/.layerbox", "clone /.layerbox: /.layerbox is reserved for layerbox")]
    public void Refuses(string source, string dest, string error) =>
        Assert.Equal($"features[0]: {error}", Assert.ThrowsAny<LayerException>(() => Compile(source, dest, """, {"item":"mount","host":"/srv","mountpoint":"/m"}""")).Message.Replace(_folder / "t.layer.json: ", "", StringComparison.Ordinal));

    [Fact]
    public void Content_with_a_reserved_name_is_refused_at_the_root()
    {
        Tree source = new();
        source.Root.Add(new FileName("d"), Inode.Directory(0x1ED));
        source.At("d").Add(ImageMetadata.Folder.Name, Inode.Directory(0x1ED));
        Draft.WriteHandle(_folder / "src.layer", source);
        Assert.EndsWith("/.layerbox is reserved for layerbox", Assert.ThrowsAny<LayerException>(() => Compile("d/", "/")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_whole_image_leaves_its_own_records_behind()
    {
        Draft.WriteHandle(_folder / "src.layer", Draft.Compile("""{"item":"text","dest":"/a","text":""}, {"item":"config","env":{"A":"1"}}"""));
        Assert.Equal("/ /a /e", string.Join(' ', Compile("/", "/").Walk().Select(e => e.Key)));
    }

    [Fact]
    public void Owners_go_by_name_and_must_exist()
    {
        static string Accounts(int uid) => $$"""{"item":"ensure_dirs","path":"/etc"}, {"item":"text","dest":"/etc/passwd","text":"web:x:{{uid}}:0::/:/x\n"}, {"item":"text","dest":"/etc/group","text":""}""";
        Tree source = Draft.Compile($$"""{{Accounts(5)}}""");
        source = Draft.Compile("""{"item":"text","dest":"/f","text":"","user":"web"}""", source);
        Draft.WriteHandle(_folder / "src.layer", source);
        const string clone = """{"item":"clone","layer":"src.layer","source":"/f","dest":"/f"}""";
        Assert.Equal(9u, Draft.Compile(clone, Draft.Compile(Accounts(9)), _folder.Path).At("f").Uid);
        Assert.Equal("features[0]: clone /f: user 'web' is required, but nothing provides it", Draft.Error<MissingItemException>(clone, folder: _folder.Path));
    }

    private static string Words(string text) => string.Join(' ', text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries)).Replace("{ ", "{", StringComparison.Ordinal).Replace(" }", "}", StringComparison.Ordinal);

    private Tree Compile(string source, string dest, string inParent = "") =>
        Draft.Compile($$"""{"item":"clone","layer":"src.layer","source":"{{source}}","dest":"{{dest}}"}""", Draft.Compile("""{"item":"ensure_dirs","path":"/e"}""" + inParent, more: """ "allow_host_mounts": ["/srv"], """), _folder.Path);
}
