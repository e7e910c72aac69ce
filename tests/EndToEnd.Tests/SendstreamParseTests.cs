namespace Layerbox.Tests.EndToEnd;

/// <summary>sendstream-parse from a shell.</summary>
public class SendstreamParseTests
{
    // Enough lines that they do not fit into a pipe.
    private const string Tree = "mkdir tree; for i in {1..500}; do echo $i > tree/file-$i; done; touch -d @1700000000.5 tree/*; touch -d @1688888888 tree/file-1 tree; \"$L\" sendstream-make --canonical tree > stream; ";

    [Theory]
    [InlineData("a reader that went away ends it as SIGPIPE would", "\"$L\" sendstream-parse stream | head -n 1 > /dev/null; exit ${PIPESTATUS[0]}", 141, "", "")]
    [InlineData("a full disk is an error", "\"$L\" sendstream-parse --format text stream > /dev/full", 2, "", "sendstream-parse: standard output: write: No space left on device\n")]
    [InlineData("also for the last few bytes", "\"$L\" sendstream-parse --format stat stream > /dev/full", 2, "", "sendstream-parse: standard output: write: No space left on device\n")]
    [InlineData("a file cut while it is read from a pipe says where", "head -c 1000 stream | \"$L\" sendstream-parse --format text - > /dev/null", 2, "", "sendstream-parse: standard input: offset 987: command 23 (write): cut: 3 of 32 bytes\n")]
    [InlineData("all ways of reading give the same", "\"$L\" sendstream-parse stream > a; \"$L\" sendstream-parse --mapped stream | cmp a && \"$L\" sendstream-parse --threads 2 < stream | cmp a && gzip < stream | \"$L\" sendstream-parse | cmp a", 0, "", "")]
    public void Keeps_the_contract(string what, string script, int status, string output, string errors)
    {
        Assert.NotEmpty(what);
        using TempFolder folder = new();
        Assert.Equal((status, output, errors), Executable.Shell(Tree + script, folder.Path));
    }

    [Theory]
    [InlineData("UTC")]
    [InlineData("America/New_York")]
    [InlineData("EST5EDT,M3.2.0,M11.1.0")]
    public void Text_is_that_of_btrfs_in_any_time_zone(string zone)
    {
        using TempFolder folder = new();
        Assert.Equal((0, "", ""), Executable.Shell($"{Tree} export TZ={zone}; btrfs receive --dump -f stream > theirs; \"$L\" sendstream-parse --format text stream | cmp theirs", folder.Path));
    }

    [Fact]
    public void Memory_does_not_grow_with_the_stream()
    {
        Executable.PublishedOrSkip();
        using TempFolder folder = new();
        // The end of the file is kept back, so that the peak can be read while it still runs.
        (int status, string output, string errors) = Executable.Shell(
            """
            mkdir tree; head -c 64M /dev/urandom > tree/big; "$L" sendstream-make --canonical tree > stream; mkfifo pipe
            for format in json text stat; do
              "$L" sendstream-parse --format $format pipe > out & pid=$!
              exec 3> pipe; cat stream >&3; sleep 0.2; sed -n 's/^VmHWM:\s*\([0-9]*\) kB/\1/p' /proc/$pid/status; exec 3>&-; wait $pid || exit
            done
            """, folder.Path);
        Assert.Equal((0, ""), (status, errors));
        Assert.All(output.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.InRange(int.Parse(line, System.Globalization.CultureInfo.InvariantCulture), 1, 16 << 10));
        Assert.Equal(3, output.Count(c => c == '\n'));
    }
}
