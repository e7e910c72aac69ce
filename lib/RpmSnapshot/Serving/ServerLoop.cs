using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot.Serving;

/// <summary>
/// Waits for all connections at once and moves each on as far as it goes without waiting: one thread, so that a client that is slow or silent costs its
/// socket and little else.
/// </summary>
internal sealed class ServerLoop : IDisposable
{
    private const int ListenerKey = int.MaxValue;
    private const int AcceptsPerTurn = 64;
    private const int SweepMilliseconds = 500;
    private const int DrainMilliseconds = 2000;

    private readonly EventQueue _queue = new();
    private readonly SafeFileHandle _listener;
    private readonly RepoServerOptions _options;
    private readonly ServerAnswers _answers;
    private readonly byte[] _scratch = new byte[HttpRequest.MaxHead];
    private readonly List<ClientConnection?> _connections = [];
    private readonly Stack<int> _free = new();
    private readonly List<int> _closed = [];
    private long _now = Environment.TickCount64, _nextSweep;
    private long _stopAt = long.MaxValue;
    private bool _isListening = true, _isStopping;

    /// <param name="listener">Where connections come from. It is closed at the end.</param>
    /// <param name="options">Limits.</param>
    /// <param name="answers">Knows what to say; is given a way to say that a connection goes on.</param>
    public ServerLoop(SafeFileHandle listener, RepoServerOptions options, Func<Action, Action<ClientConnection, string?>, ServerAnswers> answers)
    {
        (_listener, _options) = (listener, options);
        _answers = answers(_queue.Wake, Resume);
        _queue.Add(_listener, ListenerKey, Readiness.Input);
    }

    private int Count => _connections.Count - _free.Count - _closed.Count;

    /// <summary>From any thread: no new connections; those that are at something get so many milliseconds for it.</summary>
    public void Stop(long milliseconds)
    {
        Interlocked.Exchange(ref _stopAt, Environment.TickCount64 + milliseconds);
        _queue.Wake();
    }

    /// <summary>Serves until it is stopped.</summary>
    /// <returns>Whether all that was asked for was answered to its end.</returns>
    public bool Run()
    {
        while (true)
        {
            int ready = _queue.Wait(SweepMilliseconds);
            _now = Environment.TickCount64;
            for (int i = 0; i < ready; i++)
            {
                (int key, Readiness readiness) = _queue.Ready(i);
                if (key == ListenerKey)
                    Accept();
                else if (key >= 0 && _connections[key] is { State: not ConnectionState.Closed } connection)
                    Guard(connection, readiness);
            }
            _answers.FinishWork();
            // Not before: one of these events may have been about what was closed meanwhile.
            foreach (int slot in _closed)
            {
                _connections[slot] = null;
                _free.Push(slot);
            }
            _closed.Clear();
            if (_now >= _nextSweep)
                Sweep();
            if (Interlocked.Read(ref _stopAt) is var end and < long.MaxValue && IsOver(end))
                return Count == 0;
        }
    }

    public void Dispose()
    {
        foreach (ClientConnection? connection in _connections)
        {
            if (connection is { State: not ConnectionState.Closed })
                Close(connection);
        }
        _answers.Dispose();
        _listener.Dispose();
        _queue.Dispose();
    }

    private bool IsOver(long end)
    {
        if (!_isStopping)
        {
            _isStopping = true;
            Listen(false);
            // One that was handed to us stays as it is: the next server may take it.
            _listener.Dispose();
            foreach (ClientConnection? connection in _connections)
            {
                if (connection is { State: ConnectionState.Reading })
                    Close(connection);
            }
        }
        return Count == 0 || _now >= end;
    }

    private void Listen(bool on)
    {
        if (on == _isListening)
            return;
        _isListening = on;
        if (on)
            _queue.Add(_listener, ListenerKey, Readiness.Input);
        else
            _queue.Remove(_listener);
    }

    private void Accept()
    {
        for (int i = 0; i < AcceptsPerTurn; i++)
        {
            SafeFileHandle? socket;
            try
            {
                socket = StreamSockets.TryAccept(_listener);
            }
            catch (PosixException e) when (e.Errno is Errno.EMFILE or Errno.ENFILE or Errno.ENOMEM or Errno.ENOBUFS)
            {
                // The one who waits stays in the kernel's queue. Without a room the queue would tell of him again and again.
                if (!EvictIdle())
                    Listen(false);
                return;
            }
            if (socket is null)
                return;
            if (Count >= _options.MaxConnections && !EvictIdle())
            {
                ServerAnswers.Refuse(socket);
                socket.Dispose();
                continue;
            }
            int slot = _free.TryPop(out int free) ? free : _connections.Count;
            if (slot == _connections.Count)
                _connections.Add(null);
            ClientConnection connection = new(socket, slot) { Deadline = _now + _options.IdleMilliseconds };
            _connections[slot] = connection;
            _queue.Add(socket, slot, Readiness.Input);
        }
    }

    // Who has waited longest without a wish: a client must be ready for that at any time (RFC 9112, 9.5).
    private bool EvictIdle()
    {
        ClientConnection? idlest = null;
        foreach (ClientConnection? connection in _connections)
        {
            if (connection is { State: ConnectionState.Reading, Pending: null } or { State: ConnectionState.Draining } && connection.Deadline < (idlest?.Deadline ?? long.MaxValue))
                idlest = connection;
        }
        if (idlest is not null)
            Close(idlest);
        return idlest is not null;
    }

    private void Guard(ClientConnection connection, Readiness readiness)
    {
        try
        {
            Handle(connection, readiness);
        }
        catch (PosixException)
        {
            // The client is gone, or its connection broke.
            Close(connection);
        }
    }

    private void Handle(ClientConnection connection, Readiness readiness)
    {
        switch (connection.State)
        {
            case ConnectionState.Reading:
                Receive(connection);
                break;
            case ConnectionState.Sending:
                Push(connection);
                break;
            case ConnectionState.Draining:
                Drain(connection);
                break;
            default:
                // Nothing was waited for, so this is its end.
                if ((readiness & (Readiness.Error | Readiness.HangUp)) != 0)
                    Close(connection);
                break;
        }
    }

    private void Receive(ClientConnection connection)
    {
        int? count = StreamSockets.TryReceive(connection.Socket, _scratch.AsSpan(0, HttpRequest.MaxHead - connection.PendingLength));
        if (count is null)
            return;
        if (count == 0)
        {
            Close(connection);
            return;
        }
        if (connection.Pending is null)
            connection.Deadline = _now + _options.HeadMilliseconds;
        Take(connection, _scratch.AsSpan(0, count.Value));
        Watch(connection);
    }

    // Answers what is there, one request after the other, as long as that needs no waiting.
    private void Take(ClientConnection connection, ReadOnlySpan<byte> fresh)
    {
        bool isKept = connection.Pending is not null;
        if (isKept)
            connection.Keep(fresh);
        ReadOnlySpan<byte> all = isKept ? connection.Pending.AsSpan(0, connection.PendingLength) : fresh, rest = all;
        while (connection.State == ConnectionState.Reading && !rest.IsEmpty)
        {
            int status = HttpRequest.Read(rest, out HttpRequest? request, out int length);
            if (status == 0 && rest.Length >= HttpRequest.MaxHead)
                status = 431;
            if (status == 0)
                break;
            rest = status == 200 ? rest[length..] : [];
            if (status == 200)
                _answers.Answer(connection, request!);
            else
                _answers.Refuse(connection, status);
            Move(connection);
        }
        int used = all.Length - rest.Length;
        if (connection.State is ConnectionState.Draining or ConnectionState.Closed)
            used = all.Length;
        if (isKept)
            connection.Drop(used);
        else
            connection.Keep(all[used..]);
    }

    // What a connection waited for is known.
    private void Resume(ClientConnection connection, string? wrong)
    {
        if (connection.State != ConnectionState.Waiting)
            return;
        try
        {
            if (wrong is null)
                _answers.Answer(connection, connection.Request!);
            else
                _answers.Fail(connection, wrong);
            Push(connection);
        }
        catch (PosixException)
        {
            Close(connection);
        }
    }

    private void Continue(ClientConnection connection)
    {
        if (connection.State == ConnectionState.Reading && connection.Pending is not null)
            Take(connection, []);
        Watch(connection);
    }

    private void Push(ClientConnection connection)
    {
        Move(connection);
        Continue(connection);
    }

    // Sends what there is to send.
    private void Move(ClientConnection connection)
    {
        if (connection.State != ConnectionState.Sending)
            return;
        if (ServerAnswers.Send(connection) is var progress && progress.IsBroken)
        {
            Close(connection);
            return;
        }
        if (progress.Bytes > 0)
            connection.Deadline = _now + _options.SendMilliseconds;
        if (!progress.IsDone)
            return;
        _answers.End(connection);
        if (connection.IsKept && !_isStopping)
        {
            connection.State = ConnectionState.Reading;
            connection.Deadline = _now + (connection.Pending is null ? _options.IdleMilliseconds : _options.HeadMilliseconds);
            return;
        }
        // Hanging up while something unread is there would reset the connection, and take our answer with it.
        StreamSockets.EndSending(connection.Socket);
        connection.State = ConnectionState.Draining;
        connection.Deadline = _now + DrainMilliseconds;
    }

    private void Drain(ClientConnection connection)
    {
        if (StreamSockets.TryReceive(connection.Socket, _scratch) == 0)
            Close(connection);
    }

    private void Watch(ClientConnection connection)
    {
        Readiness interest = connection.State switch
        {
            ConnectionState.Reading or ConnectionState.Draining => Readiness.Input,
            ConnectionState.Sending => Readiness.Output,
            _ => Readiness.None,
        };
        if (interest == connection.Interest || connection.State == ConnectionState.Closed)
            return;
        connection.Interest = interest;
        _queue.Change(connection.Socket, connection.Slot, interest);
    }

    private void Close(ClientConnection connection)
    {
        if (connection.State == ConnectionState.Closed)
            return;
        if (connection.State == ConnectionState.Sending)
            _answers.End(connection);
        connection.State = ConnectionState.Closed;
        connection.Socket.Dispose();
        _closed.Add(connection.Slot);
    }

    private void Sweep()
    {
        _nextSweep = _now + SweepMilliseconds;
        foreach (ClientConnection? connection in _connections)
        {
            if (connection is null or { State: ConnectionState.Waiting or ConnectionState.Closed } || _now < connection.Deadline)
                continue;
            if (connection is not { State: ConnectionState.Reading, Pending: not null })
            {
                Close(connection);
                continue;
            }
            // Half a request.
            _answers.Refuse(connection, 408);
            connection.Drop(connection.PendingLength);
            Guard(connection, Readiness.None);
        }
        if (!_isStopping)
            Listen(true);
    }
}
