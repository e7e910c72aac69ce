using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public class EnsureDirsTests
{
    // antlir gives every component the mode and owner; here only the last one, or all below "into", gets them.
    [Fact]
    public void Unlike_antlir_ancestors_are_plain_and_only_what_is_below_into_gets_the_mode() => Assert.Equal(
        """
        ["(Dir)", {
          "a": ["(Dir)", {
            "b": ["(Dir m700 o1:2)", {}]
          }],
          "c": ["(Dir)", {
            "d": ["(Dir m711)", {
              "e": ["(Dir m711)", {}]
            }]
          }]
        }]
        """, Draft.Compile("""{"item":"ensure_dirs","path":"/a/b","mode":"0700","user":1,"group":2}, {"item":"ensure_dirs","path":"/c"}, {"item":"ensure_dirs","into":"/c","path":"d/e","mode":"a+x,u+rw"}""").Render());

    [Fact]
    public void Accepts_what_is_exactly_so_and_leaves_its_content_alone()
    {
        Tree parent = Draft.Compile("""{"item":"ensure_dirs","path":"/d","mode":"1777","user":5,"group":6}, {"item":"text","dest":"/d/f","text":"x"}""");
        parent.At("d").ModificationTime = new Timestamp(-7);
        Assert.Equal(parent.Render(), Draft.Compile("""{"item":"ensure_dirs","path":"/d","mode":"1777","user":5,"group":6}""", parent).Render());
    }

    [Theory]
    [InlineData("""{"item":"ensure_dirs","path":"/d","mode":"0700"}""", "/d is there with mode 0755; 0700 is wanted")]
    [InlineData("""{"item":"ensure_dirs","path":"/d","user":1}""", "/d is there, owned by 0:0; 1:0 is wanted")]
    [InlineData("""{"item":"ensure_dirs","path":"/x"}""", "/x is there with the extended attribute 'user.a'; none is wanted")]
    [InlineData("""{"item":"ensure_dirs","path":"/f"}""", "/f is there, but is no directory")]
    [InlineData("""{"item":"ensure_dirs","path":"/f/g"}""", "/f is there, but is no directory", "ensure_dirs /f (implied)")]
    [InlineData("""{"item":"ensure_dirs","path":"/d","mode":"0755"}, {"item":"ensure_dirs","path":"/n","mode":"0700"}, {"item":"ensure_dirs","path":"/n"}""", "/n is there with mode 0700; 0755 is wanted", "ensure_dirs /n", 2)]
    [InlineData("""{"item":"ensure_dirs","into":"/no","path":"x"}""", "/no as a directory is required, but nothing provides it", "ensure_dirs /no/x")]
    public void Refuses_what_is_otherwise(string features, string error, string? label = null, int at = 0)
    {
        Tree parent = Draft.Compile("""{"item":"ensure_dirs","path":"/d"}, {"item":"ensure_dirs","path":"/x"}, {"item":"text","dest":"/f","text":""}""");
        parent.At("x").Xattrs = XattrSet.From([new Xattr("user.a"u8.ToArray(), [1])]);
        label ??= $"ensure_dirs {error.Split(' ')[0]}";
        string message = Assert.ThrowsAny<LayerException>(() => Draft.Compile(features, parent)).Message;
        Assert.Equal($"/nowhere/t.layer.json: features[{at}]: {label}: {error}", message);
    }

    [Fact]
    public void A_label_of_the_hosts_security_module_does_not_matter()
    {
        Tree parent = Draft.Compile("""{"item":"ensure_dirs","path":"/d"}""");
        parent.At("d").Xattrs = XattrSet.From([new Xattr("security.selinux"u8.ToArray(), [1])]);
        Draft.Compile("""{"item":"ensure_dirs","path":"/d"}""", parent);
    }

    [Fact]
    public void The_root_is_always_there() =>
        Assert.Equal("features[0]: member 'path': the root of the image is always there", Draft.Error<SpecificationException>("""{"item":"ensure_dirs","path":"/"}"""));

    [Fact]
    public void Checks_a_directory_that_another_item_brings_after_it() =>
        Assert.Equal("features[0]: ensure_dirs /real: /real is there with mode 0700; 0755 is wanted",
            Draft.Error<LayerException>("""{"item":"ensure_dirs","path":"/real"}, {"item":"ensure_dirs","into":"/","path":"real","mode":"0700"}"""));
}
