using System.Text;
using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public class SymlinkTests
{
    private static readonly Tree s_parent = Draft.Compile("""
        {"item":"ensure_dirs","path":"/a/b"}, {"item":"ensure_dirs","path":"/a/c"}, {"item":"ensure_dirs","path":"/usr/bin"}, {"item":"text","dest":"/a/c/t","text":""},
        {"item":"symlink","target":"/usr/bin","link":"/bin"}, {"item":"symlink","target":"/a/c","link":"/s"}
        """);

    [Theory]
    [InlineData("/a/b/l", "/a/c/t", "a/b/l", "../c/t")]
    [InlineData("/a/b/l", "../c/t", "a/b/l", "../c/t")]
    [InlineData("/a/c/", "/a/b", "a/c/b", "../b")]
    [InlineData("/l", "/a", "l", "a")]
    [InlineData("/l/", "/", "l", ".")]
    [InlineData("/a/b/l", "/", "a/b/l", "../..")]
    [InlineData("/a/b/l", "/a/b", "a/b/l", "../b")]
    [InlineData("/a/b/l", ".", "a/b/l", "../b")]
    [InlineData("/a/b/null", "/dev/null", "a/b/null", "../../dev/null")]
    [InlineData("/a/l", "/run/lock/x", "a/l", "../run/lock/x")]
    [InlineData("/a/b/l", "/s/t", "a/b/l", "../../s/t")] // a child of a directory that another link leads to
    [InlineData("/bin/l", "/a/c/t", "usr/bin/l", "../../a/c/t")] // relative to where the link really lies
    [InlineData("/bin/l", "/bin", "usr/bin/l", "../../bin")]
    public void Is_stored_relative(string link, string target, string at, string stored) =>
        Assert.Equal(stored, Stored(Draft.Compile($$"""{"item":"symlink","link":"{{link}}","target":"{{target}}"}""", s_parent), at));

    [Theory]
    [InlineData("""{"item":"symlink","link":"/l","target":"/no"}""", "symlink /l: /no is required, but the finished layer does not have it")]
    [InlineData("""{"item":"symlink","link":"/no/l","target":"/a"}""", "symlink /no/l: /no as a directory is required, but nothing provides it")]
    [InlineData("""{"item":"symlink","link":"/a/c/t","target":"/a"}""", "symlink /a/c/t: /a/c/t exists already in the parent layer (file)")]
    [InlineData("""{"item":"symlink","link":"/bin","target":"/usr/bin"}""", "symlink /bin: /bin exists already in the parent layer (symlink)")]
    [InlineData("""{"item":"symlink","link":"/a/l","target":"../../x"}""", "member 'target': '/a/../../x' leads above the root")]
    [InlineData("""{"item":"symlink","link":"/","target":"/"}""", "member 'link': the root of the image cannot be replaced")]
    [InlineData("""{"item":"symlink","link":"/x","target":"/y"}, {"item":"symlink","link":"/y","target":"/x"}""", "symlink /x: /y: too many levels of symbolic links")]
    [InlineData("""{"item":"symlink","link":"/x","target":"/y"}, {"item":"symlink","link":"/y","target":"/x"}, {"item":"text","dest":"/x/f","text":""}""", "text /x/f: /x/f: too many levels of symbolic links", 2)]
    public void Refuses(string features, string error, int at = 0)
    {
        string message = Assert.ThrowsAny<LayerException>(() => Draft.Compile(features, s_parent)).Message;
        Assert.Equal($"/nowhere/t.layer.json: features[{at}]: {error}", message);
    }

    [Fact]
    public void Links_that_lead_through_links_made_later_in_the_alphabet_put_files_where_they_belong()
    {
        Tree tree = Draft.Compile("""
            {"item":"symlink","link":"/b","target":"/z/y"}, {"item":"symlink","link":"/z","target":"/d"}, {"item":"ensure_dirs","path":"/d/y"},
            {"item":"symlink","link":"/b/m","target":"/d"}, {"item":"text","dest":"/b/m/f","text":"x"}, {"item":"text","dest":"/z/y/g","text":"y"}
            """);
        Assert.Equal(
            """
            ["(Dir)", {
              "b": ["(Symlink z/y)"],
              "d": ["(Dir)", {
                "f": ["(File m444 d1)"],
                "y": ["(Dir)", {
                  "g": ["(File m444 d1)"],
                  "m": ["(Symlink ../../d)"]
                }]
              }],
              "z": ["(Symlink d)"]
            }]
            """, tree.Render());
    }

    [Fact]
    public void Two_files_that_meet_behind_links_are_a_conflict() =>
        Assert.Equal("features[2]: /d/f is provided by two items: 'text /d/f' and 'text /l/f'",
            Draft.Error<ConflictException>("""{"item":"ensure_dirs","path":"/d"}, {"item":"text","dest":"/d/f","text":"1"}, {"item":"text","dest":"/l/f","text":"2"}, {"item":"symlink","link":"/l","target":"/d"}"""));

    private static string Stored(Tree tree, string path) => Encoding.UTF8.GetString(tree.At(path).Target);
}
