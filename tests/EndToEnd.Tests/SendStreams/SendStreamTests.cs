namespace Layerbox.Tests.EndToEnd;

/// <summary>What the tools make of the kernel's send-streams, compared with what other programs know of them by scripts/check-sendstreams.</summary>
public class SendStreamTests(SendStreamCorpus corpus) : IClassFixture<SendStreamCorpus>
{
    // Ends of chains, of each kind.
    private const string Chains = "back-v1,clonesource-v1,several-mixed", Compressed = "zstd-step-v2,zlib-step-v2,lzo-step-v2", Plain = "big-v2,tiny-step-v1";
    private const string All = "";

    [Theory]
    [InlineData("copy", All)]
    [InlineData("text", All)]
    [InlineData("tree", All)]
    [InlineData("tar", $"{Chains},{Compressed},{Plain}")]
    [InlineData("apply", $"{Chains},{Compressed},{Plain}")]
    public void Agrees_with_other_programs(string check, string streams) => AssertAgrees(check, streams);

    [Theory]
    [InlineData("plain", $"{Chains},{Compressed},{Plain}")]
    [InlineData("proto_1", Chains)]
    [InlineData("proto_2", $"{Chains},tiny-step-v1")]
    [InlineData("zstd", $"{Chains},lzo-step-v2,big-v2")]
    [InlineData("zlib", $"{Chains},zstd-step-v2,big-v2")]
    [InlineData("none", Compressed)]
    [InlineData("normalised", "clonesource-v1,several-mixed,lzo-step-v2,tiny-step-v1")]
    [InlineData("repaired", "root-restarted")]
    [InlineData("canonical", $"{Chains},{Plain}")]
    [InlineData("canonical_step", $"{Chains},tiny-step-v1")]
    public void Is_received_by_btrfs(string check, string streams) => AssertAgrees(check, streams);

    [Theory]
    [InlineData("plain")]
    [InlineData("tar")]
    [InlineData("apply")]
    public void Differences_are_seen(string check)
    {
        using TempFolder other = new();
        Programs.Shell($"""
            ln -s '{corpus.PathOrSkip()}'/*.stream '{other.Path}'
            grep '^tiny-v1' '{corpus.PathOrSkip()}/list' > '{other / "list"}'
            sed '5s/"sec":/"sec":1/' '{corpus.PathOrSkip()}/tiny.0.tree' > '{other / "tiny.0.tree"}'
            """);
        (int status, string output, _) = Run(check, "", other.Path);
        Assert.Equal(1, status);
        Assert.StartsWith($"FAILED {check} tiny-v1\n", output, StringComparison.Ordinal);
    }

    private static (int Status, string Out, string Err) Run(string check, string options, string folder) => Executable.Shell($"""
        export LAYERBOX_BIN="$L"
        '{Repository.PathOf("scripts", "check-sendstreams")}' {options} '{folder}' {check}
        """);

    private void AssertAgrees(string check, string streams)
    {
        (int status, string output, string errors) = Run(check, streams == All ? "" : $"--streams {streams}", corpus.PathOrSkip());
        Assert.True(status == 0, output + errors);
        int compared = output.Split('\n').Count(line => line.StartsWith($"ok {check} ", StringComparison.Ordinal));
        Assert.True(streams == All ? compared > 20 : compared == streams.Split(',').Length, output);
    }
}
