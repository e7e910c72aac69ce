using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Rootfs;

/// <summary>Trees deeper than a stack and paths longer than a system call take.</summary>
public class DeepTests
{
    [Theory]
    [InlineData(2000, 1)]
    [InlineData(300, 255)]
    [InlineData(70, 60)]
    public void Writes_reads_and_removes_deep_trees(int depth, int nameLength)
    {
        using TempFolder folder = new();
        Tree tree = new();
        Inode at = tree.Root;
        for (int level = 0; level < depth; level++)
        {
            FileName name = new(new string((char)('a' + level % 26), nameLength));
            Inode next = Inode.Directory(0x1ED);
            next.ModificationTime = new(level, 7);
            at.Add(name, next);
            at = next;
        }
        at.Add(new FileName("file"), Samples.File("at the bottom"));
        at.Add(new FileName("hole"), Inode.File(0x1A4, new MemoryContent(new byte[5000])));
        tree.Root.Add(new FileName("link"), at.Child(new FileName("file"))!);
        ApplyTests.Mine(tree);

        RootfsWriter.Apply(folder.Path, RootfsReader.Read(folder.Path), tree);
        Tree read = RootfsReader.Read(folder.Path);
        AssertSame(tree.Root, read.Root, depth);

        Tree changed = read.Copy();
        Inode bottom = Bottom(changed.Root);
        bottom.Add(new FileName("copy"), Inode.File(0x1A4, read.Root.Child(new FileName("link"))!.Content!));
        bottom.Child(new FileName("hole"))!.Content = new MemoryContent("none"u8.ToArray());
        ApplyTests.Mine(changed);
        RootfsWriter.Apply(folder.Path, read, changed);
        AssertSame(changed.Root, RootfsReader.Read(folder.Path).Root, depth);

        RootfsWriter.Apply(folder.Path, changed, ApplyTests.Mine(new Tree()));
        Assert.Empty(Directories.List(Directories.Open(folder.Path)));
    }

    private static Inode Bottom(Inode root)
    {
        Inode at = root;
        while (at.Children.Select(child => child.Value).FirstOrDefault(child => child.IsDirectory) is { } next)
            at = next;
        return at;
    }

    private static void AssertSame(Inode expected, Inode actual, int depth)
    {
        for (int level = 0; level <= depth; level++)
        {
            Assert.Equal(expected.ModificationTime, actual.ModificationTime);
            Assert.Equal(expected.Children.Select(child => child.Key), actual.Children.Select(child => child.Key));
            foreach ((FileName name, Inode inode) in expected.Children)
                if (inode.Content is { } content)
                    Assert.Equal(content.Digest, actual.Child(name)!.Content!.Digest);
            if (level == depth)
                return;
            expected = expected.Children.First(child => child.Value.IsDirectory).Value;
            actual = actual.Children.First(child => child.Value.IsDirectory).Value;
        }
    }
}
