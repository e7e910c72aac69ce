using System.Globalization;

namespace Layerbox.Cmd;

/// <summary>Sizes and durations as they are written on command lines.</summary>
internal static class Quantity
{
    /// <summary>Bytes: a whole number, with K, M, G or T for powers of 1024.</summary>
    /// <exception cref="UsageException">Anything else; it names the option.</exception>
    public static long Bytes(string text, string option)
    {
        int shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        return long.TryParse(shift == 0 ? text : text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long count) && count <= long.MaxValue >> shift
            ? count << shift
            : throw new UsageException($"{option}: expected a size such as 4096, 500M or 100G, found '{text}'");
    }

    /// <summary>A time span: a whole number of seconds, or one with s, m, h or d.</summary>
    /// <exception cref="UsageException">Anything else; it names the option.</exception>
    public static TimeSpan Duration(string text, string option)
    {
        const long Longest = 100L * 365 * 24 * 3600;
        int unit = text.Length == 0 ? 0 : text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 24 * 3600, _ => 0 };
        return long.TryParse(unit == 0 ? text : text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long count)
            ? count <= Longest / Math.Max(unit, 1)
                ? TimeSpan.FromSeconds(count * Math.Max(unit, 1))
                : throw new UsageException($"{option}: '{text}' is longer than a hundred years")
            : throw new UsageException($"{option}: expected a duration such as 90s, 10m, 12h or 7d, found '{text}'");
    }
}
