namespace Layerbox.RpmSnapshot;

/// <summary>Mirrors in the order in which they are asked: one that failed for a reason that may pass goes to the end, for all connections.</summary>
internal sealed class MirrorOrder(IReadOnlyList<RepoUrl> mirrors)
{
    private RepoUrl[] _now = [.. mirrors];

    public IReadOnlyList<RepoUrl> Now => _now;

    public void Failed(RepoUrl mirror)
    {
        RepoUrl[] now = _now;
        // Only the first: what failed for several connections at once moves once.
        if (now.Length > 1 && now[0] == mirror)
            Interlocked.CompareExchange(ref _now, [.. now[1..], mirror], now);
    }
}
