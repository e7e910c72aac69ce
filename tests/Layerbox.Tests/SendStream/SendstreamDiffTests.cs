namespace Layerbox.Tests.SendStream;

/// <summary>sendstream-diff, from the outside.</summary>
public sealed class SendstreamDiffTests : IDisposable
{
    private readonly StreamFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("the same", "mkfile a; write a 0 hello", "mkfile a; write a 0 hello", "")]
    [InlineData("in another order, by other ways", "mkfile a; write a 0 hello; mkdir d", "mkdir x; mkfile y; write y 1 ello; rename y a; write a 0 h; rename x d", "")]
    [InlineData("a hole and zeros", "mkfile a; truncate a 5", "mkfile a; write a 0 \0\0\0\0\0", "")]
    [InlineData("of another size", "mkfile a; write a 0 hello", "mkfile a; write a 0 hell", "M /a content\n")]
    [InlineData("of the same size", "mkfile a; write a 0 hello", "mkfile a; write a 0 hellO", "M /a content\n")]
    [InlineData("more, less, otherwise", "mkfile a; mkfile b", "mkfile b; chmod b 600; mkfile c; chown b 1 2", "D /a\nM /b owner 0:0 -> 1:2\nA /c\n")]
    public void Compares_what_streams_describe(string what, string from, string to, string changes)
    {
        Assert.NotEmpty(what);
        string a = _files.Make("a", $"subvol one; {from}; end"), b = _files.Make("b", $"subvol two 33; {to}; end");
        Tools.Result result = Tools.Run("sendstream-diff", a, b);
        Assert.Equal((changes.Length == 0 ? 0 : 1, changes, ""), (result.Status, result.Out, result.Err));
    }

    [Fact]
    public void Chains_may_stand_on_both_sides()
    {
        string twin = _files.Make("twin", $"subvol vol 44; {StreamFiles.Full}; {StreamFiles.Changes}; end");
        Assert.Equal(0, Tools.Run("sendstream-diff", "--from", _files / "full", "--from", _files / "changes", "--to", twin).Status);
        Tools.Result result = Tools.Run("sendstream-diff", "--from", _files / "full", "--to", _files / "full", "--to", _files / "changes");
        Assert.Equal((1, "M / time 77.000000088 -> 99.000000000\nD /big\nM /d/a content\nM /d/a2 content\nD /d/link\nA /moved\nA /new\n"), (result.Status, result.Out));
        Assert.Equal(0, Tools.Run("sendstream-diff", _files / "full", _files / "full").Status);
        Assert.Equal(1, Tools.Run("sendstream-diff", "--from", _files / "full", "--from", _files / "changes", "--to", _files / "full").Status);
        string other = _files.Make("other", "snapshot vol2 22 11; mkfile c; end");
        Assert.Equal("A /c\n", Tools.Run("sendstream-diff", "--from", _files / "full", "--from", _files.Make("none", "snapshot vol2 22 11; end"), "--to", _files / "full", "--to", other).Out);
        Assert.Equal(result.Out, Tools.RunWithInput(File.ReadAllBytes(_files / "changes"), "sendstream-diff", "--from", _files / "full", "--to", _files / "full", "--to", "-").Out);
    }

    [Fact]
    public void A_directory_may_stand_on_either_side()
    {
        Tools.Run("sendstream-apply", "--no-owner", _files.Out, _files / "full").AssertSucceeded();
        Assert.Equal(0, Tools.Run("sendstream-apply", "--no-owner", _files / "out/again", _files / "full").Status);
        Assert.Equal(0, Tools.Run("sendstream-diff", _files.Out, _files / "out/again").Status);
        Privileged.OrSkip();
        Assert.Equal(0, Tools.Run("sendstream-diff", _files / "full", _files.Out).Status);
        Programs.Shell($"chmod 777 {_files.Out}/d");
        Assert.Equal((1, "M /d mode 0700 -> 0777\n"), (Tools.Run("sendstream-diff", _files / "full", _files.Out) is var result ? result.Status : -1, result.Out));
    }

    [Fact]
    public void Json_has_old_and_new()
    {
        string a = _files.Make("a", "subvol one; mkfile a; write a 0 1; end"), b = _files.Make("b", "subvol two; mkfile a; write a 0 2; end");
        Assert.Equal(
            """
            {"op":"changed","path":"a","aspects":["content"],"old":{"size":1,"digest":"sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"},"new":{"size":1,"digest":"sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35"}}

            """.ReplaceLineEndings("\n"),
            Tools.Run("sendstream-diff", "--format", "json", a, b).Out);
    }

    [Theory]
    [InlineData("two operands are wanted, or --from and --to", "full")]
    [InlineData("CHANGES: offset 17: command 1 (snapshot): 'vol2': the parent subvolume 11111111-1111-1111-1111-111111111111 is not known: name its streams before this one, with --from and --to", "full changes")]
    [InlineData("two operands are wanted, or --from and --to", "full changes --from full")]
    [InlineData("two operands are wanted, or --from and --to", "--from full")]
    [InlineData("standard input can be read once only", "- -")]
    [InlineData("nope: open: No such file or directory", "nope full")]
    public void Says_what_is_wrong(string error, string arguments)
    {
        Tools.Result result = Tools.Run(["sendstream-diff", .. arguments.Split(' ').Select(word => word is "full" or "changes" ? _files / word : word)]);
        Assert.Equal((2, $"sendstream-diff: {error.Replace("CHANGES", _files / "changes", StringComparison.Ordinal)}"), (result.Status, result.FirstErrorLine));
    }
}
