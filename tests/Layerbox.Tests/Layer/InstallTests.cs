using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public sealed class InstallTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public InstallTests() => Programs.Shell($"""
        cd '{_folder.Path}'
        echo data > data; echo '#!/bin/sh' > tool; chmod 0700 tool; chmod 0600 data
        mkdir -p tree/sub/empty; cp data tool tree/sub; ln -s sub/data tree/link
        mkfifo fifo; ln -s data link; mkdir with-fifo; mkfifo with-fifo/f
        mkdir climbs dangles running; ln -s ../../../../data climbs/l; ln -s nothing dangles/l; ln -s /run/x running/l
        """);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Takes_of_files_only_bytes_and_the_x_bit() => Assert.Equal(
        """
        ["(Dir)", {
          "data": ["(File m444 d5)"],
          "tool": ["(File m555 d10)"]
        }]
        """, Compile("""{"item":"install","source":"data","dest":"/data"}, {"item":"install","source":"tool","dest":"/"}""").Render());

    [Fact]
    public void Takes_a_folder_with_its_links() => Assert.Equal(
        """
        ["(Dir)", {
          "t": ["(Dir)", {
            "link": ["(Symlink sub/data)"],
            "sub": ["(Dir)", {
              "data": ["(File m444 d5)"],
              "empty": ["(Dir)", {}],
              "tool": ["(File m555 d10)"]
            }]
          }]
        }]
        """, Compile("""{"item":"install","source":"tree","dest":"/t"}""").Render());

    [Fact]
    public void Modes_and_owner_are_the_items() => Assert.Equal(
        """
        ["(Dir)", {
          "f": ["(File m4711 o5:6 'user.a'='b','user.x'='\\x00\\xff' d5)"],
          "t": ["(Dir m700 o0:7)", {
            "link": ["(Symlink o0:7 sub/data)"],
            "sub": ["(Dir m700 o0:7)", {
              "data": ["(File m600 o0:7 d5)"],
              "empty": ["(Dir m700 o0:7)", {}],
              "tool": ["(File m711 o0:7 d10)"]
            }]
          }]
        }]
        """, Compile("""
            {"item":"install","source":"tree","dest":"/t","dir_mode":"u+rwx","data_mode":"0600","exe_mode":"a+x,u+rw","group":7},
            {"item":"install","source":"data","dest":"/f","mode":"4711","user":"5","group":6,"xattrs":{"user.a":"b","user.x":"0x00ff"}}
            """).Render());

    [Fact]
    public void Capabilities_are_those_that_setcap_writes()
    {
        Privileged.OrSkip();
        Programs.Run("setcap", "cap_net_bind_service,cap_net_raw=ep", _folder / "tool");
        string expected = Programs.Run("getfattr", "--absolute-names", "-n", "security.capability", "-e", "hex", _folder / "tool");
        Inode made = Compile("""{"item":"install","source":"data","dest":"/f","setcap":"cap_net_bind_service,cap_net_raw=ep"}""").At("f");
        Assert.Contains($"security.capability=0x{Convert.ToHexStringLower(made.Xattrs.Items[0].Value)}\n", expected, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"item":"install","source":"fifo","dest":"/x"}""", "install /x: source 'fifo' is a fifo; a regular file or a folder can be installed")]
    [InlineData("""{"item":"install","source":"link","dest":"/x"}""", "install /x: source 'link' is a symlink; a regular file or a folder can be installed")]
    [InlineData("""{"item":"install","source":"/dev/null","dest":"/x"}""", "install /x: source '/dev/null' is a device; a regular file or a folder can be installed")]
    [InlineData("""{"item":"install","source":"with-fifo","dest":"/x"}""", "install /x: source 'with-fifo': /f is a fifo; only files, folders and links can be installed")]
    [InlineData("""{"item":"install","source":"tree","dest":"/x","mode":"0755"}""", "install /x: 'mode' is for a file; a folder takes 'dir_mode', 'exe_mode' and 'data_mode'")]
    [InlineData("""{"item":"install","source":"data","dest":"/x","dir_mode":"0755"}""", "install /x: 'dir_mode', 'exe_mode' and 'data_mode' are for a folder; a file takes 'mode'")]
    [InlineData("""{"item":"install","source":"tree","dest":"/x","setcap":"cap_chown=ep"}""", "install /x: 'xattrs' and 'setcap' are for a file")]
    [InlineData("""{"item":"install","source":"dangles","dest":"/x"}""", "install /x: what the link /x/l leads to is required, but the finished layer does not have it (/x/nothing)")]
    [InlineData("""{"item":"install","source":"climbs","dest":"/x"}""", "install /x: what the link /x/l leads to is required, but the finished layer does not have it (/data)")]
    [InlineData("""{"item":"install","source":"data","dest":"/no/x"}""", "install /no/x: /no as a directory is required, but nothing provides it")]
    [InlineData("""{"item":"install","source":"data","dest":"/x","user":"web"}""", "install /x: user 'web' is required, but nothing provides it")]
    public void Refuses(string item, string error) => Assert.Equal($"features[0]: {error}", Error(item));

    [Fact]
    public void Links_may_climb_as_far_as_the_root_and_dangle_into_a_running_system()
    {
        Tree tree = Compile("""{"item":"install","source":"climbs","dest":"/c"}, {"item":"install","source":"data","dest":"/data"}, {"item":"install","source":"running","dest":"/r"}, {"item":"install","source":"dangles","dest":"/d","allow_dangling":true}""");
        Assert.Equal("../../../../data", System.Text.Encoding.UTF8.GetString(tree.At("c/l").Target));
    }

    [Fact]
    public void Names_of_users_are_those_of_the_image()
    {
        Tree parent = Draft.Compile("""{"item":"ensure_dirs","path":"/etc"}, {"item":"text","dest":"/etc/passwd","text":"web:x:77:1::/:/x\n"}, {"item":"text","dest":"/etc/group","text":"www:x:88:\n"}""");
        Inode made = Draft.Compile("""{"item":"install","source":"data","dest":"/f","user":"web","group":"www"}""", parent, _folder.Path).At("f");
        Assert.Equal((77u, 88u), (made.Uid, made.Gid));
        Assert.Equal("features[0]: install /f: user 'daemon' is required, but nothing provides it",
            Draft.Error<MissingItemException>("""{"item":"install","source":"data","dest":"/f","user":"daemon"}""", parent, _folder.Path));
    }

    [Fact]
    public void Twelve_thousand_files_are_quick()
    {
        Programs.Shell($"mkdir '{_folder / "many"}'; cd '{_folder / "many"}'; mkdir $(seq 1 12); for d in *; do (cd $d; touch $(seq 1 1000)); done");
        TimeSpan start = ThreadTime.Now;
        Assert.Equal(12_000 + 12 + 2, Compile("""{"item":"install","source":"many","dest":"/many"}""").Walk().Count());
        Assert.InRange(ThreadTime.Now - start, TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }

    private Tree Compile(string features) => Draft.Compile(features, folder: _folder.Path);

    private string Error(string features)
    {
        LayerException error = Assert.ThrowsAny<LayerException>(() => Compile(features));
        return error.Message.Replace(_folder / "t.layer.json: ", "", StringComparison.Ordinal);
    }
}
