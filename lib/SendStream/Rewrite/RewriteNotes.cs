namespace Layerbox.SendStream;

/// <summary>What a rewriting left out because the new form cannot say it: kinds of things and how many.</summary>
public sealed class RewriteNotes
{
    private readonly SortedDictionary<string, long> _counts = new(StringComparer.Ordinal);

    /// <summary>By kind, in the plural ("creation times").</summary>
    public IReadOnlyDictionary<string, long> LeftOut => _counts;

    internal void Count(string what) => _counts[what] = _counts.GetValueOrDefault(what) + 1;
}
