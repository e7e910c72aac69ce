using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

/// <summary>Trees for the tests of this room.</summary>
internal static class Trees
{
    /// <summary>Every kind of inode, attributes, a hard link, names that are not UTF-8, a hole and a time before 1970.</summary>
    public static Tree OfEverything()
    {
        Tree tree = new();
        tree.Root.ModificationTime = new(1_700_000_000);
        Put(tree, "dev", Inode.Directory(Octal("755")));
        Put(tree, "dev/null", Inode.Device(isBlock: false, Octal("666"), 1, 3));
        Put(tree, "dev/sda", Inode.Device(isBlock: true, Octal("660"), 8, 0)).Gid = 6;
        Put(tree, "dev/pipe", Inode.Fifo(Octal("600")));
        Put(tree, "dev/log", Inode.Socket(Octal("666")));
        Put(tree, "empty", Inode.Directory(Octal("1777")));
        Put(tree, "etc", Inode.Directory(Octal("755")));
        Inode shadow = Put(tree, "etc/shadow", File("root:*\n", "640"));
        (shadow.Gid, shadow.ModificationTime) = (42, new(-1, 500_000_000));
        shadow.MadeBy = "item \"users\"";
        Put(tree, "etc/nothing", File("", "644"));
        Put(tree, "usr", Inode.Directory(Octal("755")));
        Put(tree, "usr/bin", Inode.Directory(Octal("755")));
        Inode sh = Put(tree, "usr/bin/sh", File("#!", "4755"));
        sh.Xattrs = XattrSet.From([new("user.b"u8.ToArray(), [0, 1, 255]), new("security.capability"u8.ToArray(), "cap"u8.ToArray())]);
        Put(tree, "usr/bin/bash", sh);
        Put(tree, "bin", Inode.Symlink("usr/bin"u8.ToArray()));
        tree.Root.Add(new FileName([0xff, (byte)' ', 0xfe]), Inode.Symlink([0xc3, 0x28]));
        Put(tree, "ä \"quoted\" \\ #name\n", File("text", "644"));
        Put(tree, "sparse", Inode.File(Octal("644"), new SparseContent(12288, (0, 4096, false), (4096, 4096, true), (8192, 2048, false), (10240, 2048, false))));
        return tree;
    }

    public static uint Octal(string mode) => Convert.ToUInt32(mode, 8);

    public static Inode File(string text, string mode = "644") => Inode.File(Octal(mode), new MemoryContent(Encoding.UTF8.GetBytes(text)));

    public static Inode Put(Tree tree, string path, Inode inode)
    {
        TreePath at = TreePath.Parse(path);
        Get(tree, at.Parent).Add(at.Name, inode);
        return inode;
    }

    public static Inode Get(Tree tree, string path) => Get(tree, TreePath.Parse(path));

    public static void Remove(Tree tree, string path)
    {
        TreePath at = TreePath.Parse(path);
        Assert.True(Get(tree, at.Parent).Remove(at.Name));
    }

    /// <summary>As many entries as a small distribution, directories of 7 files each, contents with known digests.</summary>
    public static Tree Large(int entries)
    {
        Tree tree = new();
        Inode top = tree.Root, directory = tree.Root;
        for (int i = 0; i < entries; i++)
        {
            if (i % 800 == 0)
                top = Put(tree, $"area{i / 800:d4}", Inode.Directory(Octal("755")));
            else if (i % 8 == 0)
                top.Add(new FileName($"directory-{i:d6}"), directory = Inode.Directory(Octal("755")));
            else
                (i % 800 < 8 ? top : directory).Add(new FileName($"file-{i:d6}.txt"), File($"{i}", "644"));
        }
        return tree;
    }

    private static Inode Get(Tree tree, TreePath path) => tree.Find(path) ?? throw new InvalidOperationException($"{path} is not there");

    /// <summary>Zeros whose layout is given.</summary>
    public sealed class SparseContent(long size, params (long Offset, long Length, bool IsHole)[] extents) : FileContent
    {
        public override long Size => size;
        public override Stream Open() => new MemoryStream(new byte[size], writable: false);
        public override IReadOnlyList<Extent> Extents => [.. extents.Select(e => new Extent(e.Offset, e.Length, e.IsHole))];
    }
}
