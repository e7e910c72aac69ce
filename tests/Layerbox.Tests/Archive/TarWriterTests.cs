using System.Text;
using Layerbox.Archive;
using Layerbox.FileTree;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Archive;

public sealed class TarWriterTests
{
    private const string AllCorners = "plain nodes split long ids old fine fineold xattrs oddxattrs acls holes";

    [Theory]
    [InlineData(AllCorners, "tar --xattrs --xattrs-include=* --numeric-owner -xpf")]
    [InlineData("plain nodes split long ids old fine xattrs holes", "bsdtar --acls --xattrs --numeric-owner -xpf")]
    public void Real_tars_unpack_it_to_the_same_tree(string corners, string command)
    {
        string[] words = command.Split(' ');
        Oracles.OrSkip(words[0]);
        using TempFolder folder = new();
        Tree tree = RootfsReader.Read(Corners.Make(folder, corners));
        File.WriteAllBytes(folder / "a.tar", Write(tree));
        Directory.CreateDirectory(folder / "out");
        Programs.Run(words[0], [.. words[1..], folder / "a.tar", "-C", folder / "out"]);
        Tree unpacked = RootfsReader.Read(folder / "out");
        if (words[0] == "bsdtar")
            unpacked.Root.ModificationTime = tree.Root.ModificationTime; // it touches the directory again after setting its time
        Corners.AssertEqual(tree, unpacked);
    }

    [Fact]
    public void Reads_back_what_it_writes_and_writes_it_the_same_again()
    {
        using TempFolder folder = new();
        Tree tree = RootfsReader.Read(Corners.Make(folder, AllCorners));
        byte[] archive = Write(tree);
        Tree again = TarTree.Read(new MemoryStream(archive), new MemoryContentStore());
        Corners.AssertEqual(tree, again);
        Assert.Equal(archive, Write(again));
    }

    [Fact]
    public void Random_trees_come_back_as_they_were()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            Tree tree = new RandomTree(seed).Make();
            Tree again = TarTree.Read(new MemoryStream(Write(tree)), new MemoryContentStore());
            Assert.True(TreeDigest.Compute(tree).AsSpan().SequenceEqual(TreeDigest.Compute(again)), $"seed {seed}");
        }
    }

    [Fact]
    public void Is_what_GNU_tar_writes_where_ustar_holds_everything()
    {
        using TempFolder folder = new();
        string directory = Corners.Make(folder, "plain nodes split");
        Tree tree = RootfsReader.Read(directory);
        using (FileStream list = File.Create(folder / "list"))
        {
            foreach ((TreePath path, _) in tree.Walk())
                list.Write([.. path.IsRoot ? "./"u8.ToArray() : path.ToBytes(), 0]);
        }
        Programs.Run("tar", "--format=ustar", "--numeric-owner", "--no-recursion", "-b1", "--null", "--verbatim-files-from",
            "-cf", folder / "gnu.tar", "-C", directory, "-T", folder / "list");
        File.WriteAllBytes(folder / "ours.tar", Write(tree));
        Assert.Equal("", Programs.Run("cmp", folder / "gnu.tar", folder / "ours.tar"));
    }

    [Fact]
    public void Lists_in_canonical_order_with_the_first_name_as_the_target_of_hard_links()
    {
        Tree tree = new();
        tree.Root.Uid = 7;
        Inode folder = At(Inode.Directory(0x1C0), 1_600_000_000);
        Inode file = At(Inode.File(0x9A4, new MemoryContent("abc"u8.ToArray())), 1_600_000_001, 5);
        file.Uid = 3_000_000_000;
        tree.Root.Add(new FileName("b"), folder);
        folder.Add(new FileName("z"), file);
        tree.Root.Add(new FileName("b-first?"), file); // after all that is in b, though "b-" sorts before "b/"
        tree.Root.Add(new FileName("a"), At(Inode.Symlink("b/z"u8.ToArray()), 0));
        tree.Root.Add(new FileName("c"), At(Inode.Device(isBlock: false, 0x1B6, 1, 3), 0));
        using TempFolder temp = new();
        File.WriteAllBytes(temp / "a.tar", Write(tree));
        Assert.Equal(
            """
            drwxr-xr-x 7/0               0 1970-01-01 00:00:00 ./
            lrwxrwxrwx 0/0               0 1970-01-01 00:00:00 a -> b/z
            drwx------ 0/0               0 2020-09-13 12:26:40 b/
            -rwSr--r-- 3000000000/0      3 2020-09-13 12:26:41.000000005 b/z
            hrwSr--r-- 3000000000/0      0 2020-09-13 12:26:41.000000005 b-first? link to b/z
            crw-rw-rw- 0/0             1,3 1970-01-01 00:00:00           c

            """,
            Programs.Run("tar", "--numeric-owner", "--full-time", "-tvf", temp / "a.tar"));
    }

    [Fact]
    public void An_extended_header_is_the_same_for_every_name()
    {
        Tree tree = new();
        Inode file = At(Inode.File(0x1A4, new MemoryContent([])), 0);
        file.Xattrs = XattrSet.From([new("user.b"u8.ToArray(), [1]), new("user.a"u8.ToArray(), "x"u8.ToArray())]);
        tree.Root.Add(new FileName("f"), file);
        string text = Encoding.Latin1.GetString(Write(tree));
        Assert.Equal("././@PaxHeader\0", text.Substring(512, 15));
        Assert.Equal("25 SCHILY.xattr.user.a=x\n25 SCHILY.xattr.user.b=\u0001\n\0", text.Substring(1024, 51));
        Assert.Equal(512 + 512 + 512 + 512 + 1024, text.Length); // root, extended header, records, file, end
    }

    [Fact]
    public void Sizes_beyond_eight_gibibytes_come_back()
    {
        const long Size = (8L << 30) + 3;
        Tree tree = new();
        tree.Root.Add(new FileName("huge"), At(Inode.File(0x1A4, new EndlessContent(Size)), 0));
        // No memory holds it: writer and reader meet over what the archive holds apart from the zeros of the file.
        using HeadAndTail archive = new();
        TarWriter.Write(archive, tree);
        Assert.Equal((3 * 512) + 512 + Size + 509 + 1024, archive.Length);
        CountingStore store = new();
        TarEntry entry = Assert.Single(TarReader.Read(archive.Replay(), store), entry => !entry.Path.IsRoot);
        Assert.Equal(Size, entry.Inode!.Content!.Size);
    }

    [Fact]
    public void Says_which_path_is_a_socket()
    {
        Tree tree = new();
        tree.Root.Add(new FileName("s"), Inode.Socket(0x1A4));
        Assert.Equal("/s: a tar archive cannot hold a socket", Assert.Throws<InvalidDataException>(() => Write(tree)).Message);
        Assert.Empty(TarTree.Read(new MemoryStream(Write(tree, new TarWriterOptions { SkipSockets = true })), new MemoryContentStore()).Root.Children);
    }

    [Fact]
    public void Clamps_times()
    {
        Tree tree = new();
        tree.Root.Add(new FileName("new"), At(Inode.Fifo(0x1A4), 2000, 5));
        tree.Root.Add(new FileName("old"), At(Inode.Fifo(0x1A4), 900, 5));
        byte[] archive = Write(tree, new TarWriterOptions { LatestTime = new Timestamp(1000) });
        Assert.Equal(
            [new Timestamp(0), new Timestamp(1000), new Timestamp(900, 5)],
            TarReader.Read(new MemoryStream(archive), new MemoryContentStore()).Select(entry => entry.Inode!.ModificationTime));
    }

    [Fact]
    public void Notices_a_file_that_shrinks_while_it_is_read()
    {
        Tree tree = new();
        tree.Root.Add(new FileName("f"), Inode.File(0x1A4, new ShrunkContent()));
        Assert.Equal("/f: the file has 10 bytes and not 100: it was changed meanwhile", Assert.Throws<InvalidDataException>(() => Write(tree)).Message);
    }

    [Fact]
    public void Tells_how_far_it_is()
    {
        Tree tree = new();
        tree.Root.Add(new FileName("f"), Inode.File(0x1A4, new MemoryContent(new byte[3_000_000])));
        List<TarProgress> told = [];
        byte[] archive = Write(tree, new TarWriterOptions { Progress = told.Add });
        Assert.Equal(new TarProgress(2, archive.Length), told[^1]);
        Assert.True(told.Count >= 4);
        Assert.Equal(told.OrderBy(progress => progress.Bytes), told);
    }

    internal static byte[] Write(Tree tree, TarWriterOptions? options = null)
    {
        using MemoryStream archive = new();
        TarWriter.Write(archive, tree, options);
        return archive.ToArray();
    }

    private static Inode At(Inode inode, long seconds, uint nanoseconds = 0)
    {
        inode.ModificationTime = new Timestamp(seconds, nanoseconds);
        return inode;
    }

    private sealed class ShrunkContent : FileContent
    {
        public override long Size => 100;
        public override Stream Open() => new MemoryStream(new byte[10]);
    }
}
