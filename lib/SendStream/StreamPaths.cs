using Layerbox.FileTree;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>Paths of commands in messages, and which names in them are possible.</summary>
internal static class StreamPaths
{
    private const int MaxShownLength = 120;

    /// <summary>A path in quotes for messages, cut when it is very long.</summary>
    public static string Show(ReadOnlySpan<byte> path) =>
        path.Length <= MaxShownLength ? $"'{BytesText.Escape(path)}'" : $"'{BytesText.Escape(path[..MaxShownLength])}…' ({path.Length} bytes)";

    /// <summary>What a message calls something of a kind.</summary>
    public static string Describe(FileKind kind) => kind switch
    {
        FileKind.Directory => "a directory",
        FileKind.File => "a regular file",
        FileKind.Symlink => "a symlink, which is not followed",
        FileKind.CharDevice or FileKind.BlockDevice => "a device",
        FileKind.Fifo => "a fifo",
        _ => "a socket",
    };

    /// <summary>Refuses a name in a path that no file can have.</summary>
    public static void CheckName(SendCommand command, ReadOnlySpan<byte> path, ReadOnlySpan<byte> name)
    {
        if (name.Length > FileName.MaxLength)
            throw command.Error(Fault.NameTooLong, $"{Show(path)}: a name of {name.Length} bytes, expected at most {FileName.MaxLength}");
        try
        {
            FileName.Check(name);
        }
        catch (InvalidDataException e)
        {
            throw command.Error(name.SequenceEqual("."u8) || name.SequenceEqual(".."u8) ? Fault.PathDots : Fault.PathInvalid, $"{Show(path)}: {e.Message}", e);
        }
    }
}
