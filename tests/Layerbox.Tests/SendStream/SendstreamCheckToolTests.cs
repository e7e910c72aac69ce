using System.Text.Json;
using Layerbox.SendStream;
using static Layerbox.Tests.SendStream.RawStream;

namespace Layerbox.Tests.SendStream;

/// <summary>sendstream-check, from the outside.</summary>
public sealed class SendstreamCheckToolTests : IDisposable
{
    private readonly StreamFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void Says_nothing_of_good_streams()
    {
        Assert.Equal("", Tools.Run("sendstream-check", _files / "full").AssertSucceeded().Out);
        Assert.Equal("", Tools.Run("sendstream-check", _files / "full", _files / "changes").AssertSucceeded().Out);
        Assert.Equal("", Tools.RunWithInput(File.ReadAllBytes(_files / "full"), "sendstream-check").AssertSucceeded().Out);
        Programs.Shell($"zstd -q {_files / "full"}; gzip -k {_files / "full"}");
        Assert.Equal("", Tools.Run("sendstream-check", _files / "full.zst").AssertSucceeded().Out);
        Assert.Equal("", Tools.Run("sendstream-check", _files / "full.gz").AssertSucceeded().Out);
    }

    [Theory]
    [InlineData("gzip -c", "gz")]
    [InlineData("zstd -qc", "zst")]
    [InlineData("xz -c", "xz")]
    [InlineData("bzip2 -c", "bz2")]
    public void What_cannot_be_decompressed_is_told_with_its_path_and_the_next_is_checked(string compress, string suffix)
    {
        Programs.Shell($"{compress} {_files / "full"} > {_files / "whole"}; head -c 100 {_files / "whole"} > {_files / "cut"}.{suffix}");
        File.WriteAllBytes(_files / "bad", Stream(1, Subvol, Mkfile("\xff"), End));
        Tools.Result result = Tools.Run("sendstream-check", $"{_files / "cut"}.{suffix}", _files / "bad");
        Assert.Equal(2, result.Status);
        Assert.StartsWith($"sendstream-check: {_files / "cut"}.{suffix}: ", result.FirstErrorLine, StringComparison.Ordinal);
        Assert.Contains("name_not_utf8", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_finding_is_a_line_of_json_and_the_answer_no()
    {
        File.WriteAllBytes(_files / "bad", Stream(1, Subvol, Symlink("l", "/etc"), Write("l/passwd", 0, [1]), Mkfile("\xff"), Command((SendCommandKind)99), End));
        (int status, string output, string errors) = Of(Tools.Run("sendstream-check", _files / "bad"));
        Assert.Equal((1, ""), (status, errors));
        string file = _files / "bad";
        Assert.Equal(
            $$"""
            {"code":"through_symlink","severity":"error","file":"{{file}}","offset":101,"index":3,"op":"write","path":"l/passwd","message":"'l/passwd': 'l' is a symlink, which is not followed, expected a directory"}
            {"code":"name_not_utf8","severity":"audit","file":"{{file}}","offset":140,"index":4,"op":"mkfile","path_b64":"/w==","message":"'\\xff': the name is not UTF-8"}
            {"code":"command_unknown","severity":"error","file":"{{file}}","offset":167,"index":5,"message":"no such command is known"}

            """, output);
        Assert.Equal((0, "", ""), Of(Tools.Run("sendstream-check", "--allow", "through_symlink", "--allow", "name_not_utf8", "--allow", "command_unknown", _files / "bad")));
    }

    [Fact]
    public void The_audit_can_be_left_out()
    {
        string file = _files.Make("setuid", "subvol vol; mkfile su; chmod su 4755; end");
        Assert.Equal(["setuid"], Codes(Tools.Run("sendstream-check", file)));
        Assert.Equal((0, "", ""), Of(Tools.Run("sendstream-check", "--no-audit", file)));
        Assert.Equal((0, "", ""), Of(Tools.Run("sendstream-check", "--frames-only", file)));
    }

    [Fact]
    public void What_cannot_be_read_is_trouble_and_the_other_files_are_checked()
    {
        (int status, string output, string errors) = Of(Tools.Run("sendstream-check", _files / "none", _files / "changes"));
        Assert.Equal((2, $"sendstream-check: {_files / "none"}: open: No such file or directory\n"), (status, errors));
        Assert.Contains("\"code\":\"parent_unknown\"", output, StringComparison.Ordinal);
        File.WriteAllBytes(_files / "cut.gz", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0]);
        Assert.Equal(2, Tools.Run("sendstream-check", _files / "cut.gz").Status);
    }

    [Fact]
    public void Findings_end_where_enough_is_said()
    {
        string file = _files.Make("many", $"subvol vol; {string.Concat(Enumerable.Repeat("mkfile ..; ", 2000))} end");
        (int status, string output, string errors) = Of(Tools.Run("sendstream-check", "--max-findings", "3", file));
        Assert.Equal((1, 3, $"sendstream-check: {file}: 3 findings, the rest is not looked at (--max-findings)\n"), (status, output.Count(c => c == '\n'), errors));
        Assert.Equal(1000, Tools.Run("sendstream-check", file).Out.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("standard input can be read once only", "-", "-")]
    [InlineData("--max-findings: expected 1 or more", "--max-findings", "0")]
    public void Says_what_makes_no_sense(string error, params string[] args) =>
        Assert.Equal((2, "", $"sendstream-check: {error}\nTry 'sendstream-check --help' for more information.\n"), Of(Tools.Run(["sendstream-check", .. args])));

    [Fact]
    public void Codes_that_there_are_not_cannot_be_allowed() =>
        Assert.Equal(
            (2, "", "sendstream-check: --allow: 'nonsense' is no code of a finding\nTry 'sendstream-check --help' for more information.\n"),
            Of(Tools.Run("sendstream-check", "--allow", "nonsense", _files / "full")));

    private static (int, string, string) Of(Tools.Result run) => (run.Status, run.Out, run.Err);

    private static IEnumerable<string> Codes(Tools.Result run) =>
        run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("code").GetString()!);
}
