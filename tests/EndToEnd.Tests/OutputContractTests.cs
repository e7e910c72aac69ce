namespace Layerbox.Tests.EndToEnd;

/// <summary>What every tool keeps at its edges, seen from a shell.</summary>
public class OutputContractTests
{
    [Theory]
    [InlineData("a reader that went away ends it as SIGPIPE would", "(trap '' PIPE; while echo 2>/dev/null; do :; done; trap - PIPE; exec \"$L\" --list) | true; exit ${PIPESTATUS[0]}", 141, "", "")]
    [InlineData("a full disk is an error", "\"$L\" --list > /dev/full", 2, "", "layerbox: standard output: write: No space left on device\n")]
    [InlineData("so is a closed standard output", "\"$L\" --list >&-", 2, "", "layerbox: standard output: write: Bad file descriptor\n")]
    [InlineData("a closed standard error takes the message, not the status", "\"$L\" nope 2>&-", 2, "", "")]
    [InlineData("a full standard error as well", "\"$L\" nope 2> /dev/full", 2, "", "")]
    [InlineData("nothing at all is open", "\"$L\" nope <&- >&- 2>&-", 2, "", "")]
    [InlineData("errors are one line", "\"$L\" $'no\\nsuch'", 2, "", "layerbox: no\\x0asuch: no such tool; see 'layerbox --list'\n")]
    [InlineData("arguments are bytes", "\"$L\" $'\\xff\\xfe-\\xc3\\xa4'", 2, "", "layerbox: \\xff\\xfe-ä: no such tool; see 'layerbox --list'\n")]
    [InlineData("no help after an error", "\"$L\" --nope", 2, "", "layerbox: unknown option '--nope'\nTry 'layerbox --help' for more information.\n")]
    public void Keeps_the_contract(string what, string script, int status, string output, string errors)
    {
        Assert.NotEmpty(what);
        Assert.Equal((status, output, errors), Executable.Shell(script));
    }

    [Fact]
    public void Several_writers_to_one_file_do_not_overwrite_each_other()
    {
        using TempFolder folder = new();
        (int status, string output, string errors) = Executable.Shell(
            """
            ("$L" --version; echo middle; "$L" --version; echo end) > file
            ("$L" --version; echo middle; "$L" --version; echo end) | cmp - file && grep -c . < <("$L" --version) && grep -n -e middle -e end file | wc -l
            """, folder.Path);
        Assert.Equal((0, "2", ""), (status, output.TrimEnd().Split('\n')[^1], errors));
    }

    [Fact]
    public void A_descriptor_that_was_closed_is_not_handed_to_a_file_of_ours()
    {
        // With 1 closed the next file opened would be standard output.
        Assert.Equal((0, "reserved\n", ""), Executable.Shell("\"$L\" --help >&- 2>/dev/null; [[ $? == 2 ]] && echo reserved"));
    }
}
