using System.Buffers;

namespace Layerbox.Rpm;

/// <summary>An attribute in a tag: where the space before it begins, and where its name and its value are, without quotes.</summary>
internal readonly record struct MarkupAttribute(int Space, Range Name, Range Value);

/// <summary>The attributes of a start tag of a well-formed document, as they stand there.</summary>
internal static class MarkupTag
{
    private static readonly SearchValues<byte> s_space = SearchValues.Create(" \t\r\n"u8);
    private static readonly SearchValues<byte> s_nameEnd = SearchValues.Create(" \t\r\n/>"u8);

    /// <summary>The name in what follows "&lt;" or "&lt;/", with its prefix.</summary>
    public static ReadOnlySpan<byte> NameOf(ReadOnlySpan<byte> tag) => tag[..tag.IndexOfAny(s_nameEnd)];

    /// <summary>The attribute after the one that this gave before; null when there is none.</summary>
    /// <param name="tag">From "&lt;" on.</param>
    /// <param name="at">0 for the first one.</param>
    public static MarkupAttribute? Next(ReadOnlySpan<byte> tag, ref int at)
    {
        if (at == 0)
            at = Math.Max(tag.IndexOfAny(s_space), 0);
        int space = at;
        int start = tag[at..].IndexOfAnyExcept(s_space), equals = tag[at..].IndexOf((byte)'=');
        if (at == 0 || start < 0 || equals < 0)
            return null;
        (start, equals) = (at + start, at + equals);
        int open = tag[equals..].IndexOfAny((byte)'"', (byte)'\'') + equals;
        int close = tag[(open + 1)..].IndexOf(tag[open]) + open + 1;
        at = close + 1;
        return new MarkupAttribute(space, start..(start + tag[start..equals].TrimEnd(" \t\r\n"u8).Length), (open + 1)..close);
    }

    /// <summary>Where an attribute's value is; null when the tag has no such attribute.</summary>
    public static Range? Find(ReadOnlySpan<byte> tag, ReadOnlySpan<byte> name)
    {
        for (int at = 0; Next(tag, ref at) is { } attribute;)
            if (tag[attribute.Name].SequenceEqual(name))
                return attribute.Value;
        return null;
    }
}
