namespace Layerbox.FileTree;

/// <summary>A moment: seconds since 1970 (may be negative) and nanoseconds, 0 to 999,999,999.</summary>
public readonly record struct Timestamp(long Seconds, uint Nanoseconds = 0) : IComparable<Timestamp>
{
    public int CompareTo(Timestamp other) =>
        Seconds != other.Seconds ? Seconds.CompareTo(other.Seconds) : Nanoseconds.CompareTo(other.Nanoseconds);

    /// <summary>The earlier of the two: how times are clamped to SOURCE_DATE_EPOCH.</summary>
    public Timestamp ClampedTo(Timestamp latest) => CompareTo(latest) > 0 ? latest : this;
}
