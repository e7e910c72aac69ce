using Layerbox.Cmd;
using Layerbox.Posix;

namespace Layerbox.Tests.Cmd;

public class DispatcherTests
{
    [Theory]
    [InlineData("path=a", "a")]
    [InlineData("path=say", "say")]
    [InlineData("path=@x", "@x")]
    [InlineData("path=/h", "/h")]
    [InlineData("path=-", "-")]
    [InlineData("path=--json", "--", "--json")]
    [InlineData("path=a more=--", "--", "a", "--")]
    [InlineData("path=a more=true json", "--json", "a", "true")]
    [InlineData("path=true json", "-j", "true")]
    [InlineData("path=a json size=3", "-js3", "a")]
    [InlineData("path=a json", "-j", "-j", "a")]
    [InlineData("path=a more=b more=c source=x source=y", "a", "--source", "x", "b", "--source=y", "c")]
    [InlineData("path=a size=-5", "--size", "-5", "a")]
    [InlineData("path=a format=json", "a", "--format=json")]
    [InlineData("path=[suggest]", "[suggest]")]
    public void Hands_over_what_was_given(string said, params string[] args)
    {
        Assert.Equal((0, said + "\n", ""), SampleTools.Run(["say", .. args]));
    }

    [Theory]
    [InlineData("say: missing argument 'path'", "say")]
    [InlineData("say: unknown option '--jsn'", "say", "--jsn", "x")]
    [InlineData("say: unknown option '--jsn'", "say", "--jsn=3", "x")]
    [InlineData("say: unknown option '-x'", "say", "x", "-x")]
    [InlineData("say: option '--parent' needs a value", "say", "x", "--parent")]
    [InlineData("say: option '--size' is given more than once", "say", "x", "--size", "1", "-s", "2")]
    [InlineData("say: option '--size': 'many' is not a whole number in range", "say", "x", "--size", "many")]
    [InlineData("say: option '--size': '99999999999999999999' is not a whole number in range", "say", "x", "--size", "99999999999999999999")]
    [InlineData("say: option '--format': 'it's' is not one of json, text", "say", "x", "--format", "it's")]
    [InlineData("fail: missing option '--needed'", "fail", "x")]
    [InlineData("fail: unexpected argument 'y'", "fail", "x", "y", "--needed", "z")]
    [InlineData("fail: unexpected argument 'y'", "fail", "--needed", "z", "--", "x", "y")]
    [InlineData("repo: missing command: one of list, sync", "repo")]
    [InlineData("repo: 'lits' is not one of list, sync", "repo", "lits")]
    [InlineData("repo: missing argument 'name'", "repo", "list")]
    [InlineData("repo: unknown option '--x'", "repo", "list", "--x")]
    [InlineData("fail: that makes no sense", "fail", "usage", "--needed", "z")]
    [InlineData("layerbox: unknown option '--lst'", "--lst")]
    [InlineData("layerbox: option '--completion': 'tcsh' is not one of bash, fish, zsh", "--completion", "tcsh")]
    [InlineData("layerbox: nope: no such tool; see 'layerbox --list'", "--man", "nope")]
    [InlineData("layerbox: give a tool or one option; 'layerbox --list' names the tools")]
    [InlineData("layerbox: give a tool or one option; 'layerbox --list' names the tools", "--list", "--version")]
    public void Says_what_is_wrong_with_the_usage_in_one_line_and_a_hint(string error, params string[] args)
    {
        (int status, string _, string errors) = SampleTools.Run(args);
        Assert.Equal((2, $"{error}\nTry '{error.Split(':')[0]}--help' for more information.\n".Replace("--help", " --help", StringComparison.Ordinal)), (status, errors));
    }

    [Theory]
    [InlineData(2, "fail: /nope: open: No such file or directory\n", "posix")]
    [InlineData(2, "fail: offset 3: found\\x0awhat was not expected\n", "format")]
    [InlineData(2, "fail: pipe to tar: write: Broken pipe\n", "otherpipe")]
    [InlineData(143, "", "interrupt")]
    public void Turns_exceptions_into_one_line_and_a_status_after_what_was_printed(int status, string error, string how)
    {
        Assert.Equal((status, "before\n", error), SampleTools.Run("fail", how, "--needed", "x"));
    }

    [Fact]
    public void Calls_a_bug_a_bug()
    {
        (int status, string _, string errors) = SampleTools.Run("fail", "otherwise", "--needed", "x");
        Assert.Equal(70, status);
        Assert.StartsWith("fail: internal error: InvalidOperationException: nobody foresaw this\n   at Layerbox.", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Dies_of_a_reader_that_went_away_without_a_word()
    {
        (int status, string _, string errors) = SampleTools.Run("fail", "pipe", "--needed", "x");
        Assert.Equal((141, ""), (status, errors));
    }

    [Fact]
    public void Says_so_when_standard_output_is_full()
    {
        using FdStream full = new(Files.Open("/dev/full", OpenFlags.WriteOnly), FdStream.StandardOutput.Name);
        Assert.Equal((2, "", "say: standard output: write: No space left on device\n"), SampleTools.Run(new BufferedStream(full), "say", "x"));
    }

    [Theory]
    [InlineData("say", "say", "x")]
    [InlineData("/usr/bin/say", "x")]
    [InlineData("./layerbox-0.1", "say", "x")]
    public void Finds_the_tool_by_the_name_of_the_link_or_the_first_argument(string invokedAs, params string[] args)
    {
        using MemoryStream output = new();
        Dictionary<string, Func<Tool>> table = new() { ["say"] = SampleTools.DeclareSay };
        Assert.Equal(0, Dispatcher.Run(invokedAs, args, new Streams(Stream.Null, output, TextWriter.Null), table));
        Assert.StartsWith("path=", System.Text.Encoding.UTF8.GetString(output.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_tool_is_named()
    {
        Assert.Equal((2, "", "layerbox: nope: no such tool; see 'layerbox --list'\n"), SampleTools.Run("nope", "--help"));
    }

    [Theory]
    [InlineData("a b c", "a b c", "b c")]
    [InlineData("layerbox say x\udcff", "layerbox say x\uFFFD", "say x\udcff")]
    public void Arguments_that_are_not_UTF8_come_from_the_kernel(string cmdline, string decoded, string restored)
    {
        byte[] raw = PathText.ToBytes(cmdline.Replace(' ', '\0') + "\0");
        Assert.Equal(restored.Split(' '), RawArguments.Restore(decoded.Split(' ')[1..], raw));
    }
}
