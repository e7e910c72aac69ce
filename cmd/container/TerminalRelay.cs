using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Containers;

/// <summary>
/// Stands between our standard streams and a container's terminal: carries bytes both ways, and its size and the end of input inwards. Each
/// direction has a thread of its own with blocking calls. So a slow reader of our output does not keep ^C from getting in, and nothing has
/// to be made non-blocking: that would be so for everybody who shares the caller's terminal.
/// </summary>
internal sealed class TerminalRelay : IDisposable
{
    // How often a terminal that is not ours at the moment is looked at again, and one that nobody inside has open.
    private const int BackgroundPatience = 250, ReopenPatience = 100;

    // What ended has written all that it will. Only if a process outside got hold of the terminal will its end not be told.
    private const int DrainPatience = 1000;

    private const byte DefaultEndOfFile = 4;

    private readonly SafeFileHandle _input, _output;
    private readonly RawTerminal? _raw;
    private readonly (SafeFileHandle Read, SafeFileHandle Write) _over = Pipes.Make();
    private readonly ManualResetEventSlim _isDrained = new();
    private readonly Lock _lock = new();
    private SafeFileHandle? _master;
    private RunningContainer? _container;
    private TerminalSize _size;
    private PosixException? _failure;
    private volatile bool _isOver;

    /// <param name="input">What is typed.</param>
    /// <param name="output">Where it is seen.</param>
    /// <param name="executable">See <see cref="RawTerminal.Of"/>.</param>
    public TerminalRelay(SafeFileHandle input, SafeFileHandle output, string? executable)
    {
        (_input, _output) = (input, output);
        _raw = RawTerminal.Of(input, executable);
        _size = OuterSize();
        Inside = new ContainerTerminal(_size, Connect);
    }

    /// <summary>The container's side.</summary>
    public ContainerTerminal Inside { get; }

    /// <summary>Whom to tell when nobody is there any more who types or reads.</summary>
    public void To(RunningContainer container) => _container = container;

    /// <summary>Does what a signal to us means for the terminal; false: it is for the command as well.</summary>
    public bool Handle(Signal signal)
    {
        switch (signal)
        {
            case Signal.SIGWINCH:
                // The kernel tells those inside, unless the size is what it was; then somebody means the command.
                return Resize();
            case Signal.SIGTSTP:
                _raw?.Leave();
                Signals.Stop();
                Resume();
                return true;
            case Signal.SIGCONT:
                Resume();
                return false;
            case Signal.SIGINT or Signal.SIGTERM or Signal.SIGHUP or Signal.SIGQUIT when _isOver:
                // Nothing is left but to write what nobody reads.
                _isDrained.Set();
                return true;
            default:
                return false;
        }
    }

    /// <summary>The container has ended: writes the rest and puts our terminal in order.</summary>
    /// <exception cref="PosixException">Output could not be written, though somebody was there to read it.</exception>
    public void Finish()
    {
        _isOver = true;
        _over.Write.Dispose();
        if (_master is not null)
            _isDrained.Wait();
        _raw?.Dispose();
        if (_failure is { Errno: not (Errno.EPIPE or Errno.EIO) } failure)
            throw failure;
    }

    public void Dispose()
    {
        _isOver = true;
        _over.Write.Dispose();
        _raw?.Dispose();
        // The rest may be in use by a thread that waits for somebody outside, and ends with the process.
    }

    private void Connect(SafeFileHandle master)
    {
        _master = master;
        Resize();
        // Before the first byte is shown: the caller's terminal would add to the ends of lines what the container's has added already.
        _raw?.Enter();
        new Thread(CarryOut) { IsBackground = true }.Start();
        new Thread(CarryIn) { IsBackground = true }.Start();
    }

    private TerminalSize OuterSize() =>
        Terminal.Size(_output) ?? Terminal.Size(_input) ?? Terminal.Size(FdStream.StandardError.Handle) ?? ContainerTerminal.DefaultSize;

    // False when it is as large as before.
    private bool Resize()
    {
        lock (_lock)
        {
            TerminalSize size = OuterSize();
            if (size == _size || _master is null)
                return false;
            _size = size;
            Terminal.SetSize(_master, size);
            return true;
        }
    }

    private void Resume()
    {
        if (_master is not null)
            _raw?.Enter();
        Resize();
    }

    private void CarryIn()
    {
        byte[] buffer = new byte[4096];
        byte last = (byte)'\n';
        try
        {
            while (!_isOver)
            {
                // Brought to the foreground a job that runs is not told so.
                int patience = _raw is null or { IsRaw: true } ? Descriptors.Forever : BackgroundPatience;
                uint ready = Descriptors.WaitReadable(patience, _input, _over.Read);
                if ((ready & 2) != 0)
                    return;
                if (_raw is { IsForeground: false })
                {
                    // To read now would stop us.
                    Descriptors.WaitReadable(BackgroundPatience, _over.Read);
                    continue;
                }
                if (_raw is { IsRaw: false })
                    _raw.Enter();
                if (ready == 0 || Read(_input, buffer) is not { } length)
                    continue;
                if (length == 0)
                    break;
                Files.Write(_master!, buffer.AsSpan(0, length), "terminal");
                last = buffer[length - 1];
            }
        }
        catch (PosixException)
        {
            // Of ours: it has gone away. Of the container's: nobody has it open any more.
        }
        if (_isOver)
            return;
        if (_raw is not null)
            _container?.Send(Signal.SIGHUP);
        else
            EndInput(last);
    }

    // In the middle of a line the first one only hands the line over.
    private void EndInput(byte last)
    {
        try
        {
            TerminalMode? mode = Terminal.Mode(_master!);
            byte key = mode is { EndOfFile: > 0 and var own } ? own : DefaultEndOfFile;
            Files.Write(_master!, mode is { HasLines: true } && last != (byte)'\n' ? [key, key] : [key], "terminal");
        }
        catch (PosixException)
        {
            // Nobody has it open any more.
        }
    }

    private void CarryOut()
    {
        byte[] buffer = new byte[64 * 1024];
        while (true)
        {
            uint ready = _isOver ? Descriptors.WaitReadable(DrainPatience, _master!) : Descriptors.WaitReadable(Descriptors.Forever, _master!, _over.Read);
            if (_isOver && ready == 0)
                break;
            int? length = (ready & 1) == 0 ? null : ReadInside(buffer);
            if (length > 0)
                Show(buffer.AsSpan(0, length.Value));
            else if (length == 0 && _isOver)
                break;
            else if (length == 0)
                Descriptors.WaitReadable(ReopenPatience, _over.Read);
        }
        _isDrained.Set();
    }

    // 0: nobody inside has it open at the moment.
    private int? ReadInside(byte[] buffer)
    {
        try
        {
            return Read(_master!, buffer);
        }
        catch (PosixException e) when (e.Errno == Errno.EIO)
        {
            return 0;
        }
    }

    private void Show(ReadOnlySpan<byte> bytes)
    {
        try
        {
            while (!bytes.IsEmpty && _failure is null)
            {
                if (Files.TryWrite(_output, bytes, FdStream.StandardOutput.Name) is { } length)
                    bytes = bytes[length..];
                else
                    Descriptors.WaitWritable(Descriptors.Forever, _output);
            }
        }
        catch (PosixException e)
        {
            // As if the line had been cut. What it writes from now on goes nowhere, but it does not wait for us.
            _failure = e;
            _container?.Send(Signal.SIGHUP);
        }
    }

    // Null: somebody else made it non-blocking, or was quicker.
    private static int? Read(SafeFileHandle fd, byte[] buffer)
    {
        try
        {
            return Files.Read(fd, buffer);
        }
        catch (PosixException e) when (e.Errno == Errno.EAGAIN)
        {
            return null;
        }
    }
}
