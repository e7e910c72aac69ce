namespace Layerbox.RpmSnapshot.Http;

/// <summary>How many connections there may be to each server.</summary>
internal sealed class ServerPlaces(int each)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, SemaphoreSlim> _free = [];

    /// <summary>Takes a place, waiting for one if need be.</summary>
    /// <param name="server">Scheme, host and port.</param>
    /// <param name="beforeWaiting">Gives up what others may be waiting for: two that wait for each other would wait for ever.</param>
    /// <returns>Gives it back.</returns>
    public Action Take(string server, Action beforeWaiting, CancellationToken cancellation)
    {
        SemaphoreSlim free;
        lock (_lock)
        {
            if (!_free.TryGetValue(server, out free!))
                _free[server] = free = new SemaphoreSlim(each);
        }
        if (!free.Wait(0, cancellation))
        {
            beforeWaiting();
            free.Wait(cancellation);
        }
        return () => free.Release();
    }
}
