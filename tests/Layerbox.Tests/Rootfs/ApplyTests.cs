using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Rootfs;

/// <summary>A directory is brought from one state to another, and nothing else about it changes.</summary>
public class ApplyTests
{
    public static TheoryData<string> ChangeNames => [.. Changes.Keys];

    private static readonly Dictionary<string, Action<Tree>> Changes = new()
    {
        ["nothing"] = _ => { },
        ["all removed"] = tree =>
        {
            foreach (FileName name in tree.Root.Children.Select(child => child.Key).ToList())
                tree.Root.Remove(name);
        },
        ["file becomes directory"] = tree => Replace(tree, "usr/empty", Inode.Directory(0x1C0)).Add(new FileName("x"), Samples.File("x")),
        ["directory becomes file"] = tree => Replace(tree, "usr/bin", Samples.File("was a directory")),
        ["directory becomes link"] = tree => Replace(tree, "usr/bin", Inode.Symlink("bin"u8.ToArray())),
        ["link becomes directory"] = tree => Replace(tree, "links/absolute", Inode.Directory(0x1C0)).Add(new FileName("passwd"), Samples.File("x")),
        ["link becomes file"] = tree => Replace(tree, "links/absolute", Samples.File("x")),
        ["link gets another target"] = tree => Replace(tree, "links/absolute", Inode.Symlink("/usr"u8.ToArray())),
        ["file becomes fifo"] = tree => Replace(tree, "usr/large", Inode.Fifo(0x1B6)),
        ["device gets another number"] = tree => Replace(tree, "dev/null", Inode.Device(isBlock: false, 0x1B6, 1, 5)),
        ["device becomes block"] = tree => Replace(tree, "dev/null", Inode.Device(isBlock: true, 0x1B6, 1, 3)),
        ["content shorter"] = tree => tree.At("usr/large").Content = new MemoryContent("short"u8.ToArray()),
        ["content longer"] = tree => tree.At("usr/empty").Content = new MemoryContent(new byte[200_000]),
        ["content of what has a capability"] = tree => tree.At("usr/bin/ping").Content = new MemoryContent("PING"u8.ToArray()),
        ["content of all names of an inode"] = tree => tree.At("third").Content = new MemoryContent("other"u8.ToArray()),
        ["owner of what is setuid and has a capability"] = tree => tree.At("usr/bin/ping").Uid = 99,
        ["group of what is setgid"] = tree => tree.At("usr/bin/setgid").Gid = 99,
        ["mode of what has an ACL"] = tree => tree.At("var/acl/own").Mode = 0x1A0 | 0x800,
        ["mode and owner of a directory"] = tree => (tree.At("var/mail").Mode, tree.At("var/mail").Uid) = (0x1F8, 5),
        ["owner of a link"] = tree => tree.At("links/dangling").Gid = 5,
        ["time of a link"] = tree => tree.At("links/dangling").ModificationTime = new(-1_000_000, 3),
        ["time of a directory"] = tree => tree.At("usr").ModificationTime = new(1, 2),
        ["time of the root"] = tree => tree.Root.ModificationTime = new(1, 2),
        ["attributes of the root"] = tree => tree.Root.Xattrs = tree.Root.Xattrs.With("user.r"u8.ToArray(), [1]),
        ["attribute added"] = tree => tree.At("usr").Xattrs = tree.At("usr").Xattrs.With("user.new"u8.ToArray(), new byte[3000]),
        ["attribute changed"] = tree => tree.At("var/acl").Xattrs = tree.At("var/acl").Xattrs.With("user.dir"u8.ToArray(), [2]),
        ["attributes removed"] = tree => tree.At("usr/bin/ping").Xattrs = XattrSet.Empty,
        ["default ACL removed"] = tree => tree.At("var/acl").Xattrs = XattrSet.Empty,
        ["new entries under a default ACL"] = tree => tree.Add("var/acl/new/dir/file", Samples.File("x")).Add("var/acl/fifo", Inode.Fifo(0x1A4)),
        ["new entries under a setgid directory"] = tree => tree.Add("var/mail/new/dir/file", Samples.File("x")).Add("var/mail/fifo", Inode.Fifo(0x1A4)),
        ["first name of an inode removed"] = tree => tree.Remove("a/first"),
        ["last name of an inode removed"] = tree => tree.Remove("z/deep"),
        ["one name more"] = tree => tree.Add("b/fourth", tree.At("third")),
        ["a name in a new directory before all others"] = tree => tree.Add("A/new", tree.At("third")),
        ["names part"] = tree =>
        {
            Inode apart = Replace(tree, "a/first", tree.At("a/first").CopyWithoutChildren());
            apart.Mode = 0x180;
        },
        ["all names part"] = tree =>
        {
            Replace(tree, "third", tree.At("third").CopyWithoutChildren());
            Replace(tree, "a/first", tree.At("a/first").CopyWithoutChildren());
            Replace(tree, "z/deep/er/second", tree.At("z/deep/er/second").CopyWithoutChildren());
        },
        ["files become one"] = tree => Replace(tree, "usr/bin/setgid", tree.At("usr/empty")),
        ["links to a link and to a device"] = tree => tree.Add("n/link", tree.At("links/bytes")).Add("n/null", tree.At("dev/null")),
        ["another inode takes all names but one"] = tree =>
        {
            Inode other = Samples.File("linked").With(1, 1, new(1));
            Replace(tree, "a/first", other);
            Replace(tree, "third", other);
            tree.Add("0", tree.At("z/deep/er/second"));
        },
        ["contents swapped"] = tree =>
            (tree.At("usr/large").Content, tree.At("usr/bin/ping").Content) = (tree.At("usr/bin/ping").Content, tree.At("usr/large").Content),
        ["file moved"] = tree =>
        {
            Inode moved = tree.At("usr/large");
            tree.Remove("usr/large");
            tree.Add("zz/large", moved);
        },
        ["file moved and copied, and its place taken"] = tree =>
        {
            Inode moved = Replace(tree, "usr/large", tree.At("usr/bin/ping").CopyWithoutChildren(), out Inode large);
            moved.Mode = 0x1A4;
            tree.Add("aa/large", large).Add("zz/large", large.CopyWithoutChildren());
        },
        ["directory moved"] = tree =>
        {
            Inode moved = tree.At("var");
            tree.Remove("var");
            tree.Add("usr/var", moved);
        },
        ["inside of a closed directory"] = tree => tree.At("closed/inside").Content = new MemoryContent("y"u8.ToArray()),
    };

    [Theory]
    [MemberData(nameof(ChangeNames))]
    public void Makes_what_differs(string change)
    {
        Privileged.OrSkip();
        using TempFolder folder = new();
        RootfsWriter.Apply(folder.Path, RootfsReader.Read(folder.Path), Samples.Corners());
        Tree from = RootfsReader.Read(folder.Path);
        Tree to = from.Copy();
        Changes[change](to);
        List<string> expected = TreeLines.Of(to.Copy()); // a copy counts names anew: those in removed directories are still counted

        RootfsWriter.Apply(folder.Path, from, to);

        Assert.Equal(expected, TreeLines.Of(RootfsReader.Read(folder.Path)));
        Assert.Equal(expected, TreeLines.Of(to.Copy())); // contents that lay in the folder are still found
        foreach ((_, Inode inode) in to.Walk())
            if (inode.Content is { Size: > 0 } content)
                Assert.Equal(content.Digest, System.Security.Cryptography.SHA256.HashData(content.Open()));
    }

    [Fact]
    public void Changes_step_by_step_on_btrfs()
    {
        using TempVolume volume = TempVolume.OrSkip();
        Programs.Run("btrfs", "-q", "subvolume", "create", volume / "0");
        RootfsWriter.Apply(volume / "0", RootfsReader.Read(volume / "0"), Samples.Corners());
        int step = 0;
        foreach ((string name, Action<Tree> change) in Changes)
        {
            Programs.Run("btrfs", "-q", "subvolume", "snapshot", volume / "0", volume / $"{++step}");
            Tree from = RootfsReader.Read(volume / "0");
            Tree to = from.Copy();
            change(to);
            RootfsWriter.Apply(volume / $"{step}", from, to, new RootfsWriteOptions { Reflink = Reflink.Always });
            Assert.True(TreeLines.Of(to.Copy()).SequenceEqual(TreeLines.Of(RootfsReader.Read(volume / $"{step}"))), name);
        }
    }

    [Fact]
    public void Touches_nothing_that_stays()
    {
        Privileged.OrSkip();
        using TempFolder folder = new();
        RootfsWriter.Apply(folder.Path, RootfsReader.Read(folder.Path), Samples.Corners());
        string before = ChangeTimes(folder);
        Thread.Sleep(20); // the clock of times of change ticks every few milliseconds
        Tree from = RootfsReader.Read(folder.Path);
        Tree to = from.Copy();
        to.At("usr/bin/setgid").Content = new MemoryContent("y"u8.ToArray());
        to.Add("var/tmp/new", Samples.File("new"));
        RootfsWriter.Apply(folder.Path, from, to);
        IEnumerable<string> changed = ChangeTimes(folder).Split('\0').Except(before.Split('\0')).Select(line => line.Split(' ')[0]);
        Assert.Equal(["usr/bin/setgid", "var/tmp", "var/tmp/new"], changed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Counts_what_it_did()
    {
        using TempFolder folder = new();
        List<RootfsProgress> progress = [];
        Tree to = Mine(new Tree().Add("a/b", Samples.File("four")).Add("c", Inode.Symlink([1])));
        RootfsWriter.Apply(folder.Path, RootfsReader.Read(folder.Path), to, new RootfsWriteOptions { Progress = progress.Add });
        Assert.Equal(new RootfsProgress(4, 4), progress[^1]); // the link, the file, its directory and the root
    }

    [Fact]
    public void Writes_what_no_umask_and_no_missing_permission_of_ours_changes()
    {
        using TempFolder folder = new();
        Tree to = Mine(new Tree().Add("closed/sub/file", Samples.File("one", 0x124 /* 0444 */)));
        to.At("closed").Mode = to.At("closed/sub").Mode = 0x140; // 0500
        RootfsWriter.Apply(folder.Path, RootfsReader.Read(folder.Path), to);
        Tree next = to.Copy();
        next.At("closed/sub/file").Content = new MemoryContent("two"u8.ToArray());
        next.At("closed/sub/file").Xattrs = next.At("closed/sub/file").Xattrs.With("user.x"u8.ToArray(), [1]);
        next.Add("closed/sub/more", Samples.File("more").With(Directories.EffectiveUid, Directories.EffectiveGid));
        RootfsWriter.Apply(folder.Path, to, next);
        TreeLines.AssertEqual(next, RootfsReader.Read(folder.Path));
        Tree last = next.Copy();
        last.Remove("closed");
        RootfsWriter.Apply(folder.Path, next, last);
        TreeLines.AssertEqual(last, RootfsReader.Read(folder.Path));
    }

    /// <summary>The same tree with our own ids, which it takes no privilege to write.</summary>
    internal static Tree Mine(Tree tree)
    {
        foreach ((_, Inode inode) in tree.Walk())
            (inode.Uid, inode.Gid) = (Directories.EffectiveUid, Directories.EffectiveGid);
        return tree;
    }

    private static string ChangeTimes(TempFolder folder) => Programs.Run("find", folder.Path, "-printf", @"%P %C@\0");

    private static Inode Replace(Tree tree, string path, Inode by) => Replace(tree, path, by, out _);

    private static Inode Replace(Tree tree, string path, Inode by, out Inode old)
    {
        old = tree.At(path);
        tree.Remove(path);
        tree.Add(path, by);
        return by;
    }
}
