using System.Security.Cryptography;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Rootfs;

public sealed class StagedContentStoreTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static byte[] Bytes(int count, int seed)
    {
        byte[] bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static byte[] ReadAll(FileContent content)
    {
        using Stream stream = content.Open();
        using MemoryStream all = new();
        stream.CopyTo(all);
        return all.ToArray();
    }

    public static TheoryData<string> Ways => ["empty", "small", "small pieces", "large", "grows", "gap", "backwards", "overlap", "cut", "cut and grown", "hole at the end", "cleared"];

    /// <summary>The same calls on the store for memory, which is simple enough to be believed, say what is right.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void Holds_what_was_written(string way)
    {
        using StagedContentStore store = new(_folder.Path);
        FileContent expected = Write(new MemoryContentStore()), content = Write(store);
        Assert.Equal(expected.Size, content.Size);
        Assert.Equal(SHA256.HashData(ReadAll(expected)), content.Digest);
        Assert.Equal(ReadAll(expected), ReadAll(content));
        Assert.Equal(content.Size, content.Extents.Sum(extent => extent.Length));

        FileContent Write(ContentStore target)
        {
            using ContentWriter writer = target.Create();
            switch (way)
            {
                case "small":
                    writer.Write(0, "small"u8);
                    break;
                case "small pieces":
                    for (int i = 0; i < 5000; i++)
                        writer.Write(i * 97, Bytes(97, i));
                    break;
                case "large":
                    writer.Write(0, Bytes(1_000_000, 1));
                    break;
                case "grows":
                    writer.Write(0, Bytes(100, 1));
                    writer.SetSize(200_000);
                    writer.Write(200_000, Bytes(100, 2));
                    break;
                case "gap":
                    writer.Write(0, Bytes(10, 1));
                    writer.Write(1_000_000, Bytes(10, 2));
                    break;
                case "backwards":
                    writer.Write(5000, Bytes(5000, 1));
                    writer.Write(0, Bytes(5000, 2));
                    break;
                case "overlap":
                    writer.Write(0, Bytes(300_000, 1));
                    writer.Write(100_000, Bytes(10, 2));
                    break;
                case "cut":
                    writer.Write(0, Bytes(300_000, 1));
                    writer.SetSize(7);
                    break;
                case "cut and grown":
                    writer.Write(0, Bytes(300_000, 1));
                    writer.SetSize(7);
                    writer.SetSize(9000);
                    writer.Write(8000, "x"u8);
                    break;
                case "hole at the end":
                    writer.Write(0, "x"u8);
                    writer.SetSize(10_000_000);
                    break;
                case "cleared":
                    writer.Write(0, Bytes(300_000, 1));
                    writer.Clear(5, 100);
                    writer.Clear(8192, 200_000);
                    writer.SetSize(1L << 20);
                    writer.Clear(290_000, 500_000);
                    writer.Write(300_000, "x"u8);
                    break;
            }
            return writer.Complete();
        }
    }

    [Fact]
    public void Copies_ranges_of_earlier_contents()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using StagedContentStore store = new(volume.Path);
        byte[] bytes = Bytes(300_000, 1);
        FileContent first = Complete(store, bytes);
        FileContent memory = new MemoryContent(Bytes(9000, 3));
        using ContentWriter writer = store.Create(first);
        writer.CopyFrom(first, 4096, 8192, 400_000 / 4096 * 4096); // shared
        writer.CopyFrom(first, 5, 1000, 17);                       // not on blocks
        writer.CopyFrom(memory, 100, 8000, 500_000);
        byte[] expected = new byte[508_000];
        bytes.CopyTo(expected, 0);
        bytes.AsSpan(4096, 8192).CopyTo(expected.AsSpan(400_000 / 4096 * 4096));
        bytes.AsSpan(5, 1000).CopyTo(expected.AsSpan(17));
        ReadAll(memory).AsSpan(100, 8000).CopyTo(expected.AsSpan(500_000));
        FileContent content = writer.Complete();
        Assert.Equal(expected, ReadAll(content));
        Assert.Equal(SHA256.HashData(expected), content.Digest);
        Assert.Throws<InvalidDataException>(() => store.Create().CopyFrom(first, 299_999, 2, 0));
    }

    [Fact]
    public void Knows_the_digest_of_unchanged_copies()
    {
        using StagedContentStore store = new(_folder.Path);
        FileContent content = Complete(store, Bytes(400_000, 1));
        Assert.Equal(SHA256.HashData(Bytes(400_000, 1)), content.Digest);
        using ContentWriter copy = store.Create(content);
        Assert.True(copy.Complete().HasDigest);
        using ContentWriter changed = store.Create(content);
        changed.Write(0, "x"u8);
        Assert.False(changed.Complete().HasDigest);
    }

    [Fact]
    public void Moves_contents_to_their_places_and_leaves_nothing()
    {
        using TempVolume volume = TempVolume.OrSkip();
        Programs.Run("btrfs", "-q", "subvolume", "create", volume / "a");
        Tree from = RootfsReader.Read(volume / "a"), to = from.Copy();
        byte[] large = Bytes(100_000, 1), other = Bytes(100_000, 2);
        using (StagedContentStore store = new(volume / "a"))
        {
            Inode linked = Inode.File(0x9ED, Complete(store, large)).With(12, 13, new(14, 15), ("security.capability", Samples.Capability));
            to.Add("d/first", linked).Add("second", linked);
            FileContent shared = Complete(store, other);
            to.Add("x/one", Inode.File(0x1A4, shared)).Add("x/two", Inode.File(0x180, shared));
            to.Add("small", Inode.File(0x1A4, Complete(store, "small"u8.ToArray())));
            _ = Complete(store, large); // never used
            store.Create().Write(0, other); // never completed
            Assert.NotEmpty(Directories.List(Directories.Open(volume / "a/.layerbox-stage")));
            RootfsWriter.Apply(volume / "a", from, to);
        }
        TreeLines.AssertEqual(to, RootfsReader.Read(volume / "a"));
        Assert.Equal(from.Root.ModificationTime, RootfsReader.Read(volume / "a").Root.ModificationTime);
        Assert.Equal(large, ReadAll(to.At("second").Content!));
        Assert.Equal(other, ReadAll(to.At("x/two").Content!));

        Tree next = to.Copy();
        using (StagedContentStore store = new(volume / "a"))
        {
            next.At("second").Content = Complete(store, other[..70_000]);  // an inode with two names
            next.At("x/one").Content = Complete(store, large[..50_000]);   // with one
            next.Remove("x/two");
            next.Add("x/three", Inode.File(0x1A4, to.At("d/first").Content!)); // what is about to be overwritten
            RootfsWriter.Apply(volume / "a", to, next);
        }
        TreeLines.AssertEqual(next, RootfsReader.Read(volume / "a"));
        Assert.Equal(large, ReadAll(next.At("x/three").Content!));
        Assert.Equal(other[..70_000], ReadAll(next.At("d/first").Content!));
    }

    [Fact]
    public void Takes_no_group_and_no_ACL_from_the_target()
    {
        Privileged.OrSkip();
        Tree from = new Tree();
        from.Root.With(0, 77, new(5), ("system.posix_acl_default", Samples.Acl));
        from.Root.Mode = 0x5ED; // 02755
        RootfsWriter.Apply(_folder.Path, RootfsReader.Read(_folder.Path), from);
        using StagedContentStore store = new(_folder.Path);
        Tree to = from.Copy();
        to.Add("file", Inode.File(0x1A4, Complete(store, Bytes(100_000, 1))));
        RootfsWriter.Apply(_folder.Path, from, to);
        store.Dispose();
        TreeLines.AssertEqual(to, RootfsReader.Read(_folder.Path));
    }

    [Fact]
    public void Says_when_another_store_is_at_work()
    {
        using StagedContentStore first = new(_folder.Path), second = new(_folder.Path);
        first.Create();
        PosixException e = Assert.Throws<PosixException>(() => second.Create());
        Assert.Equal($"{_folder.Path}/.layerbox-stage: mkdir: File exists", e.Message);
    }

    private static FileContent Complete(StagedContentStore store, byte[] bytes)
    {
        using ContentWriter writer = store.Create();
        writer.Write(0, bytes);
        return writer.Complete();
    }
}
