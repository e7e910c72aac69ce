using System.Text;
using Layerbox.FileTree;
using Layerbox.Tests.SendStream;

namespace Layerbox.Tests.FileTree;

public class TreeFilterTests
{
    private static PathPattern Pattern(string text) => new(Encoding.Latin1.GetBytes(text));

    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("/a/", "a", true)]
    [InlineData("a", "a/b", false)]
    [InlineData("a", "ab", false)]
    [InlineData("", "", true)]
    [InlineData("", "a", false)]
    [InlineData("*", "abc", true)]
    [InlineData("*", "a/b", false)]
    [InlineData("*.c", "x.c", true)]
    [InlineData("*.c", "x.c.d", false)]
    [InlineData("a*b*c", "aXbXbc", true)]
    [InlineData("a*b*c", "aXbXb", false)]
    [InlineData("a/*/c", "a/b/c", true)]
    [InlineData("a/*/c", "a/b/b/c", false)]
    [InlineData("a?c", "abc", true)]
    [InlineData("a?c", "a/c", false)]
    [InlineData("a?c", "ac", false)]
    [InlineData("**", "a/b/c", true)]
    [InlineData("a/**", "a/b/c", true)]
    [InlineData("a/**", "a", false)]
    [InlineData("**/c", "c", true)]
    [InlineData("**/c", "a/b/c", true)]
    [InlineData("**/c", "a/bc", false)]
    [InlineData("a/**/c", "a/c", true)]
    [InlineData("a/**/c", "a/b/b/c", true)]
    [InlineData("a/**/c", "ab/c", false)]
    [InlineData("**/*.pyc", "usr/lib/x.pyc", true)]
    [InlineData("a**c", "a/b/c", true)]
    [InlineData(@"a\*", "a*", true)]
    [InlineData(@"a\*", "ab", false)]
    [InlineData("\u00ff?", "\u00ff\u00fe", true)]
    public void Patterns_match_whole_paths(string pattern, string path, bool isMatch) => Assert.Equal(isMatch, Pattern(pattern).Matches(Encoding.Latin1.GetBytes(path)));

    [Fact]
    public void Hostile_patterns_take_no_time() =>
        Assert.False(Pattern(string.Concat(Enumerable.Repeat("*a", 500)) + "b").Matches(Encoding.Latin1.GetBytes(new string('a', 4000))));

    [Theory]
    [InlineData("", "", "d d/e d/e/f d/g h/i h k")]
    [InlineData("d", "", "d d/e d/e/f d/g")]
    [InlineData("d/e", "", "d d/e d/e/f")]
    [InlineData("", "d/e", "d d/g h h/i k")]
    [InlineData("d", "d/e", "d d/g")]
    [InlineData("**/f", "", "d d/e d/e/f")]
    [InlineData("**/f", "d", "")]
    [InlineData("k h/i", "", "h h/i k")]
    [InlineData("nothing", "", "")]
    [InlineData("", "**", "")]
    public void Wanted_paths_stay_with_the_directories_above(string includes, string excludes, string expected)
    {
        Tree tree = StreamScript.Apply("chmod - 711; mkdir d; chmod d 700; mkdir d/e; mkfile d/e/f; write d/e/f 0 x; link d/g d/e/f; mkdir h; symlink h/i t; mkfile k");
        Tree filtered = new TreeFilter(Patterns(includes), Patterns(excludes)).Apply(tree);
        Assert.Equal(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal), filtered.Walk().Skip(1).Select(e => Encoding.Latin1.GetString(e.Key.ToBytes())));
        Assert.Equal(0x1C9u, filtered.Root.Mode);
        foreach ((TreePath path, Inode inode) in filtered.Walk())
            Assert.Equal((tree.Find(path)!.Kind, tree.Find(path)!.Mode, tree.Find(path)!.Content), (inode.Kind, inode.Mode, inode.Content));
        if (filtered.Find(TreePath.Parse("d/g")) is { } g)
            Assert.Equal(filtered.Find(TreePath.Parse("d/e/f")) is null ? 1 : 2, g.Links);

        static List<PathPattern> Patterns(string texts) => [.. texts.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Pattern)];
    }
}
