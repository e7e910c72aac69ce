using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>What comes before and after a tool in a process, whichever module it is in.</summary>
internal static class Startup
{
    private const string Self = "layerbox";

    /// <param name="args">As .NET decodes them.</param>
    /// <param name="run">Picks the tool and runs it: gets the name that we were called by, the arguments and the streams.</param>
    public static int Run(string[] args, Func<string, string[], Streams, int> run)
    {
        // Before anything else: as process 1 of a container we start in somebody's image.
        string[]? arguments = RawArguments.Restore(args);
        if (ContainerEntry.TryRun(arguments ?? []) is { } part)
            return part;

        StandardStreams.Reserve();
        // Not disposed: disposing flushes, and after a failed write that would throw a second time.
        BufferedStream output = new(FdStream.StandardOutput, 64 * 1024);
        Interruption interruption = Interruption.BySignals();
        Streams io = new(FdStream.StandardInput, output, new ErrorWriter(FdStream.StandardError))
        {
            Interruption = interruption,
            InIsTerminal = StandardStreams.IsTerminal(FdStream.StandardInput.Handle),
            OutIsTerminal = StandardStreams.IsTerminal(FdStream.StandardOutput.Handle),
            ErrColumns = Terminal.Size(FdStream.StandardError.Handle)?.Columns,
        };
        if (arguments is null)
        {
            io.Err.WriteLine($"{Self}: an argument is not UTF-8, and its bytes cannot be read: /proc is not mounted");
            return ExitStatus.Trouble;
        }
        int status = run(RawArguments.InvokedAs, arguments, io);
        interruption.Dispose();
        if (interruption.DeathBy is { } signal)
            Signals.DieOf(signal);
        return status;
    }
}
