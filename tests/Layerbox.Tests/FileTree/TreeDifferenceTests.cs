using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

public class TreeDifferenceTests
{
    private static string[] Describe(Tree from, Tree to) =>
        [.. TreeDifference.Compare(from, to).Select(c => $"{c.Op} {c.Path}{(c.Aspects == 0 ? "" : $" {c.Aspects}")}")];

    [Fact]
    public void A_tree_does_not_differ_from_its_copy() =>
        Assert.Empty(TreeDifference.Compare(Trees.OfEverything(), Trees.OfEverything().Copy()));

    [Fact]
    public void Tells_paths_in_canonical_order_with_what_differs()
    {
        Tree from = Trees.OfEverything(), to = from.Copy();
        Trees.Remove(to, "dev/sda");
        Trees.Put(to, "dev/sdb", Inode.Device(true, Trees.Octal("660"), 8, 16));
        Trees.Put(to, "etc-new", Trees.File("x"));
        Inode shadow = Trees.Get(to, "etc/shadow");
        (shadow.Mode, shadow.Uid, shadow.ModificationTime) = (Trees.Octal("600"), 1, new(-1, 500_000_001));
        shadow.Content = new MemoryContent("!"u8.ToArray());
        to.Root.Xattrs = to.Root.Xattrs.With("user.x"u8.ToArray(), []);
        Assert.Equal(
            ["Changed / Xattrs", "Removed /dev/sda", "Added /dev/sdb", "Changed /etc/shadow Mode, Owner, Time, Content", "Added /etc-new"],
            Describe(from, to));
    }

    [Fact]
    public void What_stood_below_a_replaced_directory_is_removed_one_by_one()
    {
        Tree from = Trees.OfEverything(), to = from.Copy();
        Trees.Remove(to, "usr");
        Trees.Put(to, "usr", Trees.File("now a file", "755"));
        string[] below = ["/usr/bin", "/usr/bin/bash", "/usr/bin/sh"];
        Assert.Equal(["Changed /usr Kind", .. below.Select(p => $"Removed {p}")], Describe(from, to));
        Assert.Equal(["Changed /usr Kind", .. below.Select(p => $"Added {p}")], Describe(to, from));
    }

    private static Tree Grouped(string groups)
    {
        Tree tree = new();
        foreach (string group in groups.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            Inode inode = Trees.File("same");
            foreach (char name in group)
                Trees.Put(tree, $"{name}", inode);
        }
        return tree;
    }

    [Theory]
    [InlineData("ab c", "ab c", "")]
    [InlineData("ab c", "a b c", "Changed /b Links")]
    [InlineData("a b c", "abc", "Changed /b Links; Changed /c Links")]
    [InlineData("ab cd", "ac bd", "Changed /b Links; Changed /c Links; Changed /d Links")]
    [InlineData("ab", "a", "Removed /b")]
    [InlineData("ab", "b", "Removed /a")]
    [InlineData("a", "ab", "Added /b")]
    [InlineData("abc d", "bcx d", "Removed /a; Added /x")]
    [InlineData("ab c", "bc", "Removed /a; Changed /c Links")]
    public void Sees_hard_links_regrouped(string from, string to, string changes) =>
        Assert.Equal(changes, string.Join("; ", Describe(Grouped(from), Grouped(to))));

    [Fact]
    public void Names_the_path_that_a_hard_link_leads_to()
    {
        TreeChange change = Assert.Single(TreeDifference.Compare(Grouped("ab c"), Grouped("ac b")), c => c.Path.ToString() == "/c");
        Assert.Equal((null, "/a"), (change.LinkFrom?.ToString(), change.LinkTo?.ToString()));
    }

    [Fact]
    public void Reads_nothing_when_the_content_is_the_same_object_or_the_size_differs()
    {
        Tree from = new(), same = new(), other = new();
        Inode file = Trees.Put(from, "f", Inode.File(Trees.Octal("644"), new Unreadable(5)));
        Trees.Put(same, "f", Inode.File(Trees.Octal("644"), file.Content!));
        Trees.Put(other, "f", Inode.File(Trees.Octal("644"), new Unreadable(6)));
        Assert.Empty(TreeDifference.Compare(from, same));
        Assert.Equal(TreeAspects.Content, Assert.Single(TreeDifference.Compare(from, other)).Aspects);
    }

    private sealed class Unreadable(long size) : FileContent
    {
        public override long Size => size;
        public override Stream Open() => throw new InvalidOperationException("was read");
    }

    [Fact]
    public void Walks_trees_of_any_depth()
    {
        Tree deep = new();
        Inode at = deep.Root;
        for (int i = 0; i < 5000; i++)
            at.Add(new FileName("d"), at = Inode.Directory(Trees.Octal("755")));
        Tree changed = deep.Copy();
        changed.Walk().Last().Value.Mode = 0;
        TreeChange change = Assert.Single(TreeDifference.Compare(deep, changed));
        Assert.Equal(5000, change.Path.Depth);
        Assert.NotEqual(TreeDigest.Compute(deep), TreeDigest.Compute(changed));
        Assert.Equal(5000, TreeDifference.Compare(new Tree(), deep).Count);
    }
}
