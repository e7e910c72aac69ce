using Layerbox.Cmd;

namespace Layerbox.Tests.Cmd;

/// <summary>Man pages and completion scripts, judged by groff and by the shells that read them.</summary>
public class SurfaceTests
{
    public static TheoryData<string> Names => [Dispatcher.Self, .. ToolTable.Tools.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Groff_finds_nothing_wrong_with_a_man_page(string name)
    {
        using TempFolder folder = new();
        string page = Tools.Run("--man", name).AssertSucceeded().Out;
        File.WriteAllText(folder / "page", page);
        (int status, string _, string errors) = Programs.Try("groff", "-man", "-Tutf8", "-ww", "-rCHECKSTYLE=2", "-z", folder / "page");
        Assert.Equal((0, ""), (status, errors));
        string text = Programs.Run("groff", "-man", "-Tascii", "-P-cbou", folder / "page");
        Assert.Matches($"(?m)^ +{name} +- +[A-Z]", text);
        Assert.Contains("EXAMPLES", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_man_page_shows_what_is_declared()
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "page", ManPage.Render(SampleTools.DeclareSay()));
        string text = Programs.Run("groff", "-man", "-Tascii", "-P-cbou", "-rLL=200n", folder / "page");
        Assert.Contains("say [options] path [more ...]", text, StringComparison.Ordinal);
        Assert.Matches(@"--format json\|text\n +How\.  Default: text\.", text);
        Assert.Matches(@"-j, --json\n +Say it as JSON\.", text);
        Assert.Matches(@"--source source\n +From where\.  May be repeated\.", text);
    }

    [Theory]
    [InlineData("container-run", "125: there is no container", "2: trouble")]
    [InlineData("container-enter", "126, 127: the command", "2: trouble")]
    [InlineData("layer-compile", "2: trouble", "125:")]
    public void A_man_page_has_the_exit_statuses_of_its_tool(string name, string has, string lacks)
    {
        string page = ManPage.Render(ToolTable.Tools[name]());
        Assert.Contains(has, page, StringComparison.Ordinal);
        Assert.DoesNotContain(lacks, page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("layerbox --li", "--list")]
    [InlineData("layerbox --completion ", "bash fish zsh")]
    [InlineData("layerbox --completion = f", "fish")]
    [InlineData("layerbox subvol-ma", "subvol-make")]
    [InlineData("layerbox subvol-make --he", "--help")]
    [InlineData("subvol-make --he", "--help")]
    [InlineData("/usr/bin/subvol-make --he", "--help")]
    [InlineData("subvol-make fi", "file one")]
    [InlineData("subvol-make -- --he", "")]
    public void Bash_completes(string line, string expected)
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "file one", "");
        File.WriteAllText(folder / "script", Tools.Run("--completion", "bash").AssertSucceeded().Out);
        string[] words = line.Split(' ');
        string done = Programs.Shell($$"""
            cd '{{folder.Path}}'; compopt() { :; }; source ./script
            COMP_WORDS=({{string.Join(' ', words.Select(w => $"'{w}'"))}}) COMP_CWORD={{words.Length - 1}}
            _layerbox '{{words[0]}}' '' ''
            printf '%s\n' "${COMPREPLY[@]}" | sort
            """);
        Assert.Equal(expected, expected.Contains("one", StringComparison.Ordinal) ? done.Trim() : done.Trim().Replace('\n', ' '));
    }

    [Theory]
    [InlineData("zsh", "-n")]
    [InlineData("fish", "--no-execute")]
    [InlineData("bash", "-n")]
    public void A_script_is_good_syntax(string shell, string check)
    {
        Assert.SkipUnless(Programs.Try("sh", "-c", $"command -v {shell}").Status == 0, $"no {shell} on this machine");
        using TempFolder folder = new();
        File.WriteAllText(folder / "script", Tools.Run("--completion", shell).AssertSucceeded().Out);
        Assert.Equal((0, "", ""), Programs.Try(shell, check, folder / "script"));
    }
}
