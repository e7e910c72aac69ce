using Layerbox.FileTree;
using Layerbox.Rootfs;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

/// <summary>What is written anew, received by btrfs receive and compared with the subvolume that was sent.</summary>
public class RewriteKernelTests
{
    // Compresses, in pieces that are no whole sectors, and shrinks later: all that an encoded write must get right.
    private const string Compressible = """
        seq 60000 > long; seq 700 > short; seq 9 > tiny; seq 20000 > cut; head -c 500000 long > holes; fallocate -p -o 131072 -l 131072 holes; seq 30000 > grown
        """;

    private const string Changes = """
        truncate -s 5001 cut; seq 8000 >> grown; dd if=long of=holes bs=1 seek=4097 count=9001 conv=notrunc status=none; fallocate -p -o 8192 -l 40960 long; seq 5 9999 > new; rm tiny
        """;

    private static readonly TreeFilter s_filter = new([], [new("inv"u8), new("**/f*"u8), new("d?ep"u8)]);

    private static string Rewrite(TempFolder folder, string stream, RewriteOptions options)
    {
        string result = folder / "rewritten";
        using FileStream input = File.OpenRead(folder / stream), output = File.Create(result);
        using SendStreamRewriter rewriter = new(output, options);
        rewriter.Rewrite(new SendStreamReader(input));
        rewriter.Complete();
        return result;
    }

    private static void AssertSame(Tree expected, string folder)
    {
        Tree found = RootfsReader.Read(folder);
        found.Root.ModificationTime = expected.Root.ModificationTime; // receivers leave it wrong (btrfs-progs #461)
        Assert.Equal("", TreeDifferenceText.Render(TreeDifference.Compare(expected, found)));
    }

    private static void Receive(string stream, string into)
    {
        Directory.CreateDirectory(into);
        Programs.Run("btrfs", "-q", "receive", "-f", stream, into);
    }

    [Fact]
    public void Rewritten_streams_are_received_as_the_same_tree()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using TempFolder folder = new();
        KernelStreamTests.Begin(volume);
        KernelStreamTests.Change(volume, KernelStreamTests.FirstState + "\n" + Compressible, "first");
        KernelStreamTests.Change(volume, KernelStreamTests.SecondState + "\n" + Changes, "second");
        Tree first = RootfsReader.Read(volume / "first"), second = RootfsReader.Read(volume / "second");
        foreach (string version in new[] { "1", "2" })
        {
            Programs.Run("btrfs", "-q", "send", "--proto", version, "-f", folder / $"full{version}", volume / "first");
            Programs.Run("btrfs", "-q", "send", "--proto", version, "-f", folder / $"changes{version}", "-p", volume / "first", volume / "second");
        }
        RewriteOptions[] ways =
        [
            new() { Version = 2 },
            new() { Version = 1 },
            new() { Compression = WriteCompression.Zstd },
            new() { Compression = WriteCompression.Zlib, Level = 1 },
            new() { JoinWrites = true },
        ];
        for (int i = 0; i < ways.Length; i++)
        {
            // Under a new identity, so that the receiver cannot take the subvolume that was sent for the parent.
            Guid full = Guid.NewGuid();
            string from = ways[i].Version == 1 ? "2" : "1", into = volume / $"way{i}";
            Receive(Rewrite(folder, $"full{from}", ways[i] with { Identity = new(new FileName("a"), full) }), into);
            AssertSame(first, into + "/a");
            Receive(Rewrite(folder, $"changes{from}", ways[i] with { Identity = new(new FileName("b"), Guid.NewGuid(), full) }), into);
            AssertSame(second, into + "/b");
        }
        // Through the model: canonical, and without some paths.
        foreach ((string way, string[] options) in new (string, string[])[] { ("normal", ["--normalise", "--proto", "2"]), ("filtered", ["--exclude", "inv", "--exclude", "**/f*", "--exclude", "d?ep"]) })
        {
            Tools.Run(["sendstream-rewrite", folder / "full1", folder / "changes2", "--output", folder / way, .. options]).AssertSucceeded();
            Receive(folder / way, volume / way);
            foreach ((string name, Tree tree) in new[] { ("first", first), ("second", second) })
                AssertSame(way == "normal" ? tree : s_filter.Apply(tree), volume / $"{way}/{name}");
        }
        // The kernel took the compressed extents as they were.
        string mapped = Programs.Shell($"sync -f {volume.Path}; filefrag -v {volume / "way2/a/long"} | grep -c encoded");
        Assert.NotEqual("0", mapped.Trim());
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("lzo")]
    public void Compressed_streams_are_decoded_and_compressed_anew(string algorithm)
    {
        using TempVolume volume = TempVolume.OrSkip();
        using TempFolder folder = new();
        Programs.Run("mount", "-o", $"remount,compress-force={algorithm}", volume.Path);
        Programs.Run("btrfs", "-q", "subvolume", "create", volume / "work");
        KernelStreamTests.Change(volume, Compressible + "\nsync -f .; dd if=/dev/urandom of=long bs=4096 count=1 seek=10 conv=notrunc status=none; sync -f .; cp --reflink=always long clone", "first");
        KernelStreamTests.Change(volume, Changes, "second");
        Tree first = RootfsReader.Read(volume / "first"), second = RootfsReader.Read(volume / "second");
        Programs.Run("btrfs", "-q", "send", "--compressed-data", "-f", folder / "full", volume / "first");
        Programs.Run("btrfs", "-q", "send", "--compressed-data", "-f", folder / "changes", "-p", volume / "first", volume / "second");
        RewriteOptions[] ways = [new() { Version = 1 }, new() { Compression = WriteCompression.None }, new() { Compression = WriteCompression.Zstd, Level = 9 }];
        for (int i = 0; i < ways.Length; i++)
        {
            Guid full = Guid.NewGuid();
            string into = volume / $"way{i}";
            Receive(Rewrite(folder, "full", ways[i] with { Identity = new(new FileName("a"), full) }), into);
            AssertSame(first, into + "/a");
            Receive(Rewrite(folder, "changes", ways[i] with { Identity = new(new FileName("b"), Guid.NewGuid(), full) }), into);
            AssertSame(second, into + "/b");
        }
    }

    [Fact]
    public void Owners_and_times_are_changed_as_asked()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using TempFolder folder = new();
        Programs.Run("btrfs", "-q", "subvolume", "create", volume / "work");
        KernelStreamTests.Change(volume, "echo a > a; chown 5:6 a; setfacl -m u:5:r,g:6:w,u:7:x a; chmod 4750 a; touch -d @2000000000 a; echo b > b; touch -d @5 b; mkdir d; setfacl -d -m u:5:rwx d", "first");
        Programs.Run("btrfs", "-q", "send", "-f", folder / "full", volume / "first");
        RewriteOptions options = new() { Users = new([new(0, 100_000, 6)]), Groups = new([new(6, 60, 1)]), LatestTime = new(1_000_000_000) };
        Receive(Rewrite(folder, "full", options), volume / "to");
        Assert.Equal(
            "a 100005:60 4750 1000000000\nb 100000:0 644 5\n",
            Programs.Shell($"cd {volume / "to/first"}; stat -c '%n %u:%g %a %Y' a b"));
        Assert.Equal(
            "group:60:-w-\nuser:100005:r--\nuser:7:--x\nuser:100005:rwx\n",
            Programs.Shell($"cd {volume / "to/first"}; getfacl -cn --no-effective a | grep :[0-9] | sort; getfacl -dcn d | grep :[0-9]"));
    }
}
