using Layerbox.Cmd;

namespace Layerbox.Tests.Cmd;

public class QuantityTests
{
    [Theory]
    [InlineData("0", 0L)]
    [InlineData("4096", 4096L)]
    [InlineData("1k", 1024L)]
    [InlineData("3M", 3L << 20)]
    [InlineData("10G", 10L << 30)]
    [InlineData("8388607T", 8388607L << 40)]
    public void Reads_sizes_as_people_write_them(string text, long bytes) => Assert.Equal(bytes, Quantity.Bytes(text, "--size"));

    [Theory]
    [InlineData("8388608T")]
    [InlineData("9223372036854775808")]
    [InlineData("")]
    [InlineData("G")]
    [InlineData("-1")]
    [InlineData("1.5G")]
    [InlineData(" 1")]
    [InlineData("1GB")]
    public void Refuses_what_is_no_size(string text) =>
        Assert.Equal(
            $"--size: expected a size such as 4096, 500M or 100G, found '{text}'",
            Assert.Throws<UsageException>(() => Quantity.Bytes(text, "--size")).Message);

    [Theory]
    [InlineData("0", 0)]
    [InlineData("90", 90)]
    [InlineData("90s", 90)]
    [InlineData("10m", 600)]
    [InlineData("12h", 12 * 3600)]
    [InlineData("36500d", 36500L * 24 * 3600)]
    public void Reads_durations_as_people_write_them(string text, long seconds) => Assert.Equal(seconds, Quantity.Duration(text, "--grace").TotalSeconds);

    [Theory]
    [InlineData("99999999999999999999")]
    [InlineData("")]
    [InlineData("m")]
    [InlineData("-1")]
    [InlineData("1.5h")]
    [InlineData("10min")]
    public void Refuses_what_is_no_duration(string text) =>
        Assert.Equal(
            $"--grace: expected a duration such as 90s, 10m, 12h or 7d, found '{text}'",
            Assert.Throws<UsageException>(() => Quantity.Duration(text, "--grace")).Message);

    [Fact]
    public void Says_of_a_duration_that_it_is_too_long() =>
        Assert.Equal("--grace: '36501d' is longer than a hundred years", Assert.Throws<UsageException>(() => Quantity.Duration("36501d", "--grace")).Message);
}
