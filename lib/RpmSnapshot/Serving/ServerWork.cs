namespace Layerbox.RpmSnapshot.Serving;

/// <summary>What a server's loop must not wait for, done by a few other threads; what follows is done by the loop again.</summary>
/// <param name="wake">Makes the loop come to <see cref="Finish"/>.</param>
internal sealed class ServerWork(Action wake) : IDisposable
{
    private static readonly int s_threads = Math.Clamp(Environment.ProcessorCount, 2, 8);

    private readonly object _lock = new(); // of Monitor, which can wait
    private readonly Queue<Func<Action>> _waiting = new();
    private readonly Queue<Action> _done = new();
    private int _threads, _idle;
    private bool _isEnded;

    /// <summary>Has something done.</summary>
    /// <param name="work">Runs on another thread; it gives what the loop is to do with the result, and throws nothing.</param>
    public void Start(Func<Action> work)
    {
        lock (_lock)
        {
            _waiting.Enqueue(work);
            if (_idle >= _waiting.Count || _threads == s_threads)
            {
                Monitor.Pulse(_lock);
                return;
            }
            _threads++;
        }
        new Thread(Run) { IsBackground = true, Name = "serve" }.Start();
    }

    /// <summary>On the loop: does what follows of all that is done.</summary>
    public void Finish()
    {
        while (true)
        {
            Action? next;
            lock (_lock)
                if (!_done.TryDequeue(out next))
                    return;
            next();
        }
    }

    /// <summary>Nothing more is begun; what runs comes to its end unheard.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isEnded = true;
            Monitor.PulseAll(_lock);
        }
    }

    private void Run()
    {
        while (true)
        {
            Func<Action>? work;
            lock (_lock)
            {
                _idle++;
                while (!_isEnded && _waiting.Count == 0)
                    Monitor.Wait(_lock);
                _idle--;
                if (_isEnded)
                    return;
                work = _waiting.Dequeue();
            }
            Action next = work();
            lock (_lock)
            {
                if (_isEnded)
                    return;
                _done.Enqueue(next);
                wake();
            }
        }
    }
}
