using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Containers;

/// <summary>
/// The caller's terminal, raw while a container's own terminal is behind it, and as it was afterwards. While we are in the background it belongs to
/// somebody else and is left alone. May be used from any thread.
/// </summary>
internal sealed class RawTerminal : IDisposable
{
    private readonly Lock _lock = new();
    private readonly SafeFileHandle _terminal;
    private readonly TerminalMode _cooked;
    private readonly string? _executable;
    private TerminalKeeper? _keeper;
    private bool _isOver;

    private RawTerminal(SafeFileHandle terminal, TerminalMode cooked, string? executable) => (_terminal, _cooked, _executable) = (terminal, cooked, executable);

    /// <summary>Null when this is no terminal. Nothing is changed yet.</summary>
    /// <param name="fd">Standard input.</param>
    /// <param name="executable">What puts the terminal in order should we be killed; null: nothing does.</param>
    public static RawTerminal? Of(SafeFileHandle fd, string? executable) => Terminal.Mode(fd) is { } mode ? new RawTerminal(fd, mode, executable) : null;

    public bool IsRaw { get; private set; }

    public bool IsForeground => Terminal.IsForeground(_terminal);

    /// <summary>From now on keys are for the container; does nothing in the background.</summary>
    public void Enter()
    {
        lock (_lock)
        {
            if (_isOver || !IsForeground)
                return;
            _keeper ??= Keep();
            IsRaw = TrySet(_cooked.Raw());
        }
    }

    /// <summary>Back to how it was, for as long as it is somebody else's.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            if (!IsRaw)
                return;
            IsRaw = false;
            if (IsForeground)
                TrySet(_cooked);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isOver = true;
            Leave();
            _keeper?.Dispose();
            _keeper = null;
        }
    }

    // False when it has gone away, which whoever reads it next is told.
    private bool TrySet(TerminalMode mode)
    {
        try
        {
            Terminal.SetMode(_terminal, mode);
            return true;
        }
        catch (PosixException)
        {
            return false;
        }
    }

    // Without it all is well as long as nobody kills us.
    private TerminalKeeper? Keep()
    {
        try
        {
            return _executable is null ? null : TerminalKeeper.Start(_executable, _terminal, _cooked);
        }
        catch (PosixException)
        {
            return null;
        }
    }
}
