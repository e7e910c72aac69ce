using System.Runtime.InteropServices;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>
/// Passes the signals that this process gets on to a container's command, which decides what they mean. One that comes before the command
/// runs is kept for it, so that we always live to clean up.
/// </summary>
internal sealed class SignalForwarding : IDisposable
{
    // PosixSignal has names of its own for some, and takes the numbers of the others as they are.
    private static readonly (PosixSignal Registered, Signal Passed)[] Forwarded =
    [
        (PosixSignal.SIGINT, Signal.SIGINT), (PosixSignal.SIGTERM, Signal.SIGTERM), (PosixSignal.SIGHUP, Signal.SIGHUP),
        (PosixSignal.SIGQUIT, Signal.SIGQUIT), ((PosixSignal)Signal.SIGUSR1, Signal.SIGUSR1), ((PosixSignal)Signal.SIGUSR2, Signal.SIGUSR2),
        (PosixSignal.SIGWINCH, Signal.SIGWINCH), (PosixSignal.SIGCONT, Signal.SIGCONT),
    ];

    private readonly Lock _lock = new();
    private readonly List<Signal> _early = [];
    private readonly PosixSignalRegistration[] _registrations;
    private RunningContainer? _container;

    public SignalForwarding() => _registrations =
    [
        .. Forwarded.Select(pair => PosixSignalRegistration.Create(pair.Registered, context =>
        {
            context.Cancel = true;
            Pass(pair.Passed);
        })),
    ];

    public void To(RunningContainer container)
    {
        lock (_lock)
        {
            _container = container;
            _early.ForEach(container.Send);
        }
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
    }

    private void Pass(Signal signal)
    {
        lock (_lock)
        {
            if (_container is null)
                _early.Add(signal);
            else
                _container.Send(signal);
        }
    }
}
