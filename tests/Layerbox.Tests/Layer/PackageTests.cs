using Layerbox.FileTree;
using Layerbox.Layer;
using Layerbox.Tests.Btrfs;

namespace Layerbox.Tests.Layer;

/// <summary>antlir's case 17: a package holds the layer, no more and no less.</summary>
public sealed class PackageTests(SharedVolume shared) : DiskTest(shared), IClassFixture<SharedVolume>
{
    private Built MakeLayer()
    {
        Shell("mkdir t; head -c 200000 /dev/urandom > t/f; truncate -s 1M t/sparse; echo end >> t/sparse; ln -s f t/l");
        return Compile("a", """
            {"item":"install","source":"t","dest":"/t"}, {"item":"hardlink","link":"/g","target":"/t/f"}, {"item":"mknod","path":"/p","type":"fifo"}, {"item":"mknod","path":"/null","type":"char","major":1,"minor":3},
            {"item":"text","dest":"/x","text":"x","mode":"6755","user":3,"group":4,"setcap":"cap_chown=ep","xattrs":{"user.a":"0x00ff"}}, {"item":"ensure_dirs","path":"/d","mode":"1777","user":5}, {"item":"config","env":{"A":"1"}}
            """, """ "source_date_epoch":1700000000, """);
    }

    private string Package(string format)
    {
        string path = File($"package.{format}");
        Run("image-package", File("a.layer"), "--format", format, "--output", path).AssertSucceeded();
        return path;
    }

    [Theory]
    [InlineData("sendstream")]
    [InlineData("tar.gz")]
    [InlineData("directory")]
    public void One_that_is_interrupted_leaves_nothing_behind(string format)
    {
        using BuiltLayer layer = BuiltLayer.Open(MakeLayer().Handle, Layerbox.Btrfs.Volume.Open(Volume), "a");
        using TempFolder target = new();
        Assert.Throws<OperationCanceledException>(() => LayerPackage.Write(layer, format, target / "package", _ => throw new OperationCanceledException()));
        Assert.Empty(Directory.GetFileSystemEntries(target.Path));
    }

    [Theory]
    [InlineData("sendstream")]
    [InlineData("sendstream.zst")]
    public void What_btrfs_receives_is_the_layer(string format)
    {
        Built built = MakeLayer();
        string stream = Package(format), folder = Path.Combine(Volume, "received");
        if (format.EndsWith(".zst", StringComparison.Ordinal))
            Programs.Run("zstd", "-qd", stream, "-o", stream = File("plain"));
        Directory.CreateDirectory(folder);
        Programs.Run("btrfs", "receive", "-q", "-f", stream, folder);
        Assert.Equal(TreeText.Render(built.Disk), TreeText.Render(Layerbox.Rootfs.RootfsReader.Read(Directory.GetDirectories(folder).Single())));
    }

    [Fact]
    public void A_layer_is_compared_with_streams_by_its_handle()
    {
        MakeLayer();
        string stream = Package("sendstream.zst"), other = File("other");
        Assert.Equal("", Run("sendstream-diff", File("a.layer"), stream).AssertSucceeded().Out);
        Assert.Equal("", Run("sendstream-diff", "--from", stream, "--to", File("a.layer")).AssertSucceeded().Out);
        Tools.Run("sendstream-rewrite", "--exclude", "t/l", "--output", other, stream).AssertSucceeded();
        Assert.Equal("D /t/l\n", Run("sendstream-diff", File("a.layer"), other).Out);
    }

    [Theory]
    [InlineData("tar")]
    [InlineData("tar.gz")]
    [InlineData("tar.zst")]
    public void What_tar_unpacks_is_the_layer(string format)
    {
        Built built = MakeLayer();
        string folder = Path.Combine(Volume, "unpacked");
        Directory.CreateDirectory(folder);
        Programs.Run("tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "--sparse", "-xpf", Package(format), "-C", folder);
        const string list = "find . -printf '%P %y %m %U:%G %T@ %l %n\\n' | sort; find . -type f -exec sha256sum {} + | sort; getfattr -dhm - -e hex -R . | sort";
        Assert.Equal(Programs.Shell($"cd '{built.Path}'; {list}"), Programs.Shell($"cd '{folder}'; {list}"));
    }

    [Theory]
    [InlineData("sendstream.zst")]
    [InlineData("tar.zst")]
    public void A_package_that_is_imported_has_the_same_content(string format)
    {
        Built built = MakeLayer();
        string path = Package(format);
        Assert.Equal(built.Handle.Digest, BuiltOf(Run("layer-import", path, "--sha256", Programs.Run("sha256sum", path)[..64]).AssertSucceeded().Bytes).Handle.Digest);
    }

    [Fact]
    public void Nothing_is_overwritten()
    {
        MakeLayer();
        string path = Package("tar"), digest = Programs.Run("sha256sum", path);
        Tools.Result again = Run("image-package", File("a.layer"), "--format", "tar", "--output", path);
        Assert.Equal((2, ""), (again.Status, again.Out));
        Assert.Contains(path, again.FirstErrorLine, StringComparison.Ordinal);
        Assert.Equal(digest, Programs.Run("sha256sum", path));
    }
}
