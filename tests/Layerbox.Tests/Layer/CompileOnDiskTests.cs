using Layerbox.FileTree;
using Layerbox.Tests.Btrfs;

namespace Layerbox.Tests.Layer;

/// <summary>What the model says is on the disk, as the programs of this machine see it.</summary>
public sealed class CompileOnDiskTests(SharedVolume shared) : DiskTest(shared), IClassFixture<SharedVolume>
{
    private const string Everything = """
        {"item":"ensure_dirs","path":"/etc"}, {"item":"text","dest":"/etc/passwd","text":"root:x:0:0::/:/bin/sh\n"}, {"item":"text","dest":"/etc/group","text":"root:x:0:\n"},
        {"item":"group_add","name":"web"}, {"item":"user_add","name":"web","home":"/srv/web","shell":"/bin/sh"}, {"item":"ensure_dirs","path":"/srv/web","mode":"2750","user":"web","group":"web"},
        {"item":"extract","root":"/","programs":["/bin/sh"]}, {"item":"install","source":"tree","dest":"/opt"}, {"item":"install","source":"tree/f","dest":"/suid","mode":"4755","user":"web"},
        {"item":"install","source":"tree/f","dest":"/capable","setcap":"cap_net_bind_service=ep","user":"web","xattrs":{"user.k":"v"}},
        {"item":"hardlink","link":"/again","target":"/suid"}, {"item":"symlink","link":"/srv/l","target":"/etc/passwd"}, {"item":"mknod","path":"/null","type":"char","major":1,"minor":3,"mode":"0666"},
        {"item":"hardlink","link":"/null2","target":"/null"}, {"item":"mknod","path":"/pipe","type":"fifo","mode":"0620","group":"web"}, {"item":"tarball","source":"t.tar.zst","into":"/srv"},
        {"item":"config","env":{"A":"1"},"user":"web"}, {"item":"mount","host":"/srv","mountpoint":"/mnt"}
        """;

    private const string AllowMount = """ "allow_host_mounts":["/srv"],"source_date_epoch":1700000000, """;

    private void MakeInputs() => Shell("""
        mkdir -p tree/d; printf 'content\n' > tree/f; ln -s f tree/l; cp tree/f tree/d/x; chmod u+x tree/d/x
        mkdir t; echo t > t/t; ln t/t t/u; tar --owner=5 --group=6 --mtime=@1 --zstd -cf t.tar.zst t
        """);

    [Fact]
    public void All_items_together_are_on_disk_what_they_are_in_memory()
    {
        MakeInputs();
        Built built = Compile("all", Everything, AllowMount).AssertDiskIsAsModelled();
        Assert.Equal(TreeText.Render(built.Disk), ShowTree("all"));
        Assert.Empty(Leftovers);
    }

    [Fact]
    public void The_programs_of_this_machine_see_owners_modes_links_attributes_and_times()
    {
        MakeInputs();
        Built built = Compile("all", Everything, AllowMount);
        Assert.Equal(
            """
            suid 4755 1000:0 1700000000 regular file 2
            capable 444 1000:0 1700000000 regular file 1
            srv/web 2750 1000:1000 1700000000 directory 1
            null 666 0:0 1700000000 character special file 2
            pipe 620 0:1000 1700000000 fifo 1
            srv/t/t 644 5:6 1 regular file 2
            opt/d/x 555 0:0 1700000000 regular file 1
            srv/l 777 0:0 1700000000 symbolic link 1
            . 755 0:0 1700000000 directory 1
            """, Programs.Shell($"cd '{built.Path}'; stat -c '%n %a %u:%g %Y %F %h' suid capable srv/web null pipe srv/t/t opt/d/x srv/l .").TrimEnd('\n'));
        Assert.Equal("capable cap_net_bind_service=ep", Programs.Shell($"cd '{built.Path}'; getcap -r .").TrimEnd('\n').Replace("./", "", StringComparison.Ordinal));
        Assert.Equal("v", Programs.Run("getfattr", "--only-values", "-n", "user.k", built / "capable"));
        Assert.Equal(("../etc/passwd", "1:3"), (Programs.Run("readlink", built / "srv/l").TrimEnd('\n'), Programs.Run("stat", "-c", "%t:%T", built / "null2").TrimEnd('\n')));
    }

    [Fact]
    public void A_layer_cannot_be_changed()
    {
        Built built = Compile("ro", """{"item":"text","dest":"/f","text":"x"}""");
        Assert.Contains("Read-only file system", Programs.Try("touch", built / "new").Err, StringComparison.Ordinal);
        Assert.Equal("ro=true\n", Programs.Run("btrfs", "property", "get", "-ts", built.Path, "ro"));
    }

    [Fact]
    public void An_empty_layer_is_empty() // antlir's has a /.meta
    {
        Assert.Equal("""["(Dir)", {}]""", TreeText.Render(Compile("empty", "").Disk));
        Assert.Equal("755 0:0 0\n", Programs.Run("stat", "-c", "%a %u:%g %Y", BuiltOf(System.IO.File.ReadAllBytes(File("empty.layer"))).Path));
    }

    [Fact]
    public void A_clone_shares_its_extents_with_its_source()
    {
        Shell("head -c 300000 /dev/urandom > big");
        Built source = Compile("src", """{"item":"install","source":"big","dest":"/big"}, {"item":"hardlink","link":"/again","target":"/big"}""");
        Built child = Compile("child", """{"item":"clone","layer":"src.layer","source":"/","dest":"/"}""").AssertDiskIsAsModelled();
        Assert.Equal(PhysicalExtents(source / "big"), PhysicalExtents(child / "again"));
        Assert.Equal("2\n", Programs.Run("stat", "-c", "%h", child / "big"));
    }

    [Fact]
    public void An_input_on_the_same_volume_is_shared_too_and_holes_stay_holes()
    {
        Directory.CreateDirectory(Volume);
        Programs.Shell($"head -c 300000 /dev/urandom > '{Volume}/big'; truncate -s 50M '{Volume}/sparse'; echo end >> '{Volume}/sparse'; sync '{Volume}/big'");
        Shell("truncate -s 50M sparse; echo end >> sparse");
        Built built = Compile("share", $$"""{"item":"install","source":"{{Volume}}/big","dest":"/big"}, {"item":"install","source":"{{Volume}}/sparse","dest":"/sparse1"}, {"item":"install","source":"sparse","dest":"/sparse2"}""").AssertDiskIsAsModelled();
        Assert.Equal(PhysicalExtents($"{Volume}/big"), PhysicalExtents(built / "big"));
        foreach (string line in Programs.Run("stat", "-c", "%s %b", built / "sparse1", built / "sparse2").TrimEnd('\n').Split('\n'))
            Assert.InRange(int.Parse(line.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture), 0, 64);
    }

    [Fact]
    public void Names_are_bytes_up_to_255_and_paths_up_to_4095()
    {
        Shell("""mkdir -p tree; touch tree/$'\xff\xfe' tree/$'new\nline' "tree/$(printf 'n%.0s' $(seq 255))" """);
        string deep = string.Concat(Enumerable.Repeat("/" + new string('d', 254), 15)) + "/" + new string('d', 255) + "/dd";
        Built built = Compile("names", $$"""{"item":"install","source":"tree","dest":"/t"}, {"item":"ensure_dirs","path":"{{deep}}"}, {"item":"text","dest":"{{deep}}/{{new string('e', 4095 - deep.Length - 1)}}","text":"deep"}""").AssertDiskIsAsModelled();
        Assert.Equal(Shell("ls -A tree | sha256sum"), Programs.Shell($"ls -A '{built.Path}/t' | sha256sum"));
        Assert.Equal("4094\n", Programs.Shell($"cd '{built.Path}'; find . -type f -name 'e*' -printf '%P' | wc -c"));
    }

    [Fact]
    public void A_child_starts_as_its_parent_and_replaces_what_it_removed()
    {
        Built parent = Compile("parent", """{"item":"ensure_dirs","path":"/d"}, {"item":"text","dest":"/d/f","text":"old","mode":"0600"}, {"item":"text","dest":"/kept","text":"k"}""");
        Built child = Compile("child", """{"item":"remove","path":"/d/f"}, {"item":"text","dest":"/d/f","text":"newer"}""", """ "parent":"parent.layer", """).AssertDiskIsAsModelled();
        Assert.Equal("newer", System.IO.File.ReadAllText(child / "d/f"));
        Assert.Equal("old", System.IO.File.ReadAllText(parent / "d/f"));
        Assert.Equal(parent.Handle.Uuid, child.Handle.ParentUuid);
        Built grandchild = Compile("grandchild", """{"item":"remove","path":"/d"}, {"item":"ensure_dirs","path":"/d","mode":"0700"}, {"item":"text","dest":"/x","text":""}""", """ "parent":"child.layer", """).AssertDiskIsAsModelled();
        Assert.Equal("/ /d /kept /x", string.Join(' ', grandchild.Disk.Walk().Select(e => e.Key)));
    }

    [Fact]
    public void Changes_of_account_files_reach_the_disk_and_leave_the_parent_alone()
    {
        Built parent = Compile("base", """{"item":"ensure_dirs","path":"/etc"}, {"item":"text","dest":"/etc/group","text":"root:x:0:\n","mode":"0640"}, {"item":"hardlink","link":"/etc/group-","target":"/etc/group"}""");
        Built child = Compile("web", """{"item":"group_add","name":"web"}""", """ "parent":"base.layer", """).AssertDiskIsAsModelled();
        Assert.Equal("root:x:0:\n", System.IO.File.ReadAllText(parent / "etc/group"));
        Assert.Equal("root:x:0:\nweb:x:1000:\n", System.IO.File.ReadAllText(child / "etc/group"));
    }

    [Fact]
    public void A_failed_compile_leaves_nothing_behind()
    {
        Shell("head -c 100000 /dev/urandom > f; tar -cf t.tar f; head -c 5000 t.tar > cut.tar");
        Assert.StartsWith("bad.layer.json: features[0]: tarball cut.tar: ", Error(TryCompile("bad", """{"item":"tarball","source":"cut.tar","into":"/"}""")), StringComparison.Ordinal);
        Assert.Equal("bad.layer.json: features[1]: user_add web: /etc/passwd as a file is required, but nothing provides it",
            Error(TryCompile("bad", """{"item":"tarball","source":"t.tar","into":"/"}, {"item":"user_add","name":"web","group":"root"}""")));
        Assert.Equal("bad.layer.json: features[0]: requires: /no is required, but the finished layer does not have it", Error(TryCompile("bad", """{"item":"requires","paths":["/no"]}, {"item":"tarball","source":"t.tar","into":"/"}""")));
        Assert.Empty(Leftovers);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Volume, "layers")));
        Assert.False(System.IO.File.Exists(File("bad.layer")));
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("253402300800")]
    [InlineData("9223372036854775807")]
    [InlineData("-9223372036854775808")]
    public void Any_time_that_the_disk_can_hold(string epoch) =>
        Compile("t", """{"item":"text","dest":"/f","text":""}, {"item":"symlink","link":"/l","target":"/f"}""", $"\"source_date_epoch\":{epoch},").AssertDiskIsAsModelled();

    [Fact]
    public void A_hard_linked_pair_is_parted_by_a_child()
    {
        Compile("p", """{"item":"text","dest":"/a","text":"1"}, {"item":"hardlink","link":"/b","target":"/a"}, {"item":"hardlink","link":"/c","target":"/a"}""");
        Built child = Compile("c", """{"item":"remove","path":"/a"}, {"item":"text","dest":"/a","text":"2"}, {"item":"remove","path":"/c"}, {"item":"hardlink","link":"/c","target":"/a"}""", """ "parent":"p.layer", """).AssertDiskIsAsModelled();
        Assert.Equal("2 1 2", string.Join(' ', System.IO.File.ReadAllText(child / "a"), System.IO.File.ReadAllText(child / "b"), System.IO.File.ReadAllText(child / "c")));
    }

    [Fact]
    public void Kinds_change_places()
    {
        Compile("p", """{"item":"ensure_dirs","path":"/a/x"}, {"item":"text","dest":"/b","text":"1"}, {"item":"symlink","link":"/c","target":"/b"}, {"item":"mknod","path":"/d","type":"fifo"}""");
        Compile("c", """
            {"item":"remove","path":"/a"}, {"item":"remove","path":"/b"}, {"item":"remove","path":"/c"}, {"item":"remove","path":"/d"},
            {"item":"symlink","link":"/a","target":"/c"}, {"item":"ensure_dirs","path":"/c/x"}, {"item":"text","dest":"/a/y","text":"z"}, {"item":"mknod","path":"/b","type":"char","major":0,"minor":0}, {"item":"text","dest":"/d","text":""}
            """, """ "parent":"p.layer", """).AssertDiskIsAsModelled();
    }

    [Theory]
    [InlineData("""{"item":"text","dest":"/no\n/f","text":""}""", """bad.layer.json: features[0]: text /no\x0a/f: /no\x0a as a directory is required, but nothing provides it""")]
    [InlineData("""{"item":"text","dest":"/f","text":"","user":"a\nb"}""", """bad.layer.json: features[0]: member 'user': 'a\x0ab' is no name of a user or group""")]
    [InlineData("""{"item":"a\nb\u001b"}""", """bad.layer.json: features[0]: unknown item 'a\x0ab\x1b'; known are*""")]
    [InlineData("""{"item":"install","source":"no\nfile","dest":"/f"}""", """bad.layer.json: features[0]: install /f: no\x0afile: *: No such file or directory""")]
    [InlineData("""{"item":"clone","layer":"no.layer","source":"/","dest":"/"}""", """bad.layer.json: features[0]: clone /: no.layer: *: No such file or directory""")]
    public void An_error_is_one_line_whatever_the_names(string item, string error) =>
        Assert.Matches("^" + System.Text.RegularExpressions.Regex.Escape(error).Replace("\\*", ".*", StringComparison.Ordinal) + "$", Error(TryCompile("bad", item)));

    /// <summary>antlir's case 13; what ties our layers to a machine is a mount from the host.</summary>
    [Fact]
    public void A_self_contained_layer_has_no_host_mounts_not_even_inherited_ones()
    {
        Compile("tied", """{"item":"mount","host":"/srv","mountpoint":"/m"}""", AllowMount);
        const string parent = """ "parent":"tied.layer","self_contained":true, """;
        Assert.Equal("free: the layer is declared self-contained, but /m is a mount from the host", Error(TryCompile("free", "", parent)));
        Compile("free", "", """ "self_contained":true, """);
        Compile("tied2", """{"item":"mount","host":"/srv","mountpoint":"/m"}""", AllowMount + """ "parent":"free.layer", """).AssertDiskIsAsModelled();
    }

    [Fact]
    public void Compiles_the_same_under_another_umask_time_zone_and_home_with_the_time_of_the_environment()
    {
        MakeInputs();
        const string more = """ "allow_host_mounts":["/srv"], """;
        Built here = Compile("all", Everything, AllowMount);
        System.IO.File.WriteAllText(File("all.layer.json"), $$"""{"name":"all",{{more}}"features":[{{Everything}}]}""");
        string line = Shell($"umask 077; env SOURCE_DATE_EPOCH=1700000000 TZ=Asia/Tokyo LC_ALL=C HOME=/nowhere '{Path.Combine(AppContext.BaseDirectory, "layerbox")}' layer-compile all.layer.json --no-cache --volume '{Volume}'");
        Built there = BuiltOf(System.Text.Encoding.UTF8.GetBytes(line)).AssertDiskIsAsModelled();
        Assert.Equal((here.Handle.Digest, here.Handle.Recipe), (there.Handle.Digest, there.Handle.Recipe));
    }

    private static string PhysicalExtents(string path)
    {
        Programs.Run("sync", "-f", path);
        // "ext: logical_offset: physical_offset: length: …"
        string[] lines = Programs.Run("filefrag", "-v", path).Split('\n');
        return string.Join('\n', lines.Where(l => l.Contains("..", StringComparison.Ordinal)).Select(l => l.Split(':')[2].Trim()));
    }

    /// <summary>antlir's case 15: data that files share is shown with who shares it, in both directions.</summary>
    [Fact]
    public void Shared_data_is_shown_with_who_shares_it()
    {
        string sources = Path.Combine(Volume, "sources");
        Programs.Shell($"mkdir '{sources}'; cd '{sources}'; head -c 16384 /dev/urandom >a; head -c 4096 /dev/urandom >alone");
        Programs.Run("python3", "-c", $"""
            import fcntl, struct
            a, b = open("{sources}/a", "rb"), open("{sources}/b", "wb")
            fcntl.ioctl(b, 0x4020940D, struct.pack("qQQQ", a.fileno(), 4096, 8192, 0))  # FICLONERANGE
            b.truncate(65536)
            """);
        Compile("c", $$"""
            {"item":"install","source":"{{sources}}/a","dest":"/a"}, {"item":"install","source":"{{sources}}/b","dest":"/b"},
            {"item":"hardlink","link":"/b2","target":"/b"}, {"item":"install","source":"{{sources}}/alone","dest":"/alone"}
            """);
        Assert.Equal(
            """
            ["(Dir)", {
              "a": ["(File m444 d16384(b,b2:0+8192@4096))"],
              "alone": ["(File m444 d4096)"],
              "b": [["(File m444 d8192(a:4096+8192@0)h57344)", 0]],
              "b2": [["(File m444 d8192(a:4096+8192@0)h57344)", 0]]
            }]
            """, Run("layer-show", File("c.layer"), "--clones").AssertSucceeded().Out.TrimEnd('\n'));
        Assert.Equal(2, Run("layer-show", File("c.layer"), "--clones", "--format", "json").Status);
    }
}
