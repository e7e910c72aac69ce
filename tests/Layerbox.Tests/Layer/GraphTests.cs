using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public class GraphTests
{
    private const string Users = """{"item":"ensure_dirs","path":"/etc"}, {"item":"text","dest":"/etc/passwd","text":"root:x:0:0::/:/bin/sh\n"}, {"item":"text","dest":"/etc/group","text":"root:x:0:\n"}""";

    [Fact]
    public void Two_items_for_one_path_are_a_conflict() =>
        Assert.Equal("features[1]: /a is provided by two items: 'text /a' and 'text /a' (features[0] and features[1])",
            Draft.Error<ConflictException>("""{"item":"text","dest":"/a","text":"1"}, {"item":"text","dest":"/a","text":"2"}"""));

    [Fact]
    public void Equal_items_are_one() =>
        Assert.Equal("1", Draft.Compile("""{"item":"text","dest":"/a","text":"1"}, {"item":"text","text":"1","dest":"//a"}""").Text("a"));

    [Fact]
    public void Directories_may_be_ensured_on_the_way_to_others()
    {
        Tree tree = Draft.Compile("""{"item":"ensure_dirs","path":"/x/y","mode":"0700"}, {"item":"ensure_dirs","path":"/x/y/z"}""");
        Assert.Equal(["/", "/x", "/x/y", "/x/y/z"], tree.Walk().Select(e => e.Key.ToString()));
        Assert.Equal(("0755", "0700", "0755"), (InodeMode.Text(tree.At("x").Mode), InodeMode.Text(tree.At("x/y").Mode), InodeMode.Text(tree.At("x/y/z").Mode)));
    }

    [Fact]
    public void A_directory_may_be_ensured_where_a_link_to_one_is_made()
    {
        Tree tree = Draft.Compile("""{"item":"symlink","target":"/real","link":"/l"}, {"item":"ensure_dirs","path":"/real"}, {"item":"ensure_dirs","path":"/l"}""");
        Assert.Equal((FileKind.Symlink, FileKind.Directory), (tree.At("l").Kind, tree.At("real").Kind));
    }

    [Fact]
    public void Paths_behind_a_link_of_the_same_layer_land_at_its_target()
    {
        Tree tree = Draft.Compile("""{"item":"text","dest":"/bin/tool","text":"x"}, {"item":"symlink","target":"/usr/bin","link":"/bin"}, {"item":"ensure_dirs","path":"/usr/bin"}""");
        Assert.Equal("x", tree.Text("usr/bin/tool"));
    }

    [Theory]
    [InlineData("/usr/bin", "usr/bin")]
    [InlineData("/usr/bin", "/usr/bin")]
    [InlineData("/b2", "/b3")]
    public void Links_of_the_parent_satisfy_a_required_program(string _, string target)
    {
        Tree parent = Draft.Compile("""{"item":"ensure_dirs","path":"/usr/bin"}, {"item":"text","dest":"/usr/bin/bash","text":"","mode":"0755"}""");
        parent.Root.Add(new FileName("bin"), Inode.Symlink(System.Text.Encoding.UTF8.GetBytes(target)));
        parent.Root.Add(new FileName("b3"), Inode.Symlink("usr/bin"u8.ToArray()));
        Draft.Compile("""{"item":"requires","executables":["/bin/bash"]}""", parent);
    }

    [Fact]
    public void Says_who_misses_what() =>
        Assert.Equal("features[0]: text /q/f: /q as a directory is required, but nothing provides it", Draft.Error<MissingItemException>("""{"item":"text","dest":"/q/f","text":""}"""));

    [Fact]
    public void Says_when_it_is_something_else() =>
        Assert.Equal("features[0]: text /q/f: /q as a directory is required, but 'text /q' makes it a file",
            Draft.Error<UnsatisfiedException>("""{"item":"text","dest":"/q/f","text":""}, {"item":"text","dest":"/q","text":""}"""));

    [Fact]
    public void Lists_a_cycle_from_its_smallest_member()
    {
        const string features = $$"""
            {"item":"user_add","name":"web","uid":5,"home":"/","shell":"/etc/group","group":"root"},
            {"item":"text","dest":"/etc/passwd","text":"","user":"web"},
            {"item":"text","dest":"/etc/group","text":"root:x:0:\n","mode":"0755"}, {"item":"ensure_dirs","path":"/etc"}
            """;
        Assert.Equal("features[1]: items wait for each other in a circle: 'text /etc/passwd' -> 'user_add web' -> 'text /etc/passwd'", Draft.Error<CycleException>(features));
        string reversed = string.Join(",", features.Split("},").Reverse().Select(f => f.Trim().TrimEnd('}') + "}"));
        Assert.EndsWith("'text /etc/passwd' -> 'user_add web' -> 'text /etc/passwd'", Draft.Error<CycleException>(reversed));
    }

    [Fact]
    public void A_home_owned_by_its_user_makes_no_cycle()
    {
        Tree tree = Draft.Compile(Users + """, {"item":"group_add","name":"web","gid":7}, {"item":"text","dest":"/sh","text":"","mode":"0755"}, {"item":"user_add","name":"web","uid":5,"home":"/home/web","shell":"/sh"}, {"item":"ensure_dirs","path":"/home/web","user":"web","group":"web"}""");
        Assert.Equal((5u, 7u), (tree.At("home/web").Uid, tree.At("home/web").Gid));
        Assert.Equal("root:x:0:0::/:/bin/sh\nweb:x:5:7::/home/web:/sh\n", tree.Text("etc/passwd"));
    }

    [Fact]
    public void A_shell_must_be_executable() =>
        Assert.Equal("features[4]: user_add web: /sh as an executable file is required, but in the finished layer it is a file with mode 0444",
            Draft.Error<UnsatisfiedException>(Users + """, {"item":"text","dest":"/sh","text":""}, {"item":"user_add","name":"web","group":"root","home":"/","shell":"/sh"}"""));

    [Fact]
    public void What_the_parent_has_is_not_overwritten()
    {
        Tree parent = Draft.Compile("""{"item":"text","dest":"/f","text":"old"}""");
        Assert.Equal("features[0]: text /f: /f exists already in the parent layer (file)", Draft.Error<ConflictException>("""{"item":"text","dest":"/f","text":"new"}""", parent));
        Assert.Equal("new", Draft.Compile("""{"item":"text","dest":"/f","text":"new"}, {"item":"remove","path":"/f"}""", parent).Text("f"));
    }

    [Fact]
    public void The_order_does_not_depend_on_the_order_in_the_file()
    {
        const string a = """{"item":"group_add","name":"a"}""", b = """{"item":"group_add","name":"b"}""";
        Assert.Equal(Draft.Compile($"{Users}, {a}, {b}").Text("etc/group"), Draft.Compile($"{b}, {a}, {Users}").Text("etc/group"));
    }
}
