using System.Text;
using Layerbox.Archive;
using Layerbox.FileTree;
using Layerbox.SendStream;
using Layerbox.Tests.SendStream;

namespace Layerbox.Tests.Archive;

public sealed class TarChangesetTests
{
    private const string Before = """
        mkdir d; mkfile d/a; write d/a 0 one; mkfile d/b; mkdir d/sub; mkfile d/sub/x; mkdir e; mkfile e/f; write e/f 0 data; link g e/f; link d/h e/f
        """;

    [Theory]
    [InlineData("nothing", "", "")]
    [InlineData("a new file", "mkfile e/new", "/ /e /e/new")]
    [InlineData("a changed file", "write d/a 1 x", "/ /d /d/a")]
    [InlineData("a changed mode of a directory", "chmod d/sub 755", "/ /d /d/sub")]
    [InlineData("the root itself", "chmod - 700", "/")]
    [InlineData("a file is gone", "unlink d/a", "/ /d /d/.wh.a")]
    [InlineData("a whole directory is gone", "unlink d/sub/x; rmdir d/sub", "/ /d /d/.wh.sub")]
    [InlineData("its only file is gone", "unlink d/sub/x", "/ /d /d/sub /d/sub/.wh.x")]
    [InlineData("all of several are gone", "unlink d/a; unlink d/b; unlink d/h; unlink d/sub/x; rmdir d/sub; mkfile d/new", "/ /d /d/.wh..wh..opq /d/new")]
    [InlineData("a file becomes a directory", "unlink d/a; mkdir d/a; mkfile d/a/new", "/ /d /d/a /d/a/new")]
    [InlineData("a directory becomes a file", "unlink d/sub/x; rmdir d/sub; mkfile d/sub", "/ /d /d/sub")]
    [InlineData("a renamed directory", "rename d moved", "/ /.wh.d /moved /moved/a /moved/b /moved/h /moved/sub /moved/sub/x /e /e/f /g")]
    [InlineData("a linked file is changed: all its names", "write g 0 new", "/ /d /d/h /e /e/f /g")]
    [InlineData("one more link", "link d/more d/a", "/ /d /d/a /d/more")]
    [InlineData("one link less", "unlink g", "/ /.wh.g")]
    [InlineData("a link parts from the others", "unlink g; mkfile g; write g 0 data", "/ /g")]
    public void Says_what_a_layer_must_say(string what, string changes, string members)
    {
        Assert.NotEmpty(what);
        (Tree from, Tree to) = Pair(Before, changes);
        byte[] archive = Write(from, to);
        Assert.Equal(members.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal), Members(archive).Order(StringComparer.Ordinal));
        Assert.Equal(TreeDigest.Compute(to), TreeDigest.Compute(LayerApplier.Apply(from, archive)));
        Assert.Equal(archive, Write(from.Copy(), to.Copy()));
    }

    [Fact]
    public void The_longest_names_can_be_gone_too()
    {
        string name = new('n', 255);
        (Tree from, Tree to) = Pair("mkfile n*255", "unlink n*255");
        Assert.Contains($".wh.{name}", Encoding.Latin1.GetString(Write(from, to)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_would_mean_something_else_is_refused()
    {
        (Tree from, Tree to) = Pair("mkdir d; mkfile .wh.old", "mkfile d/.wh.x");
        Assert.StartsWith("/d/.wh.x: a name that begins with '.wh.'", Assert.Throws<InvalidDataException>(() => Write(from, to)).Message, StringComparison.Ordinal);
        Write(from, from);
    }

    [Fact]
    public void Random_changes_come_out_as_they_were()
    {
        for (int seed = 0; seed < 80; seed++)
        {
            Tree from = new RandomTree(seed).Make(), to = Changed(from, new Random(seed));
            Assert.Equal($"seed {seed}: ", $"seed {seed}: {TreeDifferenceText.Render(TreeDifference.Compare(to, LayerApplier.Apply(from, Write(from, to))))}");
        }
    }

    [Fact]
    public void An_independent_unpacker_makes_the_same_tree()
    {
        Privileged.OrSkip();
        Oracles.OrSkip("umoci");
        using TempFolder folder = new();
        foreach (string changes in new[] { "unlink d/a; unlink d/b; unlink d/h; unlink d/sub/x; rmdir d/sub; mkfile d/new; utimes d 77 5", "unlink d/sub/x; rmdir d/sub; mkfile d/sub; unlink d/a; mkdir d/a; write g 0 new; link d/h2 g" })
        {
            (Tree from, Tree to) = Pair(Before, changes);
            using MemoryStream whole = new();
            TarWriter.Write(whole, from);
            string rootfs = OciImage.Unpack(folder, whole.ToArray(), Write(from, to));
            Assert.Equal(Rootfs.TreeLines.Of(to), Rootfs.TreeLines.Of(Layerbox.Rootfs.RootfsReader.Read(rootfs)));
        }
    }

    /// <summary>Two states: that of a subvolume, and that after changes.</summary>
    internal static (Tree From, Tree To) Pair(string before, string changes)
    {
        byte[] streams = [.. StreamScript.Make($"subvol vol; {before}; end", 2), .. StreamScript.Make($"snapshot vol2 22 11; {changes}; end", 2)];
        IReadOnlyList<ReceivedSubvolume> received = SendStreamTree.ApplyAll(new MemoryStream(streams), null, new MemoryContentStore());
        return (received[0].Tree, received[1].Tree);
    }

    private static byte[] Write(Tree from, Tree to)
    {
        using MemoryStream output = new();
        TarChangeset.Write(output, from, to);
        return output.ToArray();
    }

    private static IEnumerable<string> Members(byte[] archive) =>
        TarReader.Read(new MemoryStream(archive), new MemoryContentStore()).Select(entry => entry.Path.ToString());

    private static Tree Changed(Tree tree, Random random)
    {
        Tree copy = tree.Copy();
        List<Inode> linkable = [.. copy.Walk().Select(e => e.Value).Where(inode => !inode.IsDirectory)];
        foreach ((TreePath path, Inode inode) in copy.Walk().ToList())
        {
            if (path.IsRoot || copy.Find(path) != inode)
                continue;
            Inode parent = copy.Find(path.Parent)!;
            switch (random.Next(14))
            {
                case 0: parent.Remove(path.Name); break;
                case 1 when inode.Kind != FileKind.Symlink: inode.Mode ^= 1; break;
                case 2: Replace(Inode.File(0x1A4, new MemoryContent([1, 2, 3]))); break;
                case 3: Replace(Inode.Directory(0x1ED)); break;
                case 4 when linkable[random.Next(linkable.Count)] is { Links: > 0 } other: Replace(other); break;
                case 5 when inode.Content is not null: inode.Content = new MemoryContent([9]); break;
                case 6 when inode.IsDirectory: inode.Children.ToList().ForEach(child => inode.Remove(child.Key)); break;
                case 7: inode.ModificationTime = new Timestamp(random.Next()); break;
            }

            void Replace(Inode by)
            {
                parent.Remove(path.Name);
                parent.Add(path.Name, by);
            }
        }
        return copy;
    }
}
