using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>A file that a tool is to read, as it is named on command lines: by its path, or - for standard input.</summary>
internal static class InputFile
{
    public const string StandardInput = "-";

    /// <summary>What messages call it.</summary>
    public static string NameOf(string file) => file == StandardInput ? FdStream.StandardInput.Name : file;

    /// <summary>Refuses standard input where it is named twice: the second time there would be nothing left.</summary>
    /// <exception cref="UsageException">It is.</exception>
    public static void CheckReadOnce(IEnumerable<string> files)
    {
        if (files.Count(file => file == StandardInput) > 1)
            throw new UsageException("standard input can be read once only");
    }

    /// <summary>Its bytes, read forwards.</summary>
    /// <exception cref="PosixException">It cannot be opened.</exception>
    /// <exception cref="UsageException">It is a terminal.</exception>
    public static Stream Open(string file, Streams io) =>
        file == StandardInput ? io.BinaryIn : new FdStream(Files.Open(file, OpenFlags.ReadOnly), file, canWrite: false);
}
