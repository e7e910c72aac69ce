using System.Text.Json;
using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

public class TreeTextTests
{
    [Fact]
    public void Shows_all_that_is_unusual()
    {
        Assert.Equal("""
            ["(Dir t2023-11-14T22:13:20Z)", {
              "bin": ["(Symlink usr/bin)"],
              "dev": ["(Dir)", {
                "log": ["(Sock m666)"],
                "null": ["(Char m666 1:3)"],
                "pipe": ["(FIFO m600)"],
                "sda": ["(Block m660 o0:6 8:0)"]
              }],
              "empty": ["(Dir m1777)", {}],
              "etc": ["(Dir)", {
                "nothing": ["(File)"],
                "shadow": ["(File m640 o0:42 t1969-12-31T23:59:59.5Z d7)"]
              }],
              "sparse": ["(File d4096h4096d4096)"],
              "usr": ["(Dir)", {
                "bin": ["(Dir)", {
                  "bash": [["(File m4755 'security.capability'='cap','user.b'='\\x00\\x01\\xff' d2)", 0]],
                  "sh": [["(File m4755 'security.capability'='cap','user.b'='\\x00\\x01\\xff' d2)", 0]]
                }]
              }],
              "ä \"quoted\" \\x5c #name\\x0a": ["(File d4)"],
              "\\xff \\xfe": ["(Symlink \\xc3()"]
            }]
            """, TreeText.Render(Trees.OfEverything()));
    }

    [Fact]
    public void Is_JSON() => Assert.Equal(8, JsonDocument.Parse(TreeText.Render(Trees.OfEverything())).RootElement[1].EnumerateObject().Count());

    [Theory]
    [InlineData("[\"(Dir)\", {}]", 0x1ED, 0, 0, 0, 0)]
    [InlineData("[\"(Dir m0)\", {}]", 0, 0, 0, 0, 0)]
    [InlineData("[\"(Dir o1:0)\", {}]", 0x1ED, 1, 0, 0, 0)]
    [InlineData("[\"(Dir o0:4294967295)\", {}]", 0x1ED, 0, uint.MaxValue, 0, 0)]
    [InlineData("[\"(Dir t1970-01-01T00:00:00.000000001Z)\", {}]", 0x1ED, 0, 0, 0, 1)]
    [InlineData("[\"(Dir t9999-12-31T23:59:59Z)\", {}]", 0x1ED, 0, 0, 253402300799, 0)]
    [InlineData("[\"(Dir t@253402300800.5)\", {}]", 0x1ED, 0, 0, 253402300800, 500_000_000)]
    [InlineData("[\"(Dir t@-9223372036854775808)\", {}]", 0x1ED, 0, 0, long.MinValue, 0)]
    public void Leaves_out_what_is_usual(string text, uint mode, uint uid, uint gid, long seconds, uint nanoseconds)
    {
        Inode root = Inode.Directory(mode);
        (root.Uid, root.Gid, root.ModificationTime) = (uid, gid, new(seconds, nanoseconds));
        Assert.Equal(text, TreeText.Render(new Tree(root)));
    }

    public static TheoryData<TreeTextOptions, string> Options => new()
    {
        { new() { Epoch = new(5) }, "[\"(File m600 'security.selinux'='x','user.a'='it\\\\x27s' d1)\"]" },
        { new() { ShowTimes = false, HiddenXattrs = ["security.selinux", "user.a"] }, "[\"(File m600 d1)\"]" },
        { new() { HiddenXattrs = ["user.a"] }, "[\"(File m600 t1970-01-01T00:00:05Z 'security.selinux'='x' d1)\"]" },
        { new() { ShowDefaults = true, HiddenXattrs = ["user.a", "security.selinux"] }, "[\"(File m600 o0:0 t1970-01-01T00:00:05Z d1)\"]" },
        { new() { Epoch = new(5), ShowDigests = true, HiddenXattrs = ["user.a", "security.selinux"] },
            "[\"(File m600 d1 sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881)\"]" },
    };

    [Theory, MemberData(nameof(Options))]
    public void Shows_what_is_asked_for(TreeTextOptions options, string text)
    {
        Inode file = Trees.File("x", "600");
        file.ModificationTime = new(5);
        file.Xattrs = XattrSet.From([new("user.a"u8.ToArray(), "it's"u8.ToArray()), new("security.selinux"u8.ToArray(), "x"u8.ToArray())]);
        Assert.Equal(text, TreeText.Render(new Tree(file), options));
    }

    [Fact]
    public void Numbers_shared_inodes_in_the_order_of_the_walk()
    {
        Tree tree = new();
        Inode x = Trees.File(""), y = Trees.File("");
        Trees.Put(tree, "a", Inode.Directory(Trees.Octal("755")));
        Trees.Put(tree, "a/1", y);
        Trees.Put(tree, "a/2", x);
        Trees.Put(tree, "b", x);
        Trees.Put(tree, "c", y);
        Assert.Equal("""
            ["(Dir)", {
              "a": ["(Dir)", {
                "1": [["(File)", 0]],
                "2": [["(File)", 1]]
              }],
              "b": [["(File)", 1]],
              "c": [["(File)", 0]]
            }]
            """, TreeText.Render(tree));
        Assert.Equal("""
            ["(Dir)", {
              "1": ["(File)"],
              "2": ["(File)"]
            }]
            """, TreeText.Pop(tree, "a"));
        Assert.Equal("[\"(File)\"]", TreeText.Pop(tree, "b"));
        Assert.Equal("""
            ["(Dir)", {
              "c": ["(File)"]
            }]
            """, TreeText.Render(tree));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("not/there")]
    public void Takes_out_only_what_is_there(string path) => Assert.Throws<InvalidDataException>(() => TreeText.Pop(Trees.OfEverything(), path));
}
