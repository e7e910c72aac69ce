namespace Layerbox.Rpm;

/// <summary>The order of versions and releases.</summary>
public static class RpmVersion
{
    /// <summary>
    /// Compares as rpmvercmp does: runs of digits and runs of letters, whatever separates them; numbers by value and above letters; who has
    /// more runs is newer; "~" sorts before everything, even the end; "^" after the end but before everything else.
    /// </summary>
    /// <returns>-1, 0 or 1.</returns>
    public static int Compare(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        while (true)
        {
            a = SkipSeparators(a);
            b = SkipSeparators(b);
            if (a.IsEmpty && b.IsEmpty)
                return 0;
            if (Starts(a, '~') || Starts(b, '~'))
            {
                if (!Starts(a, '~'))
                    return 1;
                if (!Starts(b, '~'))
                    return -1;
                a = a[1..];
                b = b[1..];
                continue;
            }
            if (Starts(a, '^') || Starts(b, '^'))
            {
                if (a.IsEmpty)
                    return -1;
                if (b.IsEmpty)
                    return 1;
                if (!Starts(a, '^'))
                    return 1;
                if (!Starts(b, '^'))
                    return -1;
                a = a[1..];
                b = b[1..];
                continue;
            }
            if (a.IsEmpty)
                return -1;
            if (b.IsEmpty)
                return 1;
            bool isNumber = char.IsAsciiDigit(a[0]);
            ReadOnlySpan<char> runA = TakeRun(ref a, isNumber), runB = TakeRun(ref b, isNumber);
            if (runB.IsEmpty)
                return isNumber ? 1 : -1;
            if (isNumber)
            {
                runA = runA.TrimStart('0');
                runB = runB.TrimStart('0');
                if (runA.Length != runB.Length)
                    return runA.Length > runB.Length ? 1 : -1;
            }
            int order = runA.SequenceCompareTo(runB);
            if (order != 0)
                return Math.Sign(order);
        }
    }

    private static bool Starts(ReadOnlySpan<char> text, char with) => !text.IsEmpty && text[0] == with;

    private static ReadOnlySpan<char> SkipSeparators(ReadOnlySpan<char> text)
    {
        int at = 0;
        while (at < text.Length && !char.IsAsciiLetterOrDigit(text[at]) && text[at] is not ('~' or '^'))
            at++;
        return text[at..];
    }

    private static ReadOnlySpan<char> TakeRun(ref ReadOnlySpan<char> text, bool ofDigits)
    {
        int at = 0;
        while (at < text.Length && (ofDigits ? char.IsAsciiDigit(text[at]) : char.IsAsciiLetter(text[at])))
            at++;
        ReadOnlySpan<char> run = text[..at];
        text = text[at..];
        return run;
    }
}
