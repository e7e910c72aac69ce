using System.Globalization;
using System.Text.Unicode;

namespace Layerbox.SendStream;

/// <summary>How far a time zone's clocks are before UTC at a moment, in seconds; null when it cannot be told.</summary>
/// <param name="seconds">The moment, in seconds since 1970.</param>
public delegate int? UtcOffset(long seconds);

/// <summary>Moments as strftime's "%FT%T%z" prints them, years as plain numbers. The last ones are kept: streams repeat them.</summary>
internal sealed class DumpTime(UtcOffset zone)
{
    private const int SecondsPerDay = 24 * 3600;

    /// <summary>Zones change their offset at quarters of an hour, with few exceptions in the past, which are looked at.</summary>
    private const int Quarter = 15 * 60;

    private const int Slots = 256, SlotLength = 64;

    private readonly long[] _seconds = new long[Slots];
    private readonly int[] _lengths = new int[Slots];
    private readonly byte[] _texts = new byte[Slots * SlotLength];
    private long _quarter = long.MinValue;
    private int? _quarterOffset;

    public ReadOnlySpan<byte> Text(long seconds)
    {
        int slot = (int)((ulong)seconds % Slots);
        Span<byte> text = _texts.AsSpan(slot * SlotLength, SlotLength);
        if (_lengths[slot] == 0 || _seconds[slot] != seconds)
            (_seconds[slot], _lengths[slot]) = (seconds, Write(text, seconds));
        return text[.._lengths[slot]];
    }

    private int? OffsetAt(long seconds)
    {
        long quarter = seconds / Quarter;
        if (seconds < 0)
            return zone(seconds);
        if (quarter != _quarter)
        {
            (int? first, int? last) = (zone(quarter * Quarter), zone((quarter * Quarter) + Quarter - 1));
            if (first != last)
                return zone(seconds);
            (_quarter, _quarterOffset) = (quarter, first);
        }
        return _quarterOffset;
    }

    private int Write(Span<byte> text, long seconds)
    {
        int written;
        if (OffsetAt(seconds) is not { } offset)
        {
            Utf8.TryWrite(text, CultureInfo.InvariantCulture, $"@{seconds}", out written);
            return written;
        }
        long day = Math.DivRem(seconds + offset, SecondsPerDay, out long second);
        if (second < 0)
            (day, second) = (day - 1, second + SecondsPerDay);
        (long year, int month, int dayOfMonth) = Date(day);
        int minutes = Math.Abs(offset) / 60;
        Utf8.TryWrite(text, CultureInfo.InvariantCulture,
            $"{year}-{month:d2}-{dayOfMonth:d2}T{second / 3600:d2}:{second / 60 % 60:d2}:{second % 60:d2}{(offset < 0 ? '-' : '+')}{minutes / 60:d2}{minutes % 60:d2}",
            out written);
        return written;
    }

    // Years are counted from March, so that the day that may be missing is the last; 400 of them have the same number of days.
    private static (long Year, int Month, int Day) Date(long day)
    {
        const int DaysOf400Years = 146097, DaysOf100Years = 36524, DaysOf4Years = 1461, DaysBefore1970 = 719468;
        day += DaysBefore1970;
        long era = (day >= 0 ? day : day - (DaysOf400Years - 1)) / DaysOf400Years;
        int ofEra = (int)(day - (era * DaysOf400Years));
        int yearOfEra = (ofEra - (ofEra / (DaysOf4Years - 1)) + (ofEra / DaysOf100Years) - (ofEra / (DaysOf400Years - 1))) / 365;
        int ofYear = ofEra - ((365 * yearOfEra) + (yearOfEra / 4) - (yearOfEra / 100));
        int month = ((5 * ofYear) + 2) / 153; // from March: 31 30 31 30 31, again and again
        int dayOfMonth = ofYear - (((153 * month) + 2) / 5) + 1;
        return ((era * 400) + yearOfEra + (month >= 10 ? 1 : 0), month >= 10 ? month - 9 : month + 3, dayOfMonth);
    }
}
