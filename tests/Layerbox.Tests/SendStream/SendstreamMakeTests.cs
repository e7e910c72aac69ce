using Layerbox.FileTree;
using Layerbox.Rootfs;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class SendstreamMakeTests
{
    [Theory]
    [InlineData("--parent-uuid and --parent-transid go with --parent", "--canonical", "--parent-transid", "3", ".")]
    [InlineData("--reflinks, --parent-uuid and --parent-transid go with --canonical", "--reflinks", ".")]
    [InlineData("--reflinks, --parent-uuid and --parent-transid go with --canonical", "--parent", ".", "--parent-transid", "3", ".")]
    [InlineData("--canonical writes data from the files: --clone-source, --compressed and --no-data do not go with it", "--canonical", "--no-data", ".")]
    [InlineData("option '--parent-uuid': 'x' is not a uuid", "--canonical", "--parent", ".", "--parent-uuid", "x", ".")]
    [InlineData("/etc/passwd: neither a folder nor the handle of a layer: --canonical takes send-streams, too", "/etc/passwd")]
    [InlineData("/proc: subvolume send: not on btrfs: --canonical takes any folder", "/proc")]
    [InlineData("/nonexistent: open: No such file or directory", "--canonical", "/nonexistent")]
    public void Says_what_is_wrong(string error, params string[] args)
    {
        Tools.Result result = Tools.Run(["sendstream-make", .. args]);
        Assert.Equal((2, "", $"sendstream-make: {error}"), (result.Status, result.Out, result.FirstErrorLine));
    }

    // The same states from folders, and from streams of them, plain and compressed.
    [Fact]
    public void Trees_are_the_same_wherever_they_are_read()
    {
        using TempFolder folder = new();
        Programs.Shell($$"""
            cd {{folder.Path}}; mkdir old $'new\xff'; seq 9000 | tee old/a > $'new\xff/b'; mkdir old/d; echo x > old/d/f; ln old/d/f old/d/g; seq 9000 | sed 500s/5/6/ > $'new\xff/a'
            find . -print0 | xargs -0 touch -h -d @7
            """);
        byte[] Make(params string[] args) => Tools.Run(["sendstream-make", "--canonical", .. args]).AssertSucceeded().Bytes;
        string old = folder / "old", @new = folder / "new\udcff";
        byte[] expected = Make("--parent", old, @new);
        File.WriteAllBytes(folder / "old.stream", Make(old));
        File.WriteAllBytes(folder / "new.stream", Make(@new));
        Programs.Shell($"cd {folder.Path}; zstd -q old.stream");
        Assert.Equal(expected, Make("--parent", folder / "old.stream.zst", @new));
        Assert.Equal(expected, Make("--parent", old, folder / "new.stream"));
        Assert.Equal(expected, Make("--parent", old, "--reflinks", folder / "new.stream"));
        Assert.Equal(File.ReadAllBytes(folder / "old.stream"), Make(folder / "old.stream"));
        File.WriteAllBytes(folder / "step.stream", expected);
        Assert.Equal(expected, Make("--parent", folder / "old.stream", folder / "step.stream"));

        ReceivedSubvolume[] received = [.. SendStreamTree.ApplyAll(new MemoryStream([.. File.ReadAllBytes(folder / "old.stream"), .. expected]), known: null, new MemoryContentStore())];
        Assert.Equal([(byte)'n', (byte)'e', (byte)'w', 0xff], received[1].Name.Bytes.ToArray());
        Assert.Empty(TreeDifference.Compare(RootfsReader.Read(@new), received[1].Tree));
    }
}
