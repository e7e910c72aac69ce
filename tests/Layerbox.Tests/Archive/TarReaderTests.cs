using Layerbox.Archive;
using Layerbox.FileTree;

namespace Layerbox.Tests.Archive;

public sealed class TarReaderTests
{
    [Theory]
    [InlineData("plain", "tar --format=v7")]
    [InlineData("plain nodes split", "tar --format=ustar")]
    [InlineData("plain nodes split long ids old", "tar --format=oldgnu")]
    [InlineData("plain nodes split long ids old", "tar --format=gnu")]
    [InlineData("plain nodes split long ids old fine fineold", "tar --format=pax")]
    [InlineData("plain nodes split long ids old fine fineold xattrs oddxattrs", "tar --format=pax --xattrs --xattrs-include=*")]
    [InlineData("plain xattrs acls", "tar --format=pax --acls --xattrs --xattrs-include=* --numeric-owner")]
    [InlineData("plain holes", "tar --format=gnu --sparse")]
    [InlineData("plain holes", "tar --format=oldgnu --sparse")]
    [InlineData("plain long holes", "tar --format=pax --sparse --sparse-version=0.0")]
    [InlineData("plain long holes", "tar --format=pax --sparse --sparse-version=0.1")]
    [InlineData("plain long holes", "tar --format=pax --sparse --sparse-version=1.0")]
    [InlineData("plain nodes split", "bsdtar --format=ustar")]
    [InlineData("plain nodes split long ids old fine xattrs oddxattrs acls", "bsdtar --format=pax --xattrs --acls")]
    [InlineData("plain nodes split ids", "bsdtar --format=gnutar")]
    public void Reads_what_real_tars_write(string corners, string command)
    {
        string[] words = command.Split(' ');
        Oracles.OrSkip(words[0]);
        using TempFolder folder = new();
        string tree = Corners.Make(folder, corners);
        Programs.Run(words[0], [.. words[1..], "-cf", folder / "a.tar", "-C", tree, "."]);
        using FileStream archive = File.OpenRead(folder / "a.tar");
        Corners.AssertEqual(tree, TarTree.Read(archive, new MemoryContentStore()));
    }
}
