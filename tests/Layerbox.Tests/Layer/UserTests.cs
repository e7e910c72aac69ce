using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public class UserTests
{
    private const string Shell = """{"item":"text","dest":"/sh","text":"","mode":"0755"}""";
    private static readonly Tree s_parent = Image(shadow: true);

    private static Tree Image(bool shadow) => Draft.Compile($$"""
        {"item":"ensure_dirs","path":"/etc"}, {"item":"text","dest":"/etc/passwd","text":"root:x:0:0::/:/sh\nold:x:1000:1000:\u00e9:/:/sh","mode":"0644"},
        {"item":"text","dest":"/etc/group","text":"root:x:0:\nold:x:1000:\naudio:x:29:old\n"}, {{Shell}}
        """ + (shadow ? """, {"item":"text","dest":"/etc/shadow","text":"root:*:1::::::\n","mode":"0640"}, {"item":"text","dest":"/etc/gshadow","text":"root:*::\nold:!::\naudio:!::old\n"}""" : ""));

    [Fact]
    public void Adds_lines_and_keeps_all_other_bytes()
    {
        Tree tree = Draft.Compile("""
            {"item":"group_add","name":"web"}, {"item":"user_add","name":"web","home":"/","shell":"/sh","comment":"The wéb","groups":["audio"]},
            {"item":"group_add","name":"sys","system":true}, {"item":"user_add","name":"sys","system":true,"home":"/","shell":"/sh"}
            """, s_parent);
        Assert.Equal("root:x:0:0::/:/sh\nold:x:1000:1000:\u00e9:/:/sh\nsys:x:100:100::/:/sh\nweb:x:1001:1001:The wéb:/:/sh\n", tree.Text("etc/passwd"));
        Assert.Equal("root:x:0:\nold:x:1000:\naudio:x:29:old,web\nsys:x:100:\nweb:x:1001:\n", tree.Text("etc/group"));
        Assert.Equal("root:*:1::::::\nsys:!:0:0:99999:7:::\nweb:!:0:0:99999:7:::\n", tree.Text("etc/shadow"));
        Assert.Equal("root:*::\nold:!::\naudio:!::old,web\nsys:!::\nweb:!::\n", tree.Text("etc/gshadow"));
        Assert.Equal(("0644", "0640"), (InodeMode.Text(tree.At("etc/passwd").Mode), InodeMode.Text(tree.At("etc/shadow").Mode)));
    }

    [Fact]
    public void The_password_tools_find_nothing_to_complain_about()
    {
        Privileged.OrSkip();
        Tree tree = Draft.Compile("""{"item":"group_add","name":"web"}, {"item":"user_add","name":"web","group":"root","home":"/","shell":"/bin/sh","groups":["audio"]}, {"item":"ensure_dirs","path":"/bin"}, {"item":"text","dest":"/bin/sh","text":"","mode":"0755"}""", s_parent);
        using TempFolder folder = new();
        foreach (string name in (string[])["passwd", "group", "shadow", "gshadow"])
            File.WriteAllText(folder / name, tree.Text($"etc/{name}"));
        (_, string output, _) = Programs.Try("pwck", "-r", folder / "passwd", folder / "shadow");
        Assert.DoesNotContain("web", output, StringComparison.Ordinal);
        (_, output, _) = Programs.Try("grpck", "-r", folder / "group", folder / "gshadow");
        Assert.DoesNotContain("no matching", output, StringComparison.Ordinal); // it knows the host's users only, and misses ours there
    }

    [Fact]
    public void An_image_without_shadow_gets_none() =>
        Assert.Equal("/ /etc /etc/group /etc/passwd /sh", string.Join(' ', Draft.Compile("""{"item":"group_add","name":"web"}, {"item":"user_add","name":"web","home":"/","shell":"/sh"}""", Image(shadow: false)).Walk().Select(e => e.Key)));

    [Fact]
    public void Ids_do_not_depend_on_the_order_and_leave_alone_what_is_asked_for_by_number()
    {
        string[] features =
        [
            """{"item":"group_add","name":"b"}""", """{"item":"group_add","name":"z","gid":1001}""", """{"item":"group_add","name":"a"}""",
            """{"item":"user_add","name":"z","uid":1001,"home":"/","shell":"/sh"}""", """{"item":"user_add","name":"a","home":"/","shell":"/sh"}""",
        ];
        foreach (IEnumerable<string> order in (IEnumerable<string>[])[features, features.Reverse()])
        {
            Tree tree = Draft.Compile(string.Join(',', order), s_parent);
            Assert.EndsWith("a:x:1002:\nb:x:1003:\nz:x:1001:\n", tree.Text("etc/group"), StringComparison.Ordinal);
            Assert.EndsWith("a:x:1002:1002::/:/sh\nz:x:1001:1001::/:/sh\n", tree.Text("etc/passwd"), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"item":"user_add","name":"old","group":"root","home":"/","shell":"/sh"}""", "user_add old: user 'old' exists already in the parent layer")]
    [InlineData("""{"item":"group_add","name":"audio"}""", "group_add audio: group 'audio' exists already in the parent layer")]
    [InlineData("""{"item":"user_add","name":"web","group":"root","uid":1000,"home":"/","shell":"/sh"}""", "user_add web: uid 1000 is taken by 'old'")]
    [InlineData("""{"item":"group_add","name":"web","gid":29}""", "group_add web: gid 29 is taken by 'audio'")]
    [InlineData("""{"item":"user_add","name":"web","home":"/","shell":"/sh"}""", "user_add web: group 'web' is required, but nothing provides it")]
    [InlineData("""{"item":"user_add","name":"web","group":"root","groups":["video"],"home":"/","shell":"/sh"}""", "user_add web: group 'video' is required, but nothing provides it")]
    [InlineData("""{"item":"user_add","name":"web","group":"root","home":"/no","shell":"/sh"}""", "user_add web: /no as a directory is required, but the finished layer does not have it")]
    [InlineData("""{"item":"user_add","name":"web","group":"root","home":"/","shell":"/etc/group"}""", "user_add web: /etc/group as an executable file is required, but in the finished layer it is a file with mode 0444")]
    [InlineData("""{"item":"user_add","name":"web","group":"root","home":"/"}""", "user_add web: /usr/sbin/nologin as an executable file is required, but the finished layer does not have it")]
    [InlineData("""{"item":"user_add","name":"Web"}""", "member 'name': 'Web' is no name for a user or group")]
    [InlineData("""{"item":"user_add","name":"a:b"}""", "member 'name': 'a:b' is no name for a user or group")]
    [InlineData("""{"item":"user_add","name":"web","comment":"a:b"}""", "member 'comment' may hold no colon and no newline")]
    [InlineData("""{"item":"user_add","name":"web","uid":4294967295}""", "member 'uid': 4294967295 is not between 0 and 4294967294")]
    [InlineData("""{"item":"user_add","name":"web","home":"/a:b"}""", "member 'home' may hold no colon and no newline")]
    [InlineData("""{"item":"user_add","name":"web","shell":"/a\nb"}""", "member 'shell' may hold no colon and no newline")]
    public void Refuses(string features, string error) =>
        Assert.Equal($"/nowhere/t.layer.json: features[0]: {error}", Assert.ThrowsAny<LayerException>(() => Draft.Compile(features, s_parent)).Message);

    [Fact]
    public void An_image_without_passwd_has_no_users_but_root_and_takes_numbers()
    {
        Assert.Equal("features[0]: user_add web: /etc/passwd as a file is required, but nothing provides it", Draft.Error<MissingItemException>("""{"item":"user_add","name":"web","group":"root"}"""));
        Inode made = Draft.Compile("""{"item":"text","dest":"/f","text":"","user":4294967294,"group":"12"}, {"item":"text","dest":"/g","text":"","user":"root","group":"root"}""").At("f");
        Assert.Equal((4294967294u, 12u), (made.Uid, made.Gid));
    }

    [Fact]
    public void A_broken_passwd_is_named() =>
        Assert.Equal("/etc/passwd: line 'web:x' has 2 fields; 7 are expected",
            Assert.ThrowsAny<LayerException>(() => Draft.Compile("""{"item":"text","dest":"/f","text":"","user":"web"}""", Draft.Compile("""{"item":"ensure_dirs","path":"/etc"}, {"item":"text","dest":"/etc/passwd","text":"web:x\n"}"""))).Message);

    [Fact]
    public void Linked_account_files_are_changed_where_they_lie()
    {
        Tree parent = Draft.Compile("""{"item":"ensure_dirs","path":"/lib/etc"}, {"item":"ensure_dirs","path":"/etc"}, {"item":"text","dest":"/lib/etc/group","text":""}, {"item":"symlink","link":"/etc/group","target":"/lib/etc/group"}""");
        Tree tree = Draft.Compile("""{"item":"group_add","name":"a","gid":3}""", parent);
        Assert.Equal(("a:x:3:\n", FileKind.Symlink), (tree.Text("lib/etc/group"), tree.At("etc/group").Kind));
    }
}
