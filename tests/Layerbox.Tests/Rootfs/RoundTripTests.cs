using Layerbox.FileTree;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Rootfs;

public class RoundTripTests
{
    [Fact]
    public void Reads_what_it_wrote()
    {
        Privileged.OrSkip();
        using TempFolder folder = new();
        Tree tree = Samples.Corners();
        RootfsWriter.Apply(folder.Path, RootfsReader.Read(folder.Path), tree);
        TreeLines.AssertEqual(tree, RootfsReader.Read(folder.Path));
    }

    [Fact]
    public void Reads_what_it_wrote_on_btrfs()
    {
        using TempVolume volume = TempVolume.OrSkip();
        Programs.Run("btrfs", "-q", "subvolume", "create", volume / "a");
        Tree tree = Samples.Corners();
        RootfsWriter.Apply(volume / "a", RootfsReader.Read(volume / "a"), tree);
        Tree read = RootfsReader.Read(volume / "a");
        TreeLines.AssertEqual(tree, read);

        Programs.Run("btrfs", "-q", "subvolume", "create", volume / "b");
        RootfsWriter.Apply(volume / "b", RootfsReader.Read(volume / "b"), read, new RootfsWriteOptions { Reflink = Reflink.Always });
        TreeLines.AssertEqual(tree, RootfsReader.Read(volume / "b"));
    }
}
