using System.Text;
using Layerbox.Posix;

namespace Layerbox.Tests.Posix;

public class MountsTests
{
    [Theory]
    [InlineData("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw", "/mnt1", "/mnt2", "ext3", "/dev/root")]
    [InlineData("36 35 0:5 / /a rw - tmpfs - rw", "/", "/a", "tmpfs", "-")]
    [InlineData("36 35 0:5 / /a rw shared:1 master:2 propagate_from:3 - btrfs /dev/loop0 rw", "/", "/a", "btrfs", "/dev/loop0")]
    [InlineData(@"36 35 0:5 /r\011t /a\040b\134c\012d rw - fuse x\040y rw", "/r\tt", "/a b\\c\nd", "fuse", "x y")]
    public void Reads_mountinfo(string line, string root, string point, string type, string source)
    {
        Mount mount = Assert.Single(Mounts.Parse(Encoding.UTF8.GetBytes(line + "\n")));
        Assert.Equal((root, point, type, source), (mount.Root, mount.Point, mount.Type, mount.Source));
    }

    [Theory]
    [InlineData("36 35 98:0 /mnt1 /mnt2 rw")]
    [InlineData("36 35 98:0 /mnt1 /mnt2 rw -")]
    [InlineData("36 35 980 /mnt1 /mnt2 rw - ext3 /dev/root rw")]
    public void Refuses_lines_that_are_cut(string line) =>
        Assert.Throws<InvalidDataException>(() => Mounts.Parse(Encoding.UTF8.GetBytes(line)));

    [Fact]
    public void Mounts_and_unmounts_a_path_that_is_not_UTF8()
    {
        Privileged.OrSkip();
        using TempFolder folder = new();
        string point = folder / "a b\uDCFF";
        Directories.MakeAll(point);
        Mounts.Mount("none", point, "tmpfs", MountFlags.MS_NODEV, "size=64k");
        try
        {
            Assert.Equal("tmpfs", Mounts.At(point)?.Type);
            Assert.Equal(64 * 1024, FilesystemStatus.Of(point).Size);
        }
        finally
        {
            Mounts.Unmount(point);
        }
        Assert.Null(Mounts.At(point));
    }
}
