using Layerbox.Cmd;

namespace Layerbox.Tests.Cmd;

public class ProgressTests
{
    [Theory]
    [InlineData("none", null, "")]
    [InlineData("none", 40, "")]
    [InlineData("auto", null, "import: 50% (1 KiB of 2 KiB)\n")]
    [InlineData("json", null, """
        {"progress":"import","done":1024,"total":2048,"unit":"bytes"}
        {"progress":"import","done":2048,"total":2048,"unit":"bytes"}

        """)]
    [InlineData("auto", 60, "\rimport [############            ] 50% (1 KiB of 2 KiB)\u001b[K\r\u001b[K")]
    [InlineData("auto", 20, "\rimport [###########\u001b[K\r\u001b[K")]
    public void Is_shown_in_the_form_that_fits(string mode, int? columns, string expected)
    {
        Clock clock = new();
        using StringWriter errors = new() { NewLine = "\n" };
        using (Progress progress = Progress.Start(new Streams(Stream.Null, Stream.Null, errors) { Clock = clock, ErrColumns = columns }, mode))
        {
            progress.Report("import", 512, 2048);
            clock.Now += TimeSpan.FromSeconds(6);
            progress.Report("import", 1024, 2048);
            progress.Counter("import", 2048)(2048);
        }
        Assert.Equal(expected, errors.ToString());
    }

    [Fact]
    public void Without_a_total_only_counts()
    {
        Clock clock = new();
        using StringWriter errors = new() { NewLine = "\n" };
        using Progress progress = Progress.Start(new Streams(Stream.Null, Stream.Null, errors) { Clock = clock }, "auto");
        clock.Now += TimeSpan.FromSeconds(6);
        progress.Report("walk", 12, unit: "files");
        Assert.Equal("walk: 12 files\n", errors.ToString());
    }

    [Theory]
    [InlineData(null, "walk: 12 files\n")]
    [InlineData(60, "\rwalk 12 files\u001b[K\r\u001b[K")]
    public void Makes_room_for_what_is_printed(int? columns, string expected)
    {
        Clock clock = new();
        using StringWriter errors = new() { NewLine = "\n" };
        using Progress progress = Progress.Start(new Streams(Stream.Null, Stream.Null, errors) { Clock = clock, ErrColumns = columns }, "auto");
        clock.Now += TimeSpan.FromSeconds(6);
        progress.Report("walk", 12, unit: "files");
        progress.Clear();
        Assert.Equal(expected, errors.ToString());
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
