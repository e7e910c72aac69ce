using Layerbox.RpmSnapshot.Http;

namespace Layerbox.RpmSnapshot;

/// <summary>What all connections of one run share: how long they wait, how often something is tried, how many there are, and how fast.</summary>
public sealed class Transport
{
    private const int MaxConnections = 64;
    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(0.5), s_longestPause = TimeSpan.FromMinutes(1);

    private readonly int _connectionsPerServer = MaxConnections;

    /// <summary>How long a connection may take to be made, and then to bring a byte.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often what failed for a reason that may pass is tried again, from all mirrors.</summary>
    public int Retries { get; init; } = 4;

    /// <summary>Bytes a second over all connections; null for as fast as it goes.</summary>
    public long? Bandwidth
    {
        get;
        init => Throttle = (field = value) is { } rate ? new Throttle(rate) : null;
    }

    /// <summary>Connections to one server.</summary>
    public int ConnectionsPerServer
    {
        get => _connectionsPerServer;
        init => Places = new ServerPlaces(_connectionsPerServer = value);
    }

    internal Throttle? Throttle { get; private init; }

    internal ServerPlaces Places { get; private init; } = new(MaxConnections);

    /// <summary>How long to wait before trying again: twice as long each time, or as long as a server asks for, and a minute at most.</summary>
    /// <param name="failed">Times that it failed before this one.</param>
    /// <param name="asked">What the servers asked for.</param>
    internal static TimeSpan Pause(int failed, TimeSpan asked)
    {
        TimeSpan own = failed < 7 ? s_firstPause * (1 << failed) : s_longestPause;
        TimeSpan longer = own > asked ? own : asked;
        return longer < s_longestPause ? longer : s_longestPause;
    }
}
