using System.Runtime.InteropServices;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>
/// Passes the signals that this process gets on to a container's command, which decides what they mean. One that comes before the command
/// runs is kept for it, so that we always live to clean up. A process of one thread stays one: it reads the signals while it waits for the container. Handlers would need
/// a thread, which costs a thirtieth of a start.
/// </summary>
internal sealed class SignalForwarding : IDisposable
{
    // Of the real-time signals (signal(7)) glibc keeps two and the runtime, which stops threads with it, SIGRTMIN.
    private const int FirstFreeRealTimeSignal = 35, LastRealTimeSignal = 64;

    // PosixSignal has names of its own for some, and takes the numbers of the others as they are.
    private static readonly (PosixSignal Registered, Signal Passed)[] Forwarded =
    [
        (PosixSignal.SIGINT, Signal.SIGINT), (PosixSignal.SIGTERM, Signal.SIGTERM), (PosixSignal.SIGHUP, Signal.SIGHUP),
        (PosixSignal.SIGQUIT, Signal.SIGQUIT), ((PosixSignal)Signal.SIGUSR1, Signal.SIGUSR1), ((PosixSignal)Signal.SIGUSR2, Signal.SIGUSR2),
        (PosixSignal.SIGWINCH, Signal.SIGWINCH), (PosixSignal.SIGCONT, Signal.SIGCONT),
    ];

    private readonly Lock _lock = new();
    private readonly List<Signal> _early = [];
    private readonly PosixSignalRegistration[] _registrations = [];
    private readonly SignalReader? _reader;
    private readonly TerminalRelay? _terminal;
    private RunningContainer? _container;

    /// <param name="terminal">What some signals mean something else to; null: there is no terminal of the container's own.</param>
    public SignalForwarding(TerminalRelay? terminal)
    {
        _terminal = terminal;
        // The whole module has another thread from the start.
        if (!Module.IsWhole && terminal is null && CurrentProcess.ThreadCount == 1)
        {
            _reader = ReadAll();
            return;
        }
        List<(PosixSignal Registered, Signal Passed)> signals = [.. Forwarded];
        for (int number = FirstFreeRealTimeSignal; number <= LastRealTimeSignal; number++)
            signals.Add(((PosixSignal)number, (Signal)number));
        // Without it we are stopped by default, and nothing has to be put in order before that.
        if (terminal is not null)
            signals.Add((PosixSignal.SIGTSTP, Signal.SIGTSTP));
        _registrations =
        [
            .. signals.Select(pair => PosixSignalRegistration.Create(pair.Registered, context =>
            {
                context.Cancel = true;
                Pass(pair.Passed);
            })),
        ];
    }

    /// <summary>There is no thread for signals.</summary>
    public bool IsWithoutThread => _reader is not null;

    public void To(RunningContainer container)
    {
        if (_reader is not null)
        {
            (_container, container.PassedOn) = (container, _reader);
            return;
        }
        lock (_lock)
        {
            _container = container;
            _early.ForEach(container.Send);
        }
    }

    public void Dispose()
    {
        if (_reader is not null)
        {
            if (_container is { } container)
                container.PassedOn = null;
            _reader.Dispose();
        }
        // Without a terminal whatever still comes finds a container that has ended, and so does this process: giving up each of
        // them would only take time.
        if (_terminal is null)
            return;
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
    }

    private static SignalReader ReadAll()
    {
        Span<Signal> signals = stackalloc Signal[LastRealTimeSignal];
        int count = 0;
        foreach ((_, Signal signal) in Forwarded)
            signals[count++] = signal;
        for (int number = FirstFreeRealTimeSignal; number <= LastRealTimeSignal; number++)
            signals[count++] = (Signal)number;
        return SignalReader.Take(signals[..count]);
    }

    private void Pass(Signal signal)
    {
        if (_terminal?.Handle(signal) == true)
            return;
        lock (_lock)
        {
            if (_container is null)
                _early.Add(signal);
            else
                _container.Send(signal);
        }
    }
}
