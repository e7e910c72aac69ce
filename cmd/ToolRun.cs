using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>Runs a tool and turns what it throws into one line and an exit status.</summary>
internal static class ToolRun
{
    /// <param name="name">Of the tool, for messages.</param>
    /// <param name="io">Its streams.</param>
    /// <param name="declare">Makes it.</param>
    /// <param name="run">Runs it.</param>
    public static int Guard(string name, Streams io, Func<Tool> declare, Func<Tool, int> run)
    {
        int trouble = ExitStatus.Trouble;
        try
        {
            Tool tool = declare();
            trouble = tool.TroubleStatus;
            int status = run(tool);
            io.Out.Flush();
            return status;
        }
        catch (PosixException e) when (e.Path == FdStream.StandardOutput.Name)
        {
            // What is still in the buffer could only fail again.
            if (e.Errno != Errno.EPIPE)
                return Complain(io, name, e.Message, trouble);
            io.Interruption.DeathBy = Signal.SIGPIPE;
            return ExitStatus.Killed(Signal.SIGPIPE);
        }
        catch (Exception e) when (e is not NotInThisModuleException)
        {
            FlushWhatThereIs(io);
            return Explain(name, e, io, trouble);
        }
    }

    private static int Explain(string name, Exception e, Streams io, int trouble)
    {
        switch (e)
        {
            case OperationCanceledException when io.Interruption.Signal is { } signal:
                io.Interruption.DeathBy = signal;
                return ExitStatus.Killed(signal);
            case UsageException:
                Complain(io, name, e.Message, trouble);
                io.Err.WriteLine($"Try '{name} --help' for more information.");
                return trouble;
            // The libraries' own exceptions are IOExceptions.
            case IOException or InvalidDataException or UnauthorizedAccessException:
                return Complain(io, name, e.Message, trouble);
            // What could not be had the first time that it was wanted, such as a thread.
            case TypeInitializationException { InnerException: { } inner }:
                return Explain(name, inner, io, trouble);
            case OutOfMemoryException:
                return Complain(io, name, "out of memory", trouble);
            default:
                Complain(io, name, $"internal error: {e.GetType().Name}: {e.Message}", ExitStatus.Internal);
                io.Err.WriteLine($"{e.StackTrace}\nThis is a bug in layerbox {Versions.Own}.");
                return ExitStatus.Internal;
        }
    }

    // What a tool printed before it failed is good, and comes before the error. That the tool failed is the news, not that this does too.
    private static void FlushWhatThereIs(Streams io)
    {
        try
        {
            io.Out.Flush();
        }
        catch (PosixException)
        {
        }
    }

    public static int Complain(Streams io, string name, string message, int status)
    {
        io.Err.WriteLine(PathText.Printable($"{name}: {message}"));
        return status;
    }
}
