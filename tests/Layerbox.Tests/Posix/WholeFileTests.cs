using System.Text;
using Layerbox.Posix;

namespace Layerbox.Tests.Posix;

public class WholeFileTests
{
    [Fact]
    public void Writes_and_reads_a_file_and_leaves_no_other()
    {
        using TempFolder folder = new();
        WholeFile.Write(folder / "a", "one"u8);
        WholeFile.Write(folder / "a", "two"u8);
        Assert.Equal("two", Encoding.UTF8.GetString(WholeFile.Read(folder / "a")));
        Assert.Equal([folder / "a"], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Leaves_an_old_file_alone_when_told_or_when_it_fails()
    {
        using TempFolder folder = new();
        WholeFile.Write(folder / "a", "one"u8);
        Assert.Equal(Errno.EEXIST, Assert.Throws<PosixException>(() => WholeFile.Write(folder / "a", "two"u8, replace: false)).Errno);
        Directory.CreateDirectory(folder / "d");
        Assert.Equal(Errno.EISDIR, Assert.Throws<PosixException>(() => WholeFile.Write(folder / "d", "two"u8)).Errno);
        Assert.Equal("one", File.ReadAllText(folder / "a"));
        Assert.Equal(2, Directory.GetFileSystemEntries(folder.Path).Length);
    }

    [Fact]
    public void Refuses_what_is_larger_than_makes_sense()
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "a", "12345");
        Assert.Equal(5, WholeFile.Read(folder / "a", 5).Length);
        Assert.Throws<InvalidDataException>(() => WholeFile.Read(folder / "a", 4));
    }

    [Fact]
    public void A_real_path_has_no_links_but_may_end_in_a_name_that_is_not_there()
    {
        using TempFolder folder = new();
        Directory.CreateDirectory(folder / "d");
        File.CreateSymbolicLink(folder / "l", folder / "d");
        Assert.Equal(folder / "d", RealPath.Of(folder / "l"));
        Assert.Equal(folder / "d/x", RealPath.OfName(folder / "l/../l/x"));
        Assert.Equal(folder / "l", RealPath.OfName(folder / "l/"));
        Assert.Equal("/x", RealPath.OfName("/x"));
        Assert.Throws<PosixException>(() => RealPath.OfName(folder / ".."));
    }

    [Theory]
    [InlineData("/proc/nope/a/b", Errno.ENOENT)]
    [InlineData("/dev/null/a/b", Errno.ENOTDIR)]
    [InlineData("/dev/null", Errno.EEXIST)]
    public void Says_why_folders_cannot_be_made(string path, Errno errno) =>
        Assert.Equal(errno, Assert.Throws<PosixException>(() => Directories.MakeAll(path)).Errno);
}
