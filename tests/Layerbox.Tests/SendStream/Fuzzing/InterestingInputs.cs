namespace Layerbox.Tests.SendStream.Fuzzing;

/// <summary>The smallest input that was seen for each answer: what is worth keeping of many.</summary>
internal sealed class InterestingInputs
{
    private const int MaxLength = 1024;

    private readonly SortedDictionary<string, byte[]> _smallest = new(StringComparer.Ordinal);
    private readonly Dictionary<byte[], HashSet<string>> _answers = new(ReferenceEqualityComparer.Instance);

    public void Offer(byte[] input, IReadOnlyList<string> answers)
    {
        if (input.Length > MaxLength)
            return;
        foreach (string answer in answers)
        {
            if (_smallest.TryGetValue(answer, out byte[]? known) && known.Length <= input.Length)
                continue;
            _smallest[answer] = input;
            _answers.TryAdd(input, [.. answers]);
        }
    }

    /// <summary>Few inputs that give all the answers, those with most answers first.</summary>
    public IReadOnlyList<byte[]> Choose()
    {
        List<byte[]> chosen = [], candidates = [.. _smallest.Values.Distinct()];
        HashSet<string> missing = [.. _smallest.Keys];
        while (missing.Count > 0)
        {
            byte[] best = candidates.MaxBy(input => (_answers[input].Count(missing.Contains), -input.Length))!;
            chosen.Add(best);
            missing.ExceptWith(_answers[best]);
        }
        return chosen;
    }
}
