using System.Runtime.InteropServices;
using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>
/// The wish of the outside that the tool stop: SIGINT, SIGTERM or SIGHUP. A tool that has nothing to clean up never asks for the token and
/// dies of the signal as any program does. One that asks is told by the token, unwinds, and the dispatcher lets it die of the same
/// signal afterwards; a second signal kills at once.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private static readonly Dictionary<PosixSignal, Signal> Watched = new()
    {
        [PosixSignal.SIGINT] = Posix.Signal.SIGINT,
        [PosixSignal.SIGTERM] = Posix.Signal.SIGTERM,
        [PosixSignal.SIGHUP] = Posix.Signal.SIGHUP,
    };

    private readonly CancellationTokenSource _source = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly bool _listens;

    private Interruption(bool listens) => _listens = listens;

    /// <summary>One that listens to this process's signals, from the first time that the token is asked for.</summary>
    public static Interruption BySignals() => new(listens: true);

    /// <summary>One that only <see cref="Request"/> triggers.</summary>
    public static Interruption ByRequest() => new(listens: false);

    /// <summary>What to die of, once all is cleaned up, instead of returning the exit status.</summary>
    public Signal? DeathBy { get; set; }

    /// <summary>The signal that came, if one did.</summary>
    public Signal? Signal { get; private set; }

    public CancellationToken Token
    {
        get
        {
            if (_listens && _registrations.Count == 0)
                Listen();
            return _source.Token;
        }
    }

    public void Request(Signal signal)
    {
        Signal = signal;
        _source.Cancel();
    }

    public void Dispose()
    {
        _registrations.ForEach(registration => registration.Dispose());
        _source.Dispose();
    }

    private void Listen()
    {
        foreach (PosixSignal signal in Watched.Keys)
        {
            _registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                // Left to its default action, the second one kills.
                context.Cancel = Signal is null;
                if (Signal is null)
                    Request(Watched[context.Signal]);
            }));
        }
        FdStream.StandardInput.Cancellation = _source.Token;
    }
}
