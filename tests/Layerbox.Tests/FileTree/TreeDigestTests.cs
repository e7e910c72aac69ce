using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

public class TreeDigestTests
{
    private static string Digest(Tree tree) => Convert.ToHexStringLower(TreeDigest.Compute(tree));

    /// <summary>One change of one field each: what makes another state.</summary>
    public static TheoryData<string, Action<Tree>> Changes => new()
    {
        { "mode", t => Trees.Get(t, "etc/shadow").Mode ^= 1 },
        { "mode of the root", t => t.Root.Mode ^= 1 },
        { "uid", t => Trees.Get(t, "usr").Uid++ },
        { "gid", t => Trees.Get(t, "usr").Gid++ },
        { "seconds", t => Touch(t, new(-2, 500_000_000)) },
        { "nanoseconds", t => Touch(t, new(-1, 500_000_001)) },
        { "content", t => Trees.Get(t, "etc/shadow").Content = new MemoryContent("root:!\n"u8.ToArray()) },
        { "size", t => Trees.Get(t, "etc/shadow").Content = new MemoryContent("root:*\n\n"u8.ToArray()) },
        { "xattr added", t => Trees.Get(t, "usr").Xattrs = Trees.Get(t, "usr").Xattrs.With("user.a"u8.ToArray(), []) },
        { "xattr removed", t => Trees.Get(t, "usr/bin/sh").Xattrs = Trees.Get(t, "usr/bin/sh").Xattrs.Without("user.b"u8.ToArray()) },
        { "xattr value", t => Trees.Get(t, "usr/bin/sh").Xattrs = Trees.Get(t, "usr/bin/sh").Xattrs.With("user.b"u8.ToArray(), [0, 1]) },
        { "xattr bytes moved from value to name", t => Trees.Get(t, "usr/bin/sh").Xattrs = XattrSet.From([new("user.b\0\x01"u8.ToArray(), [255]), new("security.capability"u8.ToArray(), "cap"u8.ToArray())]) },
        { "target", t => Replace(t, "bin", Inode.Symlink("usr/bi"u8.ToArray())) },
        { "major", t => Replace(t, "dev/null", Inode.Device(false, Trees.Octal("666"), 2, 3)) },
        { "minor", t => Replace(t, "dev/null", Inode.Device(false, Trees.Octal("666"), 1, 5)) },
        { "block for character", t => Replace(t, "dev/null", Inode.Device(true, Trees.Octal("666"), 1, 3)) },
        { "FIFO for socket", t => Replace(t, "dev/log", Inode.Fifo(Trees.Octal("666"))) },
        { "directory for file", t => Replace(t, "etc/nothing", Inode.Directory(Trees.Octal("644"))) },
        { "path added", t => Trees.Put(t, "empty/x", Trees.File("")) },
        { "path removed", t => Trees.Remove(t, "empty") },
        { "path renamed", t => { Inode i = Trees.Get(t, "empty"); Trees.Remove(t, "empty"); Trees.Put(t, "emptz", i); } },
        { "link broken into two equal files", t => Replace(t, "usr/bin/sh", Trees.Get(t, "usr/bin/bash").CopyWithoutChildren()) },
    };

    private static void Touch(Tree tree, Timestamp time) => Trees.Get(tree, "etc/shadow").ModificationTime = time;

    private static void Replace(Tree tree, string path, Inode inode)
    {
        Trees.Remove(tree, path);
        Trees.Put(tree, path, inode);
    }

    [Theory, MemberData(nameof(Changes))]
    public void Any_change_of_the_state_changes_it(string what, Action<Tree> change)
    {
        Tree before = Trees.OfEverything(), after = Trees.OfEverything();
        change(after);
        Assert.True(Digest(before) != Digest(after), $"{what} does not enter the digest");
        Assert.NotEmpty(TreeDifference.Compare(before, after));
        Assert.NotEmpty(TreeDifference.Compare(after, before));
    }

    [Fact]
    public void All_changes_lead_to_different_digests()
    {
        HashSet<string> seen = [Digest(Trees.OfEverything())];
        foreach (var row in Changes)
        {
            Tree tree = Trees.OfEverything();
            row.Data.Item2(tree);
            Assert.True(seen.Add(Digest(tree)), row.Data.Item1);
        }
    }

    /// <summary>The digest is written into records that outlive us: this value may change only together with the version tag.</summary>
    [Fact]
    public void Is_what_it_always_was() => Assert.Equal("2bc90acb94daff3bac948afc", Digest(Trees.OfEverything())[..24]);

    [Fact]
    public void Follows_its_documented_encoding()
    {
        Tree tree = new();
        Inode file = Trees.Put(tree, "a", Trees.File("x", "600"));
        file.Xattrs = XattrSet.From([new("user.n"u8.ToArray(), "v"u8.ToArray())]);
        file.ModificationTime = new(-2, 7);
        Trees.Put(tree, "b", file);
        using MemoryStream bytes = new();
        using BinaryWriter to = new(bytes);
        void PutText(string text) { to.Write((uint)text.Length); to.Write(Encoding.ASCII.GetBytes(text)); }
        to.Write("layerbox tree 1\n"u8);
        PutText(""); to.Write((byte)0); to.Write(0x1EDu); to.Write(0u); to.Write(0u); to.Write(0L); to.Write(0u); to.Write(0u);
        PutText("a"); to.Write((byte)1); to.Write(0x180u); to.Write(0u); to.Write(0u); to.Write(-2L); to.Write(7u); to.Write(1u);
        PutText("user.n"); PutText("v");
        to.Write(1UL); to.Write(System.Security.Cryptography.SHA256.HashData("x"u8));
        PutText("b"); to.Write((byte)255); to.Write(1UL);
        to.Write(0xFFFFFFFFu); to.Write(3UL);
        Assert.Equal(System.Security.Cryptography.SHA256.HashData(bytes.ToArray()), TreeDigest.Compute(tree));
    }

    [Fact]
    public void Holes_and_notes_do_not_enter()
    {
        Tree tree = Trees.OfEverything();
        Trees.Get(tree, "sparse").Content = new MemoryContent(new byte[12288]);
        Trees.Get(tree, "etc/shadow").MadeBy = "someone else";
        Assert.Equal(Digest(Trees.OfEverything()), Digest(tree));
        Assert.Empty(TreeDifference.Compare(Trees.OfEverything(), tree));
    }

    [Fact]
    public void The_order_in_which_names_were_added_does_not_matter() =>
        Prop.ForAll<byte[]>(seed =>
        {
            string[] names = [.. seed.Select(b => $"f{b}").Distinct()];
            Tree ordered = new(), shuffled = new();
            foreach (string name in names.Order(StringComparer.Ordinal))
                Trees.Put(ordered, name, Trees.File(name));
            foreach (string name in names)
                Trees.Put(shuffled, name, Trees.File(name));
            return Digest(ordered) == Digest(shuffled);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Contents_larger_than_the_buffer_are_told_apart()
    {
        Tree a = new(), b = new();
        byte[] value = new byte[65536];
        a.Root.Xattrs = a.Root.Xattrs.With("user.x"u8.ToArray(), [.. value]);
        value[65535] = 1;
        b.Root.Xattrs = b.Root.Xattrs.With("user.x"u8.ToArray(), value);
        Assert.NotEqual(Digest(a), Digest(b));
    }
}
