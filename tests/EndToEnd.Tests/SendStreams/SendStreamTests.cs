namespace Layerbox.Tests.EndToEnd;

/// <summary>What the tools make of the kernel's send-streams, compared with what other programs know of them by scripts/check-sendstreams.</summary>
public class SendStreamTests(SendStreamCorpus corpus) : IClassFixture<SendStreamCorpus>
{
    /// <summary>Checks that take every stream by itself, or need the tree after every step.</summary>
    [Theory]
    [InlineData("plain")]
    public void Agrees_with_other_programs_on_every_stream(string check) => AssertAgrees(check);

    private void AssertAgrees(string check, string streams = "")
    {
        (int status, string output, string errors) = Executable.Shell($"""
            export LAYERBOX_BIN="$L"
            '{Repository.PathOf("scripts", "check-sendstreams")}' {(streams.Length == 0 ? "" : $"--streams {streams}")} '{corpus.PathOrSkip()}' {check}
            """);
        Assert.True(status == 0, output + errors);
        Assert.Contains($"ok {check} ", output, StringComparison.Ordinal);
    }
}
