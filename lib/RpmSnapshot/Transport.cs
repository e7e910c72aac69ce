namespace Layerbox.RpmSnapshot;

/// <summary>What all connections of one run share: how long they wait, how often something is tried, how many there are, and how fast.</summary>
public sealed class Transport
{
    /// <summary>How long a connection may take to be made, and then to bring a byte.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);
}
