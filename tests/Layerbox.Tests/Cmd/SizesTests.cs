using Layerbox.Cmd;

namespace Layerbox.Tests.Cmd;

public class SizesTests
{
    [Theory]
    [InlineData("0", 0L)]
    [InlineData("4096", 4096L)]
    [InlineData("1k", 1024L)]
    [InlineData("3M", 3L << 20)]
    [InlineData("10G", 10L << 30)]
    [InlineData("2T", 2L << 40)]
    [InlineData("8191P", 8191L << 50)]
    [InlineData("8192P", null)]
    [InlineData("9223372036854775808", null)]
    [InlineData("", null)]
    [InlineData("G", null)]
    [InlineData("-1", null)]
    [InlineData("1.5G", null)]
    [InlineData(" 1", null)]
    [InlineData("1GB", null)]
    public void Reads_sizes_as_people_write_them(string text, long? bytes) => Assert.Equal(bytes, Sizes.Parse(text));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1023, "1023")]
    [InlineData(1536, "1.5K")]
    [InlineData(20L << 30, "20G")]
    public void Prints_sizes_for_people(long bytes, string text) => Assert.Equal(text, Sizes.Format((ulong)bytes));
}
