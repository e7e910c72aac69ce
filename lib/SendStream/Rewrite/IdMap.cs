namespace Layerbox.SendStream;

/// <summary>Which user or group ids become which.</summary>
/// <param name="ranges">Runs of ids that do not overlap.</param>
/// <param name="isStrict">Whether other ids are refused; else they stay.</param>
public sealed class IdMap(IReadOnlyList<IdMap.Range> ranges, bool isStrict = false)
{
    /// <summary>All ids stay.</summary>
    public static IdMap None { get; } = new([]);

    /// <summary>The new id; null when the old one is refused.</summary>
    public ulong? Map(ulong id)
    {
        foreach (Range range in ranges)
            if (id >= range.Old && id - range.Old < range.Count)
                return range.New + (id - range.Old);
        return isStrict ? null : id;
    }

    /// <summary>So many ids from <paramref name="Old"/> on become those from <paramref name="New"/> on.</summary>
    public readonly record struct Range(uint Old, uint New, uint Count);
}
