using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn.Boot;

/// <summary>
/// Listens to a system that boots: empties its console, which would stop it when full, and reads what it tells of its state. Both come from the
/// container, so nothing is believed but for how it looks.
/// </summary>
internal sealed class BootListener(SafeFileHandle? console) : IDisposable
{
    private const int ConsoleKept = 64 * 1024, MessageMax = 16 * 1024;

    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _changed = new();
    private readonly List<SafeFileHandle> _ours = [];
    private readonly List<Thread> _threads = [];
    private readonly byte[] _kept = new byte[ConsoleKept];
    private SafeFileHandle? _notify, _peer;
    private ContainerDescription? _description;
    private long _written;
    private bool _isReady, _hasEnded;
    private string? _status;

    /// <summary>What others are told of the container, once it exists.</summary>
    public ContainerDescription? Description
    {
        get
        {
            lock (_lock)
                return _description;
        }
        set
        {
            lock (_lock)
                _description = value;
            _changed.Set();
        }
    }

    /// <summary>Called when systemd-nspawn has made the container.</summary>
    public Action? LeaderIsThere { get; set; }

    /// <summary>What the system says that it is doing.</summary>
    public string? Status
    {
        get
        {
            lock (_lock)
                return _status;
        }
    }

    /// <summary>Takes what came with a report; false when it is for somebody else.</summary>
    public bool Take(InitReport report, SafeFileHandle? descriptor)
    {
        if (descriptor is null || report.What is not (InitReport.Kind.Console or InitReport.Kind.Notify))
            return false;
        _ours.Add(descriptor);
        if (report.What == InitReport.Kind.Console)
        {
            // As long as one process has it open there is no end of file, however often the system closes it.
            _peer = Pseudoterminals.TryOpenPeer(descriptor);
            Start(() => Drain(descriptor));
        }
        else
        {
            _notify = descriptor;
            Start(() => Listen(descriptor));
        }
        return true;
    }

    /// <summary>Empties something else that the system's words come through.</summary>
    public void Read(SafeFileHandle pipe)
    {
        _ours.Add(pipe);
        Start(() => Drain(pipe));
    }

    /// <summary>Waits until the system is up or has ended, no longer than so many milliseconds (-1: for ever).</summary>
    public (bool IsReady, bool HasEnded) Wait(int milliseconds)
    {
        long end = Environment.TickCount64 + milliseconds;
        while (true)
        {
            _changed.Reset();
            lock (_lock)
            {
                if ((_isReady && _description is not null) || _hasEnded)
                    return (_isReady, _hasEnded);
            }
            int left = milliseconds < 0 ? -1 : (int)Math.Max(end - Environment.TickCount64, 0);
            if (left == 0 || !_changed.Wait(left))
                return (false, false);
        }
    }

    /// <summary>Nothing is left in the container that could say anything: waits for what is still on its way.</summary>
    public void End()
    {
        lock (_lock)
        {
            _hasEnded = true;
        }
        _peer?.Dispose();
        if (_notify is not null)
            MessageSockets.StopReceiving(_notify);
        foreach (Thread thread in _threads)
            thread.Join();
        _changed.Set();
    }

    /// <summary>The last lines of the console, without what only terminals understand.</summary>
    public IReadOnlyList<string> LastLines(int count)
    {
        byte[] bytes;
        lock (_lock)
        {
            int length = (int)Math.Min(_written, ConsoleKept);
            bytes = new byte[length];
            for (int i = 0; i < length; i++)
                bytes[i] = _kept[(_written - length + i) % ConsoleKept];
        }
        return [.. ConsoleText.Lines(PathText.FromBytes(bytes)).TakeLast(count)];
    }

    public void Dispose()
    {
        foreach (SafeFileHandle descriptor in _ours)
            descriptor.Dispose();
        _changed.Dispose();
    }

    private void Start(ThreadStart work)
    {
        Thread thread = new(work) { IsBackground = true };
        _threads.Add(thread);
        thread.Start();
    }

    private void Drain(SafeFileHandle from)
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (Files.Read(from, buffer) is var length and > 0)
            {
                Keep(buffer.AsSpan(0, length));
                Pass(buffer.AsSpan(0, length));
            }
        }
        catch (PosixException e) when (e.Errno == Errno.EIO)
        {
            // How a terminal says that nobody has its other end any more.
        }
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            foreach (byte b in bytes)
                _kept[_written++ % ConsoleKept] = b;
        }
    }

    // A full disk or a reader that is gone must not stop the system.
    private void Pass(ReadOnlySpan<byte> bytes)
    {
        if (console is null)
            return;
        try
        {
            Files.Write(console, bytes);
        }
        catch (PosixException)
        {
        }
    }

    // sd_notify(3): lines of KEY=value.
    private void Listen(SafeFileHandle socket)
    {
        byte[] message = new byte[MessageMax];
        while (MessageSockets.Receive(socket, message, out SafeFileHandle? descriptor) is var length and > 0)
        {
            descriptor?.Dispose();
            foreach (string line in Encoding.UTF8.GetString(message, 0, length).Split('\n'))
            {
                switch (line.Split('=', 2))
                {
                    case ["READY", "1"]:
                        lock (_lock)
                            _isReady = true;
                        _changed.Set();
                        break;
                    // Of systemd-nspawn: by now there is a process 1.
                    case ["X_NSPAWN_LEADER_PID", _]:
                        LeaderIsThere?.Invoke();
                        break;
                    case ["STATUS", var status]:
                        lock (_lock)
                            _status = ConsoleText.Clean(status);
                        break;
                }
            }
        }
    }
}
