using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

public class TreePathTests
{
    /// <summary>The same path, grown name by name and made at once: what is kept inside differs.</summary>
    private static (TreePath Grown, TreePath Made) Both(string path)
    {
        TreePath grown = TreePath.Root;
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
            grown = grown.Append(new FileName(name));
        return (grown, TreePath.Parse(path));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/a")]
    [InlineData("/usr/lib/x")]
    public void Is_the_same_however_it_was_made(string path)
    {
        (TreePath grown, TreePath made) = Both(path);
        Assert.Equal(made, grown);
        Assert.Equal(made.GetHashCode(), grown.GetHashCode());
        Assert.Equal(0, made.CompareTo(grown));
        Assert.Equal((path, path), (grown.ToString(), made.ToString()));
        Assert.Equal(path[1..], Encoding.ASCII.GetString(grown.ToBytes()));
        Assert.Equal(made.Names, grown.Names);
        Assert.True(grown.StartsWith(made) && grown.StartsWith(TreePath.Root));
        if (made.IsRoot)
        {
            Assert.Throws<InvalidOperationException>(() => grown.Parent);
            Assert.Throws<InvalidOperationException>(() => made.Name);
            return;
        }
        Assert.Equal(made.Parent, grown.Parent);
        Assert.Equal(made.Name, grown.Name);
        Assert.Equal(made, made.Parent.Append(grown.Name));
        Assert.Equal(made, TreePath.Root.Append(grown));
    }

    [Fact]
    public void A_directory_comes_before_what_it_holds_and_keeps_it_together()
    {
        string[] ordered = ["/", "/a", "/a/b", "/a/b/c", "/a-b", "/b", "/b/\u00e4"];
        Assert.Equal(ordered, ordered.Reverse().Select(p => Both(p).Grown).Order().Select(p => p.ToString()));
        Assert.False(TreePath.Parse("a-b").StartsWith(TreePath.Parse("a")));
    }

    [Fact]
    public void The_cursor_and_the_walk_agree_in_the_order_of_paths() =>
        Prop.ForAll<NonEmptyArray<byte[]>>(seeds =>
        {
            Tree tree = new();
            foreach (byte[] seed in seeds.Get)
            {
                Inode at = tree.Root;
                foreach (FileName name in seed.Take(6).Select(b => new FileName([(byte)('a' + (b % 5))])))
                {
                    if (at.Child(name) is not { } next)
                        at.Add(name, next = Inode.Directory(0));
                    at = next;
                }
            }
            List<(string, int, Inode)> met = [];
            for (TreeCursor cursor = new(tree); cursor.MoveNext();)
                met.Add((Encoding.ASCII.GetString(cursor.Path), cursor.Depth, cursor.Inode));
            KeyValuePair<TreePath, Inode>[] walked = [.. tree.Walk()];
            return met.SequenceEqual(walked.Select(e => (Encoding.ASCII.GetString(e.Key.ToBytes()), e.Key.Depth, e.Value)))
                && walked.Select(e => e.Key).SequenceEqual(walked.Select(e => e.Key).Order());
        }).QuickCheckThrowOnFailure();
}
