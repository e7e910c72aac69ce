using Layerbox.Cmd;
using Layerbox.Nspawn;
using Layerbox.Posix;

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
    io.Err.WriteLine($"{Dispatcher.Self}: an argument is not UTF-8, and its bytes cannot be read: /proc is not mounted");
    return ExitStatus.Trouble;
}
int status = Dispatcher.Run(RawArguments.InvokedAs, arguments, io);
interruption.Dispose();
if (interruption.DeathBy is { } signal)
    Signals.DieOf(signal);
return status;
