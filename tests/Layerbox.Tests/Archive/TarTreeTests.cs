using Layerbox.Archive;
using Layerbox.FileTree;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Archive;

public sealed class TarTreeTests
{
    [Fact]
    public void Directories_without_a_member_are_plain_ones_of_root()
    {
        Tree tree = Read(new RawTar().File("a/b/c", "x"));
        foreach (string path in new[] { "/", "/a", "/a/b" })
            Assert.Equal((FileKind.Directory, 0x1EDu, 0u, default(Timestamp)), Facts(tree, path));
    }

    [Fact]
    public void A_directory_named_again_gets_the_later_metadata_and_keeps_what_it_holds()
    {
        Tree tree = Read(new RawTar().File("d/f", "x").Pax("uid=5", "mtime=9").Header("d", '5').Pax("uid=6", "SCHILY.xattr.user.a=1").Header("./", '5'));
        Assert.Equal((FileKind.Directory, 0x1A4u, 5u, new Timestamp(9)), Facts(tree, "/d"));
        Assert.Equal((FileKind.Directory, 0x1A4u, 6u, default(Timestamp)), Facts(tree, "/"));
        Assert.Equal("1"u8.ToArray(), tree.Root.Xattrs.Find("user.a"u8));
        Assert.NotNull(Find(tree, "/d/f"));
    }

    [Fact]
    public void A_later_member_replaces_an_earlier_one_and_not_its_hard_links()
    {
        Tree tree = Read(new RawTar().File("a", "old").Header("b", '1', link: "a").File("a", "new"));
        Assert.Equal("new"u8.ToArray(), Bytes(tree, "/a"));
        Assert.Equal("old"u8.ToArray(), Bytes(tree, "/b"));
        Assert.Equal((1, 1), (Find(tree, "/a")!.Links, Find(tree, "/b")!.Links));
    }

    [Fact]
    public void Kinds_replace_each_other_as_long_as_no_directory_is_full()
    {
        Tree tree = Read(new RawTar().Header("d", '5').File("d", "file").Header("s", '2', link: "/etc").Header("s", '5').File("s/f", "inside"));
        Assert.Equal("file"u8.ToArray(), Bytes(tree, "/d"));
        Assert.Equal("inside"u8.ToArray(), Bytes(tree, "/s/f"));
    }

    [Fact]
    public void Hard_links_share_the_inode_also_that_of_a_symbolic_link()
    {
        Tree tree = Read(new RawTar().File("a", "x").Header("b", '1', link: "a").Header("b", '1', link: "a").Header("s", '2', link: "t").Header("z", '1', link: "s"));
        Assert.Same(Find(tree, "/a"), Find(tree, "/b"));
        Assert.Same(Find(tree, "/s"), Find(tree, "/z"));
        Assert.Equal(2, Find(tree, "/a")!.Links);
    }

    [Fact]
    public void The_data_of_a_hard_link_becomes_that_of_the_file()
    {
        Tree tree = Read(new RawTar().Header("a").Pax("linkpath=a").Header("b", '1', "2").Data("xy"));
        Assert.Equal("xy"u8.ToArray(), Bytes(tree, "/a"));
        Assert.Same(Find(tree, "/a"), Find(tree, "/b"));
    }

    [Fact]
    public void Tells_of_each_member()
    {
        List<string> told = [];
        byte[] archive = new RawTar().File("a", "x").Header("d", '5').Bytes;
        TarTree.Read(new MemoryStream(archive), new MemoryContentStore(), new TarTreeOptions { OnMember = entry => told.Add($"{entry.Path} at {entry.Offset}") });
        Assert.Equal(["/a at 0", "/d at 1024"], told);
    }

    [Theory]
    [InlineData("f1 'one' f1 'two'")] // the same name twice
    [InlineData("d/f 'x' d/ d/g 'y'")]
    [InlineData("f 'x' l=f f 'y'")] // the link keeps the first content
    [InlineData("f 'x' l=f l 'y'")]
    [InlineData("f 'x' l=f l=f")]
    [InlineData("d/ d 'now a file'")]
    [InlineData("f 'x' f/")]
    [InlineData("s->f s 'not through the link' f 'x'")]
    [InlineData("s->f f 'x' l=s")]
    [InlineData("/abs 'x' ./dot 'y' a//b 'z'")]
    public void Is_what_GNU_tar_unpacks(string members)
    {
        Privileged.OrSkip();
        byte[] archive = Make(members).End().Bytes;
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "a.tar", archive);
        Directory.CreateDirectory(folder / "out");
        Programs.Run("tar", "-xpf", folder / "a.tar", "-C", folder / "out");
        Tree unpacked = RootfsReader.Read(folder / "out");
        Tree read = TarTree.Read(new MemoryStream(archive), new MemoryContentStore());
        foreach (Inode directory in read.Walk().Concat(unpacked.Walk()).Select(pair => pair.Value).Where(inode => inode.IsDirectory))
            (directory.Mode, directory.ModificationTime) = (0, default); // of those that are made by the way tar takes the clock
        Corners.AssertEqual(unpacked, read);
    }

    /// <summary>NAME 'DATA', NAME/ , NAME=HARDLINK and NAME->SYMLINK between spaces.</summary>
    private static RawTar Make(string members)
    {
        RawTar tar = new();
        foreach (System.Text.RegularExpressions.Match match in System.Text.RegularExpressions.Regex.Matches(members, @"(\S+) '([^']*)'|(\S+)->(\S+)|(\S+)=(\S+)|(\S+)/( |$)"))
        {
            if (match.Groups[1].Success)
                tar.File(match.Groups[1].Value, match.Groups[2].Value);
            else if (match.Groups[3].Success)
                tar.Header(match.Groups[3].Value, '2', link: match.Groups[4].Value);
            else if (match.Groups[5].Success)
                tar.Header(match.Groups[5].Value, '1', link: match.Groups[6].Value);
            else
                tar.Header(match.Groups[7].Value + "/", '5');
        }
        return tar;
    }

    private static Tree Read(RawTar archive) => TarTree.Read(new MemoryStream(archive.Bytes), new MemoryContentStore());

    private static Inode? Find(Tree tree, string path) => tree.Find(TreePath.Parse(path));

    private static byte[] Bytes(Tree tree, string path) => ((MemoryContent)Find(tree, path)!.Content!).Bytes;

    private static (FileKind Kind, uint Mode, uint Uid, Timestamp Time) Facts(Tree tree, string path) =>
        Find(tree, path) is { } inode ? (inode.Kind, inode.Mode, inode.Uid, inode.ModificationTime) : throw new InvalidOperationException(path);
}
