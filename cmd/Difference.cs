using System.CommandLine;
using Layerbox.FileTree;

namespace Layerbox.Cmd;

/// <summary>How tools that compare two filesystems say what differs.</summary>
internal static class Difference
{
    private const string TextForm = "text", JsonForm = "json";

    public static Option<string> Format()
    {
        Option<string> format = new("--format") { Description = "text: a line a path; json: the same with old and new values.", DefaultValueFactory = _ => TextForm };
        format.AcceptOnlyFromAmong(TextForm, JsonForm);
        return format;
    }

    /// <summary>Prints the changes; the exit status says whether there are any.</summary>
    public static int Write(IReadOnlyList<TreeChange> changes, string? format, Streams io)
    {
        if (format == JsonForm)
            TreeDifferenceText.WriteJson(io.Out, changes);
        else
            foreach (TreeChange change in changes)
                io.WriteLine(TreeDifferenceText.Line(change));
        return changes.Count == 0 ? ExitStatus.Success : ExitStatus.No;
    }
}
