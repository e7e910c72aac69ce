using System.Globalization;

namespace Layerbox.RpmSnapshot.Serving;

/// <summary>The part of a file that a request wants (RFC 9110, 14).</summary>
/// <param name="Start">Its first byte.</param>
/// <param name="End">Behind its last byte.</param>
internal readonly record struct ByteRange(long Start, long End)
{
    /// <summary>
    /// Understands a header Range. What is malformed, of another unit, or of several ranges, is not to be looked at: the whole is the answer then.
    /// </summary>
    /// <param name="text">As it was sent.</param>
    /// <param name="size">The file's bytes.</param>
    /// <param name="range">The part; the whole when there is nothing to look at.</param>
    /// <returns>200, 206, or 416: it begins beyond the end.</returns>
    public static int Parse(string? text, long size, out ByteRange range)
    {
        const string Unit = "bytes=";
        range = new ByteRange(0, size);
        if (text is null || !text.StartsWith(Unit, StringComparison.OrdinalIgnoreCase) || text.Contains(',', StringComparison.Ordinal))
            return 200;
        ReadOnlySpan<char> spec = text.AsSpan(Unit.Length).Trim();
        int dash = spec.IndexOf('-');
        if (dash < 0 || !Number(spec[..dash], out long? first) || !Number(spec[(dash + 1)..], out long? last) || (first is null && last is null) || last < first)
            return 200;
        if (first >= size || (first is null && (last == 0 || size == 0)))
            return 416;
        range = first is { } start ? new ByteRange(start, last is { } end && end < size ? end + 1 : size) : new ByteRange(Math.Max(size - last!.Value, 0), size);
        return 206;
    }

    private static bool Number(ReadOnlySpan<char> text, out long? number)
    {
        number = null;
        if (text.IsEmpty)
            return true;
        if (text.ContainsAnyExceptInRange('0', '9'))
            return false;
        // More digits than a file can have: beyond any end.
        number = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long parsed) ? parsed : long.MaxValue - 1;
        return true;
    }
}
