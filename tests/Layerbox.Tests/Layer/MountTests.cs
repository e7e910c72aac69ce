using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public sealed class MountTests : IDisposable
{
    private const string Allow = """ "allow_host_mounts": ["/srv", "/etc/hosts"], """;

    private readonly TempFolder _folder = new();
    private readonly Tree _parent = Draft.Compile("""{"item":"mount","host":"/srv","mountpoint":"/m"}, {"item":"ensure_dirs","path":"/d"}""", more: Allow);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Makes_an_empty_mount_point_and_records_what_belongs_there()
    {
        Draft.WriteHandle(_folder / "tools.layer", new Tree());
        Tree tree = Draft.Compile("""
            {"item":"mount","layer":"tools.layer","mountpoint":"/mnt/tools"}, {"item":"ensure_dirs","path":"/mnt"}, {"item":"mount","host":"/srv","mountpoint":"/mnt/srv","runtime_source":{"b": 1, "a": [true]}},
            {"item":"mount","host":"/etc/hosts","mountpoint":"/hosts","is_file":true}
            """, folder: _folder.Path, more: Allow);
        string empty = Convert.ToHexStringLower(TreeDigest.Compute(new Tree()));
        string records = $$$"""
            [{"mountpoint":"hosts","type":"host","source":"/etc/hosts","is_directory":false},{"mountpoint":"mnt/srv","type":"host","source":"/srv","is_directory":true,"runtime_source":{"b":1,"a":[true]}},{"mountpoint":"mnt/tools","type":"layer","source":"tools","is_directory":true,"digest":"sha256:{{{empty}}}"}]

            """;
        Assert.Equal(records, tree.Text(".layerbox/mounts.json"));
        Assert.Equal(
            $$"""
            ["(Dir)", {
              ".layerbox": ["(Dir)", {
                "mounts.json": ["(File m444 d{{records.Length}})"]
              }],
              "hosts": ["(File m444)"],
              "mnt": ["(Dir)", {
                "srv": ["(Dir)", {}],
                "tools": ["(Dir)", {}]
              }]
            }]
            """, tree.Render());
    }

    [Fact]
    public void A_child_keeps_the_records_and_adds_its_own() =>
        Assert.Equal("""[{"mountpoint":"d/m","type":"host","source":"/srv","is_directory":true},{"mountpoint":"m","type":"host","source":"/srv","is_directory":true}]""" + "\n",
            Draft.Compile("""{"item":"mount","host":"/srv","mountpoint":"/l/m"}, {"item":"symlink","link":"/l","target":"/d"}""", _parent, more: Allow).Text(".layerbox/mounts.json"));

    [Theory]
    [InlineData("""{"item":"text","dest":"/m/f","text":""}""", "text /m/f: /m/f is below the mount point /m")]
    [InlineData("""{"item":"text","dest":"/l/f","text":""}, {"item":"symlink","link":"/l","target":"/m"}""", "text /l/f: /m/f is below the mount point /m")]
    [InlineData("""{"item":"ensure_dirs","path":"/m"}""", "ensure_dirs /m: /m is a mount point")]
    [InlineData("""{"item":"ensure_dirs","path":"/m/a/b"}""", "ensure_dirs /m/a/b: /m/a/b is below the mount point /m")]
    [InlineData("""{"item":"symlink","link":"/m/l","target":"/d"}""", "symlink /m/l: /m/l is below the mount point /m")]
    [InlineData("""{"item":"mknod","path":"/m/p","type":"fifo"}""", "mknod /m/p: /m/p is below the mount point /m")]
    [InlineData("""{"item":"mount","host":"/srv","mountpoint":"/m"}""", "mount /m: /m is a mount point")]
    [InlineData("""{"item":"mount","host":"/srv","mountpoint":"/m/n"}""", "mount /m/n: /m/n is below the mount point /m")]
    [InlineData("""{"item":"mount","host":"/srv","mountpoint":"/d"}""", "mount /d: /d exists already in the parent layer (directory)")]
    [InlineData("""{"item":"mount","host":"/srv","mountpoint":"/n"}, {"item":"text","dest":"/n/f","text":""}""", "text /n/f: /n as a directory is required, but 'mount /n' makes it a mount point", 1)]
    [InlineData("""{"item":"mount","host":"/srv","mountpoint":"/n"}, {"item":"ensure_dirs","path":"/n"}""", "/n is wanted as a directory by 'ensure_dirs /n', but 'mount /n' makes it a mount point", 1)]
    [InlineData("""{"item":"mount","host":"/srv","mountpoint":"/n"}, {"item":"mount","host":"/etc/hosts","mountpoint":"/n","is_file":true}""", "/n is provided by two items: 'mount /n' and 'mount /n'*")]
    [InlineData("""{"item":"mount","host":"/srv","mountpoint":"/n"}, {"item":"mount","host":"/srv","mountpoint":"/n/o"}""", "mount /n/o: /n as a directory is required, but 'mount /n' makes it a mount point", 1)]
    [InlineData("""{"item":"mount","host":"/srv","mountpoint":"/.layerbox/x"}""", "mount /.layerbox/x: /.layerbox/x is reserved for layerbox")]
    [InlineData("""{"item":"mount","host":"/home","mountpoint":"/n"}""", "'/home' is not in the layer's 'allow_host_mounts'")]
    [InlineData("""{"item":"mount","host":"srv","mountpoint":"/n"}""", "member 'host': 'srv' is not absolute")]
    [InlineData("""{"item":"mount","mountpoint":"/n"}""", "exactly one of 'layer' and 'host' says what is mounted")]
    [InlineData("""{"item":"mount","host":"/srv","layer":"x","mountpoint":"/n"}""", "exactly one of 'layer' and 'host' says what is mounted")]
    [InlineData("""{"item":"mount","layer":"x","is_file":true,"mountpoint":"/n"}""", "a layer is mounted on a directory; 'is_file' is for host mounts")]
    [InlineData("""{"item":"mount","host":"/srv","mountpoint":"/"}""", "member 'mountpoint': the root of the image cannot be a mount point")]
    public void Refuses(string features, string error, int at = 0)
    {
        string message = Assert.ThrowsAny<LayerException>(() => Draft.Compile(features, _parent, more: Allow)).Message;
        Assert.True(System.Text.RegularExpressions.Regex.IsMatch(message, "^" + System.Text.RegularExpressions.Regex.Escape($"/nowhere/t.layer.json: features[{at}]: {error}").Replace("\\*", ".*", StringComparison.Ordinal) + "$"), message);
    }

    /// <summary>No item may write where images record what is theirs, whichever way it gets there.</summary>
    [Theory]
    [InlineData("""{"item":"text","dest":"/.layerbox/f","text":""}""")]
    [InlineData("""{"item":"text","dest":"/l/f","text":""}, {"item":"symlink","link":"/l","target":"/.layerbox"}""")]
    [InlineData("""{"item":"ensure_dirs","path":"/.layerbox"}""")]
    [InlineData("""{"item":"ensure_dirs","path":"/.layerbox/x"}""")]
    [InlineData("""{"item":"mknod","path":"/.layerbox/p","type":"fifo"}""")]
    [InlineData("""{"item":"symlink","link":"/.layerbox/l","target":"/d"}""")]
    [InlineData("""{"item":"hardlink","link":"/.layerbox/l","target":"/.layerbox/mounts.json"}""")]
    [InlineData("""{"item":"hardlink","link":"/d/l","target":"/.layerbox/mounts.json"}""")]
    [InlineData("""{"item":"install","dest":"/.layerbox/f","source":"/etc/passwd"}""")]
    [InlineData("""{"item":"install","dest":"/.layerbox/","source":"/etc/passwd"}""")]
    [InlineData("""{"item":"remove","path":"/.layerbox"}""")]
    public void Records_are_protected(string features) =>
        Assert.EndsWith("is reserved for layerbox", Assert.ThrowsAny<LayerException>(() => Draft.Compile(features, _parent)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"item":"text","dest":"/.layerbox","text":""}""")]
    [InlineData("""{"item":"ensure_dirs","path":"/.layerbox"}""")]
    public void They_are_protected_even_where_there_are_none(string features) =>
        Assert.EndsWith("/.layerbox is reserved for layerbox", Assert.ThrowsAny<LayerException>(() => Draft.Compile(features)).Message, StringComparison.Ordinal);
}
