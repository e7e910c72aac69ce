using Layerbox.Tests.SendStream;

namespace Layerbox.Tests.Cmd;

public class SendstreamParseTests
{
    private static readonly byte[] s_stream = StreamScript.Make("subvol vol; mkfile a; write a 0 xyz; end");

    [Theory]
    [InlineData("{\"op\":\"stream\",\"offset\":0,\"version\":1}")]
    [InlineData("subvol          ./vol                           uuid=11111111-1111-1111-1111-111111111111 transid=7", "--format", "text")]
    [InlineData("{\"bytes\":137,\"commands\":4,", "--format", "stat")]
    public void Says_what_is_in_a_stream(string start, params string[] args)
    {
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "plain", s_stream);
        Programs.Shell($"zstd -q < {folder / "plain"} > {folder / "zstd"}; xz < {folder / "plain"} > {folder / "xz"}");
        string piped = Tools.RunWithInput(s_stream, ["sendstream-parse", .. args]).AssertSucceeded().Out;
        Assert.StartsWith(start, piped, StringComparison.Ordinal);
        foreach (string[] way in new string[][] { ["plain"], ["zstd"], ["xz"], ["plain", "--mapped"], ["plain", "--threads", "2"], ["plain", "--no-verify"] })
            Assert.Equal(piped, Tools.Run(["sendstream-parse", folder / way[0], .. way[1..], .. args]).AssertSucceeded().Out);
    }

    [Theory]
    [InlineData("sendstream-parse: standard input: no regular file, which cannot be mapped: leave --mapped and --threads out", "--mapped")]
    [InlineData("sendstream-parse: standard input: no regular file, which cannot be mapped: leave --mapped and --threads out", "--threads", "2")]
    [InlineData("sendstream-parse: --threads: 0 is not between 1 and 64", "--threads", "0")]
    [InlineData("sendstream-parse: --data does not go with --format text", "--data", "--format", "text")]
    [InlineData("sendstream-parse: --depth: expected 1 or more", "--format", "stat", "--depth", "0")]
    [InlineData("sendstream-parse: standard input: offset 17: command 1 (subvol): says 39 bytes, more than the limit of 38: --max-command accepts longer ones", "--max-command", "38")]
    [InlineData("sendstream-parse: --max-file: expected a size such as 4096, 500M or 100G, found 'x'", "--max-file", "x")]
    public void Says_why_it_failed(string error, params string[] args)
    {
        Tools.Result result = Tools.RunWithInput(s_stream, ["sendstream-parse", .. args]);
        Assert.Equal((2, error), (result.Status, result.FirstErrorLine));
    }

    [Fact]
    public void Says_in_which_file_and_where_after_what_was_good()
    {
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "cut", s_stream[..^1]);
        Tools.Result result = Tools.Run("sendstream-parse", "--format", "text", folder / "cut");
        Assert.Equal((2, 3), (result.Status, result.Out.Count(c => c == '\n')));
        Assert.Equal($"sendstream-parse: {folder / "cut"}: offset 127: command 4: its header is cut: 9 bytes, expected 10", result.FirstErrorLine);
    }

    [Fact]
    public void A_newer_stream_is_taken_when_it_is_allowed()
    {
        byte[] stream = SendStreamReaderTests.WithUnknown();
        Assert.EndsWith("command 2 (kind 99): no such command is known: --allow-unknown accepts it", Tools.RunWithInput(stream, "sendstream-parse").FirstErrorLine, StringComparison.Ordinal);
        Assert.Contains("\"kind\":99", Tools.RunWithInput(stream, "sendstream-parse", "--allow-unknown").AssertSucceeded().Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--format", "text")]
    [InlineData("--format", "stat")]
    [InlineData("--format", "tree")]
    [InlineData("--format", "changes")]
    [InlineData("--cat", "a")]
    public void Says_how_far_it_is(params string[] args)
    {
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "stream", s_stream);
        foreach (string[] more in new string[][] { [], ["--mapped"] })
        {
            Tools.Result result = Tools.Run(["sendstream-parse", "--progress", "json", .. args, .. more, folder / "stream"]).AssertSucceeded();
            Assert.StartsWith("""{"progress":"reading","done":""", result.Err, StringComparison.Ordinal);
            Assert.Contains(@",""total"":137,""unit"":""bytes""}", result.Err, StringComparison.Ordinal);
        }
        Assert.Equal("", Tools.Run(["sendstream-parse", .. args, folder / "stream"]).AssertSucceeded().Err);
    }
}
