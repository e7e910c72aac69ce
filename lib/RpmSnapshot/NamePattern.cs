namespace Layerbox.RpmSnapshot;

/// <summary>Patterns of names, as shells have them: <c>*</c> is any characters, <c>?</c> one; all else is itself.</summary>
internal static class NamePattern
{
    /// <summary>Whether a pattern has any of the two at all.</summary>
    public static bool IsPattern(string text) => text.AsSpan().ContainsAny('*', '?');

    /// <summary>Whether the whole name is what the pattern says. Time grows with both lengths multiplied at most.</summary>
    public static bool Matches(string pattern, string name)
    {
        int p = 0, n = 0, star = -1, from = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                (star, from) = (p++, n);
            }
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == name[n]))
            {
                p++;
                n++;
            }
            else if (star >= 0)
            {
                p = star + 1; // the last star takes one more
                n = ++from;
            }
            else
            {
                return false;
            }
        }
        while (p < pattern.Length && pattern[p] == '*')
            p++;
        return p == pattern.Length;
    }
}
