using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

public class TreeTests
{
    private static Tree Sample()
    {
        Tree tree = new();
        Inode usr = Inode.Directory(0x1ED), bin = Inode.Directory(0x1ED);
        tree.Root.Add(new FileName("usr"), usr);
        usr.Add(new FileName("bin"), bin);
        bin.Add(new FileName("sh"), Inode.File(0x1ED, new MemoryContent("#!"u8.ToArray())));
        tree.Root.Add(new FileName("bin"), Inode.Symlink("usr/bin"u8.ToArray()));
        tree.Root.Add(new FileName("abs"), Inode.Symlink("/bin/../bin"u8.ToArray()));
        tree.Root.Add(new FileName("up"), Inode.Symlink("../../../usr"u8.ToArray()));
        tree.Root.Add(new FileName("loop"), Inode.Symlink("loop"u8.ToArray()));
        return tree;
    }

    [Theory]
    [InlineData("/bin/sh", "/usr/bin/sh")]
    [InlineData("/abs/sh", "/usr/bin/sh")]
    [InlineData("/up/bin/sh", "/usr/bin/sh")]
    [InlineData("/bin/new/file", "/usr/bin/new/file")]
    [InlineData("/bin", "/usr/bin")]
    public void Follows_links_inside_the_image(string path, string leadsTo) =>
        Assert.Equal(leadsTo, Sample().Resolve(TreePath.Parse(path), followLast: true).ToString());

    [Fact]
    public void Keeps_a_last_link_when_asked() =>
        Assert.Equal("/bin", Sample().Resolve(TreePath.Parse("bin"), followLast: false).ToString());

    [Fact]
    public void Ends_a_loop_of_links() =>
        Assert.Throws<InvalidDataException>(() => Sample().Resolve(TreePath.Parse("loop/x"), followLast: true));

    [Theory]
    [InlineData("//usr/./bin/../lib/", "/usr/lib")]
    [InlineData("/", "/")]
    [InlineData("", "/")]
    public void Normalises_paths(string given, string normal) => Assert.Equal(normal, TreePath.Parse(given).ToString());

    [Theory]
    [InlineData("..")]
    [InlineData("a/../../b")]
    public void Refuses_paths_that_climb_out(string path) => Assert.Throws<InvalidDataException>(() => TreePath.Parse(path));

    [Fact]
    public void Walks_in_canonical_order() =>
        Assert.Equal(["/", "/abs", "/bin", "/loop", "/up", "/usr", "/usr/bin", "/usr/bin/sh"], Sample().Walk().Select(e => e.Key.ToString()));

    [Fact]
    public void A_copy_keeps_hard_links_and_is_independent()
    {
        Tree tree = Sample();
        tree.Root.Add(new FileName("sh2"), tree.Find(TreePath.Parse("usr/bin/sh"))!);
        Tree copy = tree.Copy();
        Assert.Same(copy.Find(TreePath.Parse("sh2")), copy.Find(TreePath.Parse("usr/bin/sh")));
        Assert.Equal(2, copy.Find(TreePath.Parse("sh2"))!.Links);
        copy.Root.Remove(new FileName("sh2"));
        Assert.NotNull(tree.Find(TreePath.Parse("sh2")));
    }
}
