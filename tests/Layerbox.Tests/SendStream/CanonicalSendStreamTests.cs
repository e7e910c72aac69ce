using System.Security.Cryptography;
using Layerbox.FileTree;
using Layerbox.Rootfs;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class CanonicalSendStreamTests
{
    private const string Sample = "mkdir d; mkfile d/b; write d/b 0 hello; set_xattr d/b user.x 1; mkdir d/e; symlink d/l /x; link a d/b; mknod n 20620 259; "
        + "mkfifo p; chmod p 640; chown p 1 2; utimes p 5 6; mkfile z; truncate z 9; set_xattr d system.y 2; utimes d 7 8; chmod - 755";

    private static byte[] Write(Tree tree, uint version = 1, string name = "vol")
    {
        using MemoryStream output = new();
        CanonicalSendStream.Write(output, tree, name, version);
        return output.ToArray();
    }

    private static Tree TreeOf(FileContent content)
    {
        Tree tree = new();
        tree.Root.Add(new FileName("f"), Inode.File(0x1A4, content));
        return tree;
    }

    [Fact]
    public void Commands_come_in_the_documented_order() => Assert.Equal(
        [
            "subvol vol",
            "mkfile a 257", "write a 0+5", "chown a", "chmod a", "set_xattr a user.x", "utimes a",
            "mkdir d 258",
            "link d/b = a",
            "mkdir d/e 259", "chown d/e", "chmod d/e", "utimes d/e",
            "symlink d/l 260", "chown d/l", "utimes d/l",
            "chown d", "chmod d", "set_xattr d system.y", "utimes d",
            "mknod n 261", "chown n", "chmod n", "utimes n",
            "mkfifo p 262", "chown p", "chmod p", "utimes p",
            "mkfile z 263", "truncate z 9", "chown z", "chmod z", "utimes z",
            "chown", "chmod", "utimes",
            "end",
        ], CanonicalText.Describe(Write(StreamScript.Apply(Sample))));

    // The bytes are a promise: whoever pins a layer by the digest of its canonical stream must get the same tomorrow.
    [Theory]
    [InlineData(1, "2205e4b3f6dfc8c4b20a12a600448c5b24dc581b41e2eb8a6a4eb23df240a540")]
    [InlineData(2, "956f6d5382bb2d65df0e02f47feaffe88d65029ac1748da30f9a58546164386f")]
    public void The_bytes_are_the_same_on_any_machine(uint version, string sha256) =>
        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(Write(StreamScript.Apply(Sample), version))));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Applied_again_it_is_the_same_tree(uint version)
    {
        Tree tree = StreamScript.Apply(Sample);
        ReceivedSubvolume received = SendStreamTree.Apply(new MemoryStream(Write(tree, version, "näme")), null, new MemoryContentStore());
        Assert.Equal(TreeDigest.Compute(tree), TreeDigest.Compute(received.Tree));
        Assert.Equal((new FileName("näme"), CanonicalSendStream.UuidOf(tree), 1UL), (received.Name, received.Uuid, received.Ctransid));
    }

    [Theory]
    [InlineData(0, "")]
    [InlineData(1, "truncate f 1")]
    [InlineData(4096, "truncate f 4096")]
    [InlineData(500_000, "truncate f 500000")]
    public void Zeros_are_holes(int size, string commands) => Assert.Equal(commands, DataCommands(new MemoryContent(new byte[size]), version: 1));

    // Sizes in blocks of 4096 bytes and what is in them: z zeros, x something.
    [Theory]
    [InlineData(1, "x", "write f 0+4096")]
    [InlineData(1, "xzx", "write f 0+4096, write f 8192+4096")]
    [InlineData(1, "zxxz", "write f 4096+8192, truncate f 16384")]
    [InlineData(1, "xxxxxxxxxxxxxx", "write f 0+49152, write f 49152+8192")] // 12 blocks a command
    [InlineData(2, "xxxxxxxxxxxxxx", "write f 0+57344")]
    [InlineData(1, "xxxxxxxxxxxzzx", "write f 0+45056, write f 53248+4096")]
    [InlineData(2, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "write f 0+131072, write f 131072+12288")] // 32 blocks a command
    public void Data_is_written_in_runs_of_blocks(uint version, string blocks, string commands) =>
        Assert.Equal(commands, DataCommands(new MemoryContent([.. blocks.SelectMany(b => Enumerable.Repeat((byte)(b == 'z' ? 0 : 1), 4096))]), version));

    private static string DataCommands(FileContent content, uint version) =>
        string.Join(", ", CanonicalText.Describe(Write(TreeOf(content), version)).Where(c => c.StartsWith("write", StringComparison.Ordinal) || c.StartsWith("truncate", StringComparison.Ordinal)));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Where_extents_say_that_holes_are_changes_nothing(int seed)
    {
        Random random = new(seed);
        byte[] bytes = new byte[2_000_000 + random.Next(5000)];
        List<Extent> extents = [];
        for (int at = 0; at < bytes.Length;)
        {
            int length = Math.Min(bytes.Length - at, random.Next(3) == 0 ? 4096 * random.Next(1, 100) : random.Next(1, 300_000));
            bool isHole = random.Next(2) == 0;
            if (!isHole && random.Next(4) != 0) // some data are zeros, too
                random.NextBytes(bytes.AsSpan(at, length));
            extents.Add(new Extent(at, length, isHole));
            at += length;
        }
        foreach (uint version in new uint[] { 1, 2 })
        {
            byte[] plain = Write(TreeOf(new MemoryContent(bytes)), version);
            Assert.Equal(plain, Write(TreeOf(new HoleyContent(bytes, extents)), version));
            Tree again = SendStreamTree.Apply(new MemoryStream(plain), null, new MemoryContentStore()).Tree;
            Assert.Equal(SHA256.HashData(bytes), again.Root.Child(new FileName("f"))!.Content!.Digest);
        }
    }

    [Fact]
    public void Holes_and_the_order_of_making_do_not_show()
    {
        using TempFolder folder = new();
        Programs.Shell($"""
            cd {folder.Path}; mkdir one two; head -c 700001 /dev/urandom > random
            (cat random; head -c 900000 /dev/zero; cat random; head -c 200000 /dev/zero) > full
            cp --sparse=always full one/sparse; cp random one/b; ln one/b one/a; mkdir one/d; touch one/d/1 one/d/2
            mkdir two/d; touch two/d/2 two/d/1; cp random two/a; ln two/a two/b; cp --sparse=never full two/sparse
            find one two -print0 | xargs -0 touch -h -d @7
            """);
        Assert.NotEqual(Programs.Run("stat", "-c", "%b", folder / "one/sparse"), Programs.Run("stat", "-c", "%b", folder / "two/sparse"));
        Assert.Equal(Write(RootfsReader.Read(folder / "one")), Write(RootfsReader.Read(folder / "two")));
    }

    [Fact]
    public void The_uuid_is_valid_and_follows_the_content()
    {
        Tree tree = StreamScript.Apply(Sample);
        Guid uuid = CanonicalSendStream.UuidOf(tree);
        Assert.Equal((8, 8), (uuid.Version, uuid.Variant & 0xC));
        tree.Root.Mode = 0x1FF;
        Assert.NotEqual(uuid, CanonicalSendStream.UuidOf(tree));
    }

    [Fact]
    public void Says_what_a_stream_cannot_say()
    {
        Tree tree = new();
        tree.Root.Add(new FileName("a"), Inode.Device(isBlock: true, 0x180, 4096, 0));
        Assert.Equal("'a': device 4096:0, numbers reach to 4095:1048575", Assert.Throws<InvalidDataException>(() => Write(tree)).Message);

        tree = TreeOf(new MemoryContent([]));
        tree.Root.Child(new FileName("f"))!.Xattrs = XattrSet.Empty.With("user.x"u8.ToArray(), new byte[65536]);
        Assert.Equal("'f': extended attribute 'user.x' of 65536 bytes, a send stream can say 65535", Assert.Throws<InvalidDataException>(() => Write(tree)).Message);

        tree = new();
        Inode at = tree.Root;
        for (int i = 0; i < 2100; i++)
        {
            Inode next = Inode.Directory(0x1ED);
            at.Add(new FileName("d"), next);
            at = next;
        }
        Assert.EndsWith("a path of 4097 bytes, a send stream can say 4095", Assert.Throws<InvalidDataException>(() => Write(tree)).Message, StringComparison.Ordinal);
        Assert.Equal("'a/b' cannot be the name of a file", Assert.Throws<InvalidDataException>(() => Write(new Tree(), name: "a/b")).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => Write(new Tree(), version: 4));
    }

    [Fact]
    public void Says_when_a_content_is_shorter_than_it_said() => Assert.Equal(
        "'f': the content ends at 3, expected 5 bytes",
        Assert.Throws<InvalidDataException>(() => Write(TreeOf(new ShortContent()))).Message);

    private sealed class ShortContent : FileContent
    {
        public override long Size => 5;
        public override Stream Open() => new MemoryStream([1, 2, 3]);
    }
}
