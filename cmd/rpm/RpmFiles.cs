using System.CommandLine;
using Layerbox.Posix;

namespace Layerbox.Cmd.Rpms;

/// <summary>The packages that a tool is given: one after another, and what is wrong with one does not keep it from the next.</summary>
internal static class RpmFiles
{
    public static Argument<string[]> Argument() => new("FILE")
    {
        Description = "RPM packages; - for standard input.",
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>Does something with each package; a failure is told, and the result is 2 then.</summary>
    /// <param name="tool">Stands before messages.</param>
    /// <param name="files">The operands.</param>
    /// <param name="io">Where standard input and messages are.</param>
    /// <param name="each">Is given the operand and its bytes.</param>
    public static int ForEach(string tool, string[] files, Streams io, Action<string, Stream> each)
    {
        InputFile.CheckReadOnce(files);
        int status = ExitStatus.Success;
        foreach (string file in files)
        {
            try
            {
                Read(file, io, stream => each(file, stream));
            }
            catch (Exception e) when (e is InvalidDataException || (e as PosixException)?.Path is { } path && path != FdStream.StandardOutput.Name)
            {
                io.Err.WriteLine(PathText.Printable($"{tool}: {e.Message}"));
                status = ExitStatus.Trouble;
            }
        }
        return status;
    }

    /// <summary>Opens an operand for someone who reads it; what is wrong with its bytes is told with its name before it.</summary>
    /// <exception cref="InvalidDataException">The package is malformed: file, offset, where, what.</exception>
    public static void Read(string file, Streams io, Action<Stream> read)
    {
        Stream stream = InputFile.Open(file, io);
        try
        {
            read(stream);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{InputFile.NameOf(file)}: {e.Message}", e);
        }
        finally
        {
            if (file != InputFile.StandardInput)
                stream.Dispose();
        }
    }
}
