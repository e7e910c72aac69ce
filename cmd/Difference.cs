using System.CommandLine;
using Layerbox.FileTree;
using Layerbox.Rootfs;

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

    /// <summary>The paths that differ. What must be read for that is read by all processors.</summary>
    public static IReadOnlyList<TreeChange> Between(Tree from, Tree to, Progress? progress = null)
    {
        ContentDigests.ComputeAll(TreeDifference.ContentsToRead(from, to), progress is null ? null : (_, bytes) => progress.Report("comparing", bytes));
        IReadOnlyList<TreeChange> changes = TreeDifference.Compare(from, to);
        progress?.Clear();
        return changes;
    }

    /// <summary>Prints what differs; the exit status says whether anything does.</summary>
    public static int Write(Tree from, Tree to, string? format, Streams io, Progress? progress = null)
    {
        IReadOnlyList<TreeChange> changes = Between(from, to, progress);
        if (format == JsonForm)
            TreeDifferenceText.WriteJson(io.Out, changes);
        else
            foreach (TreeChange change in changes)
                io.WriteLine(TreeDifferenceText.Line(change));
        return changes.Count == 0 ? ExitStatus.Success : ExitStatus.No;
    }
}
