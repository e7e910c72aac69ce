using System.Security.Cryptography;
using Layerbox.FileTree;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class CanonicalIncrementTests
{
    private const string Block = "x*4096";

    /// <summary>The commands between the first and the root's times, which every incremental stream has.</summary>
    private static string Commands(Tree parent, Tree tree, uint version = 1)
    {
        byte[] stream = CanonicalText.Write(parent, tree, version);
        List<string> lines = CanonicalText.Describe(stream);
        Assert.Equal(("snapshot vol", "end"), (lines[0], lines[^1]));
        Assert.Equal(TreeDigest.Compute(tree), TreeDigest.Compute(CanonicalText.Apply(stream, parent)));
        string text = string.Join(", ", lines[1..^1]);
        return text.EndsWith("utimes", StringComparison.Ordinal) ? text[..^"utimes".Length].TrimEnd(' ', ',') : text;
    }

    [Theory]
    [InlineData("mkfile a; write a 0 x; mkdir d", "mkfile a; write a 0 x; mkdir d", "")] // nothing
    [InlineData("mkfile a", "", "unlink a")]
    [InlineData("mkdir d; mkdir d/e; mkfile d/e/f; mkfile d/g", "", "unlink d/e/f, rmdir d/e, unlink d/g, rmdir d")]
    [InlineData("", "mkdir d; mkfile d/a", "mkdir d 257, mkfile d/a 258, chown d/a, chmod d/a, utimes d/a, chown d, chmod d, utimes d")]
    [InlineData("mkdir d", "mkdir d; mkfile d/a", "mkfile d/a 258, chown d/a, chmod d/a, utimes d/a, utimes d")] // the directory's time comes back
    [InlineData("mkdir d; mkfile d/a", "mkdir d", "unlink d/a, utimes d")]
    [InlineData("mkfile a", "mkdir a; mkfile a/b", "unlink a, mkdir a 258, mkfile a/b 259, chown a/b, chmod a/b, utimes a/b, chown a, chmod a, utimes a")]
    [InlineData("mkdir a; mkfile a/b", "mkfile a", "unlink a/b, rmdir a, mkfile a 259, chown a, chmod a, utimes a")]
    [InlineData("symlink a /x", "symlink a /y", "unlink a, symlink a 258, chown a, utimes a")]
    [InlineData("symlink a /x", "symlink a /x; chown a 1 1; utimes a 5", "chown a, utimes a")]
    [InlineData("mknod a 20600 259", "mknod a 20600 260", "unlink a, mknod a 258, chown a, chmod a, utimes a")]
    [InlineData("mkdir a; mkdir a/b; mkfile a/b/f", "mkdir b; mkdir b/a; mkfile b/f", // moved into its former child
        "unlink a/b/f, rmdir a/b, rmdir a, mkdir b 260, mkdir b/a 261, chown b/a, chmod b/a, utimes b/a, mkfile b/f 262, chown b/f, chmod b/f, utimes b/f, chown b, chmod b, utimes b")]
    public void Names_are_taken_away_and_made(string from, string to, string commands) => Assert.Equal(commands, Commands(StreamScript.Apply(from), StreamScript.Apply(to)));

    [Theory]
    [InlineData("chmod a 755", "chmod a")]
    [InlineData("utimes a 9", "utimes a")]
    [InlineData("chown a 0 1", "chown a, chmod a, set_xattr a security.capability")] // which the new owner has lost
    [InlineData("set_xattr a user.b 2", "set_xattr a user.b")]
    [InlineData("set_xattr a user.c 2", "set_xattr a user.c")]
    [InlineData("remove_xattr a user.b", "remove_xattr a user.b")]
    [InlineData("remove_xattr a security.capability; write a 0 y", "remove_xattr a security.capability, write a 0+1, chmod a, utimes a")] // before it is lost
    [InlineData("write a 0 y", "write a 0+1, chmod a, set_xattr a security.capability, utimes a")]
    [InlineData("truncate a 0", "truncate a 0, chmod a, set_xattr a security.capability, utimes a")]
    public void Attributes_come_where_they_differ_or_were_lost(string change, string commands)
    {
        const string Start = "mkfile a; write a 0 x; chmod a 4711; set_xattr a security.capability 1; set_xattr a user.b 1; utimes a 7";
        Assert.Equal(commands, Commands(StreamScript.Apply(Start), StreamScript.Apply($"{Start}; {change}")));
    }

    // What would be handed down to new files is taken away before the first, and comes back at the end.
    [Theory]
    [InlineData("", "mkfile d/a; mkfile d/b",
        "remove_xattr d btrfs.compression, remove_xattr d system.posix_acl_default, mkfile d/a 258, chown d/a, chmod d/a, utimes d/a, "
        + "mkfile d/b 259, chown d/b, chmod d/b, utimes d/b, set_xattr d btrfs.compression, set_xattr d system.posix_acl_default, utimes d")]
    [InlineData("", "remove_xattr d system.posix_acl_default; mkfile d/a",
        "remove_xattr d btrfs.compression, remove_xattr d system.posix_acl_default, mkfile d/a 258, chown d/a, chmod d/a, utimes d/a, set_xattr d btrfs.compression, utimes d")]
    [InlineData("mkfile d/a", "link d/b d/a", "link d/b = d/a, utimes d")] // nothing is handed down to what exists
    [InlineData("mkfile d/a", "unlink d/a", "unlink d/a, utimes d")]
    public void What_a_directory_hands_down_is_not_handed_down(string start, string change, string commands)
    {
        string from = $"mkdir d; set_xattr d system.posix_acl_default 1; set_xattr d btrfs.compression zstd; set_xattr d user.x 1; {start}";
        Assert.Equal(commands, Commands(StreamScript.Apply(from), StreamScript.Apply($"{from}; {change}")));
    }

    [Theory]
    [InlineData("mkfile a; link b a", "mkfile a; mkfile b", "unlink b, mkfile b 258, chown b, chmod b, utimes b")] // split
    [InlineData("mkfile a; mkfile b", "mkfile a; link b a", "unlink b, link b = a")] // joined
    [InlineData("mkfile b; link c b", "mkfile a; link c a", "link a = c, unlink b")] // through the name that stays
    [InlineData("mkfile b; link c b", "mkfile a; link c a; write a 0 z", "link a = c, unlink b, write c 0+1, chmod c, utimes c")]
    [InlineData("mkfile a; link b a; mkfile c; link d c", "mkfile a; link c a; mkfile b; link d b",
        "unlink b, link b = d, unlink c, link c = a")] // crossed: a stays with the first, d with the second
    public void Hard_links_are_regrouped(string from, string to, string commands) => Assert.Equal(commands, Commands(StreamScript.Apply(from), StreamScript.Apply(to)));

    [Theory]
    [InlineData($"mkfile a; write a 0 {Block}", $"mkfile b; write b 0 {Block}", "unlink a, mkfile b 258, clone b 0+4096 = parent a@0, chown b, chmod b, utimes b")] // renamed
    [InlineData("mkfile a; write a 0 x*4095", "mkfile b; write b 0 x*4095", "unlink a, mkfile b 258, write b 0+4095, chown b, chmod b, utimes b")] // not worth it
    [InlineData("mkfile a; write a 0 x*5000; mkfile b; write b 0 y*6000", "mkfile a; write a 0 y*6000; mkfile b; write b 0 x*5000",
        "clone a 0+6000 = parent b@0, chmod a, utimes a, truncate b 5000, clone b 0+5000 = parent a@0, chmod b, utimes b")] // swapped
    [InlineData("mkdir d; mkfile d/b; write d/b 0 x*5000; mkfile c; write c 0 x*5000", "mkfile e; write e 0 x*5000",
        "unlink c, unlink d/b, rmdir d, mkfile e 260, clone e 0+5000 = parent c@0, chown e, chmod e, utimes e")] // from the first in canonical order
    public void What_the_parent_has_is_cloned(string from, string to, string commands) => Assert.Equal(commands, Commands(StreamScript.Apply(from), StreamScript.Apply(to)));

    // Blocks of 4096 bytes: z zeros, a letter those; 2, X and Z are short ones for the end.
    [Theory]
    [InlineData(1, "xyx", "xxx", "write f 4096+4096")]
    [InlineData(1, "xyx", "xzx", "write f 4096+4096")]
    [InlineData(2, "xyx", "xzx", "fallocate f 4096+4096")]
    [InlineData(2, "xxyyxx", "xxzyzx", "fallocate f 8192+4096, fallocate f 16384+4096")]
    [InlineData(2, "xyyx", "xzxx", "fallocate f 4096+4096, write f 8192+4096")]
    [InlineData(1, "xy2", "xz2", "write f 4096+4096")]
    [InlineData(2, "xy2", "xzZ", "fallocate f 4096+8192")] // whole blocks, although the file ends in the middle
    [InlineData(1, "xzx", "xx", "truncate f 8192, write f 4096+4096")]
    [InlineData(1, "xxx", "xx", "truncate f 8192")]
    [InlineData(1, "xxx", "xX", "truncate f 6096")]
    [InlineData(1, "xxx", "x2", "truncate f 6096, write f 4096+2000")]
    [InlineData(1, "x2", "xxx", "write f 4096+8192")]
    [InlineData(1, "x", "xzz", "truncate f 12288")]
    [InlineData(1, "x2", "xzz", "write f 4096+4096, truncate f 12288")]
    [InlineData(2, "x2", "xzz", "fallocate f 4096+4096, truncate f 12288")]
    [InlineData(1, "", "zzx", "write f 8192+4096")]
    [InlineData(1, "xxxxxxxxxxxxxxx", "yxxxxxxxxxyyyyx", "write f 0+4096, write f 40960+8192, write f 49152+8192")] // cut at multiples of 12 blocks
    [InlineData(2, "xxxxxxxxxxxxxxx", "yxxxxxxxxxyyyyx", "write f 0+4096, write f 40960+16384")]
    [InlineData(2, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy", "xzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzy", "fallocate f 4096+159744")] // over chunks
    public void Blocks_that_differ_are_written(uint version, string from, string to, string commands)
    {
        string all = Commands(TreeOf(from), TreeOf(to), version);
        Assert.Equal($"{commands}, chmod f, utimes f", all);
    }

    private static Tree TreeOf(string blocks) => TreeOf(new MemoryContent([.. blocks.SelectMany(b => b switch
    {
        'z' => new byte[4096],
        'Z' => new byte[2000],
        '2' or 'X' => [.. Enumerable.Repeat((byte)char.ToLowerInvariant(b), 2000)],
        _ => Enumerable.Repeat((byte)b, 4096),
    })]));

    private static Tree TreeOf(FileContent content)
    {
        Tree tree = new();
        tree.Root.Add(new FileName("f"), Inode.File(0x1A4, content));
        return tree;
    }

    [Fact]
    public void The_parent_is_named_as_its_own_stream_names_it()
    {
        Tree first = StreamScript.Apply("mkfile a"), second = StreamScript.Apply("mkfile b"), third = StreamScript.Apply("mkfile a; mkfile c");
        using MemoryStream chain = new([.. CanonicalText.Write(null, first), .. CanonicalText.Write(first, second, 2), .. CanonicalText.Write(second, third)]);
        IReadOnlyList<ReceivedSubvolume> received = SendStreamTree.ApplyAll(chain, known: null, new MemoryContentStore());
        Assert.Equal([null, CanonicalSendStream.UuidOf(first), CanonicalSendStream.UuidOf(second)], received.Select(r => r.ParentUuid));
        Assert.Equal(TreeDigest.Compute(third), TreeDigest.Compute(received[2].Tree));
    }

    [Fact]
    public void The_parent_may_have_another_uuid_at_the_receiver()
    {
        Tree first = StreamScript.Apply("mkfile a; write a 0 x*5000"), second = StreamScript.Apply("mkfile b; write b 0 x*5000");
        Guid uuid = Guid.NewGuid();
        byte[] stream = CanonicalText.Write(second, new CanonicalSendOptions { Parent = first, ParentUuid = uuid, ParentTransid = 77 });
        ReceivedSubvolume received = SendStreamTree.ApplyAll(new MemoryStream(stream), asked => asked == uuid ? first : null, new MemoryContentStore())[0];
        Assert.Equal((uuid, CanonicalSendStream.UuidOf(second)), (received.ParentUuid, received.Uuid));
        Assert.Equal(TreeDigest.Compute(second), TreeDigest.Compute(received.Tree));
    }

    [Fact]
    public void Where_extents_say_that_holes_are_changes_nothing()
    {
        Random random = new(1);
        byte[] before = new byte[3_000_000], after = new byte[2_900_000];
        List<Extent> beforeExtents = [], afterExtents = [];
        foreach ((byte[] bytes, List<Extent> extents) in new[] { (before, beforeExtents), (after, afterExtents) })
            for (int at = 0, i = 0; at < bytes.Length; at += (int)extents[^1].Length, i++)
            {
                extents.Add(new Extent(at, Math.Min(bytes.Length - at, random.Next(1, 400_000)), IsHole: i % 2 == 0));
                if (i % 2 == 1)
                    random.NextBytes(bytes.AsSpan(at, (int)extents[^1].Length));
            }
        foreach (uint version in new uint[] { 1, 2 })
        {
            Tree parent = TreeOf(new MemoryContent(before)), tree = TreeOf(new MemoryContent(after));
            byte[] plain = CanonicalText.Write(parent, tree, version);
            Assert.Equal(TreeDigest.Compute(tree), TreeDigest.Compute(CanonicalText.Apply(plain, parent)));
            Assert.Equal(plain, CanonicalText.Write(TreeOf(new HoleyContent(before, beforeExtents)), TreeOf(new HoleyContent(after, afterExtents)), version));
        }
    }

    // The bytes are a promise, as those of full streams are.
    [Theory]
    [InlineData(1, "fce027ff7894d3d8b37d8a65e8041136")]
    [InlineData(2, "bd71995be42b7d66745624f5494f6803")]
    public void The_bytes_are_the_same_on_any_machine(uint version, string startOfSha256)
    {
        Tree parent = StreamScript.Apply("mkdir d; mkfile d/a; write d/a 0 x*9000; mkfile b; write b 0 y*20000; mkfile c; link e c; symlink l x; mkdir gone; mkfile gone/f");
        Tree tree = StreamScript.Apply("mkdir d; mkfile d/m; write d/m 0 x*9000; mkfile b; write b 0 y*20000; write b 5000 z; truncate b 30000; mkfile c; mkfile e; mkdir l; utimes - 5");
        Assert.StartsWith(startOfSha256, Convert.ToHexStringLower(SHA256.HashData(CanonicalText.Write(parent, tree, version))), StringComparison.Ordinal);
    }
}
