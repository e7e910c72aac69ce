using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

/// <summary>hardlink, mknod, text and requires.</summary>
public class LinkAndNodeTests
{
    private static readonly Tree s_parent = Draft.Compile("""{"item":"text","dest":"/f","text":"1"}, {"item":"mknod","path":"/null","type":"char","major":1,"minor":3}, {"item":"symlink","link":"/l","target":"/f"}, {"item":"ensure_dirs","path":"/d"}""");

    [Fact]
    public void A_hard_link_is_a_second_name_for_files_devices_and_what_links_lead_to() => Assert.Equal(
        """
        ["(Dir)", {
          "a": [["(File m444 d1)", 0]],
          "b": [["(File m444 d1)", 0]],
          "c": [["(File m444 d1)", 0]],
          "d": ["(Dir)", {}],
          "f": [["(File m444 d1)", 0]],
          "l": ["(Symlink f)"],
          "m": [["(Char 1:3)", 1]],
          "null": [["(Char 1:3)", 1]]
        }]
        """, Draft.Compile("""
            {"item":"hardlink","link":"/a","target":"/b"}, {"item":"hardlink","link":"/b","target":"/f"}, {"item":"hardlink","link":"/c","target":"/l"}, {"item":"hardlink","link":"/m","target":"/null"}
            """, s_parent).Render());

    [Fact]
    public void Nodes_have_the_mode_owner_and_numbers_that_were_asked_for() => Assert.Equal(
        """
        ["(Dir)", {
          "b": ["(Block m660 o0:6 4095:1048575)"],
          "e": ["(File m444)"],
          "p": ["(FIFO m600)"]
        }]
        """, Draft.Compile("""
            {"item":"mknod","path":"/b","type":"block","major":4095,"minor":1048575,"mode":"0660","group":6}, {"item":"mknod","path":"/p","type":"fifo","mode":"0600"},
            {"item":"text","dest":"/e","text":""}
            """).Render());

    [Theory]
    [InlineData("""{"item":"hardlink","link":"/x","target":"/d"}""", "hardlink /x: /d as a file is required, but the parent layer has it a directory")]
    [InlineData("""{"item":"hardlink","link":"/x","target":"/no"}""", "hardlink /x: /no as a file is required, but nothing provides it")]
    [InlineData("""{"item":"hardlink","link":"/f","target":"/null"}""", "hardlink /f: /f exists already in the parent layer (file)")]
    [InlineData("""{"item":"hardlink","link":"/x","target":"/x"}""", "hardlink /x: /x does not exist")]
    [InlineData("""{"item":"mknod","path":"/l","type":"fifo"}""", "mknod /l: /l exists already in the parent layer (symlink)")]
    [InlineData("""{"item":"text","dest":"/null","text":""}""", "text /null: /null exists already in the parent layer (device)")]
    [InlineData("""{"item":"text","dest":"/","text":""}""", "member 'dest': the root of the image cannot be replaced")]
    [InlineData("""{"item":"requires","files":["/l"],"directories":["/f"]}""", "requires: /f as a directory is required, but in the finished layer it is a file with mode 0444")]
    [InlineData("""{"item":"requires","executables":["/f"]}""", "requires: /f as an executable file is required, but in the finished layer it is a file with mode 0444")]
    [InlineData("""{"item":"requires","executables":["/d"]}""", "requires: /d as an executable file is required, but in the finished layer it is a folder with mode 0755")]
    [InlineData("""{"item":"requires","paths":["/d","/no"]}""", "requires: /no is required, but the finished layer does not have it")]
    [InlineData("""{"item":"requires","users":["root","web"]}""", "requires: user 'web' is required, but the finished layer has none")]
    [InlineData("""{"item":"requires","groups":["web"]}""", "requires: group 'web' is required, but the finished layer has none")]
    public void Refuses(string features, string error) =>
        Assert.Equal($"/nowhere/t.layer.json: features[0]: {error}", Assert.ThrowsAny<LayerException>(() => Draft.Compile(features, s_parent)).Message);

    [Fact]
    public void A_link_to_a_directory_is_one_and_may_be_required_as_such() =>
        Draft.Compile("""{"item":"requires","directories":["/dl","/"]}, {"item":"symlink","link":"/dl","target":"/d"}, {"item":"text","dest":"/dl/x","text":""}""", s_parent);
}
