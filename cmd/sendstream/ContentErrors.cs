using Layerbox.FileTree;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>
/// Contents are read long after their commands, by whoever writes them elsewhere: what cannot be read is then told with the path of the file.
/// </summary>
internal static class ContentErrors
{
    /// <summary>Does what reads contents of a set.</summary>
    /// <exception cref="InvalidDataException">A content cannot be read: path and reason.</exception>
    public static void Name(SubvolumeSet set, Reading reading, Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is InvalidDataException or SendStreamException)
        {
            if (Culprit(set, e.Message) is not var (path, content))
                throw;
            string advice = content.Size > set.Limits.MaxContentSize && reading.HasLimitOptions ? ": --max-file reads larger ones" : "";
            throw new InvalidDataException($"{path}: {e.Message}{advice}", e);
        }
    }

    /// <summary>The file whose content is refused with a message; only such are tried as may be.</summary>
    private static (TreePath Path, ReceivedContent Content)? Culprit(SubvolumeSet set, string message)
    {
        foreach (ReceivedSubvolume subvolume in set.Subvolumes)
            foreach ((TreePath path, Inode inode) in subvolume.Tree.Walk())
                if (inode.Content is ReceivedContent content && IsSuspect(content, set.Limits) && IsRefused(content, message))
                    return (path, content);
        return null;
    }

    private static bool IsSuspect(ReceivedContent content, SendStreamLimits limits) =>
        content.Size > limits.MaxContentSize || !content.IsKnown || content.Parts.Any(part => part.Source is EncodedWrite);

    private static bool IsRefused(ReceivedContent content, string message)
    {
        try
        {
            _ = content.Digest;
            return false;
        }
        catch (Exception e) when (e is InvalidDataException or SendStreamException)
        {
            return e.Message == message;
        }
    }
}
