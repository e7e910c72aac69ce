using Layerbox.FileTree;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>
/// The lines of rpm-repo-serve --log, written by a thread of their own: whoever reads them slowly keeps no client waiting. What there is no room for is counted, and
/// told in a line.
/// </summary>
internal sealed class RequestLog : IDisposable
{
    private const int MaxWaiting = 10_000;

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _there = new(0);
    private readonly JsonLineWriter _lines;
    private readonly Streams _io;
    private readonly Thread _thread;
    private Queue<ServedRequest> _waiting = new();
    private long _dropped;
    private bool _isEnded;

    public RequestLog(Streams io)
    {
        _io = io;
        _lines = new JsonLineWriter(io.Out);
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    /// <summary>Never waits.</summary>
    public void Add(ServedRequest request)
    {
        lock (_lock)
        {
            if (_waiting.Count == MaxWaiting)
            {
                _dropped++;
                return;
            }
            _waiting.Enqueue(request);
            if (_waiting.Count > 1)
                return;
        }
        _there.Release();
    }

    /// <summary>Writes what is left.</summary>
    public void Dispose()
    {
        lock (_lock)
            _isEnded = true;
        _there.Release();
        _thread.Join();
        _lines.Dispose();
    }

    private void Run()
    {
        try
        {
            while (true)
            {
                _there.Wait();
                Queue<ServedRequest> requests;
                long dropped;
                bool isEnd;
                lock (_lock)
                    (requests, _waiting, dropped, _dropped, isEnd) = (_waiting, new Queue<ServedRequest>(), _dropped, 0, _isEnded);
                foreach (ServedRequest request in requests)
                    Write(request);
                if (dropped > 0)
                    WriteDropped(dropped);
                _lines.Flush();
                _io.Out.Flush();
                if (isEnd)
                    return;
            }
        }
        catch (IOException)
        {
            // Nobody reads any more, or the disk is full. That is no reason to serve nobody.
        }
    }

    private void Write(in ServedRequest request)
    {
        _lines.StartLine();
        _lines.Json.WriteNumber("status", request.Status);
        RpmRepoSnapshot.WriteText(_lines.Json, "method", request.Method);
        RpmRepoSnapshot.WriteText(_lines.Json, "path", request.Target);
        _lines.Json.WriteNumber("bytes", request.Bytes);
        _lines.EndLine();
    }

    private void WriteDropped(long count)
    {
        _lines.StartLine();
        _lines.Json.WriteNumber("dropped", count);
        _lines.EndLine();
    }
}
