using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>The records of an extended header that is being written.</summary>
internal sealed class PaxRecords
{
    /// <summary>As many characters as a number can have.</summary>
    private const int NumberLength = 20;

    private readonly ArrayBufferWriter<byte> _bytes = new();

    public bool IsEmpty => _bytes.WrittenCount == 0;

    public ReadOnlySpan<byte> Bytes => _bytes.WrittenSpan;

    public void Clear() => _bytes.ResetWrittenCount();

    public void Add(ReadOnlySpan<byte> key, long value)
    {
        Span<byte> text = stackalloc byte[NumberLength];
        Utf8Formatter.TryFormat(value, text, out int length);
        Add(key, text[..length]);
    }

    /// <summary>Decimal seconds with no more of a fraction than needed, as GNU tar writes it.</summary>
    public void Add(ReadOnlySpan<byte> key, Timestamp time)
    {
        (long seconds, uint nanoseconds) = time;
        bool isNegative = seconds < 0 && nanoseconds > 0;
        if (isNegative)
            (seconds, nanoseconds) = (-(seconds + 1), 1_000_000_000 - nanoseconds);
        Span<byte> text = stackalloc byte[2 * NumberLength];
        text[0] = (byte)'-';
        int length = isNegative ? 1 : 0;
        Utf8Formatter.TryFormat(seconds, text[length..], out int digits);
        length += digits;
        if (nanoseconds > 0)
        {
            text[length++] = (byte)'.';
            Utf8Formatter.TryFormat(nanoseconds, text[length..], out _, new StandardFormat('D', 9));
            length += text.Slice(length, 9).TrimEnd((byte)'0').Length;
        }
        Add(key, text[..length]);
    }

    public void Add(Xattr xattr)
    {
        string name = Encoding.Latin1.GetString(xattr.Name).Replace("%", "%25", StringComparison.Ordinal).Replace("=", "%3D", StringComparison.Ordinal);
        Add(Encoding.Latin1.GetBytes(TarFormat.XattrPrefix + name), xattr.Value);
    }

    public void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        // The length counts its own digits.
        int rest = key.Length + value.Length + 3;
        int length = rest + Digits(rest);
        if (Digits(length) > Digits(rest))
            length = rest + Digits(length);
        Utf8Formatter.TryFormat(length, _bytes.GetSpan(NumberLength), out int digits);
        _bytes.Advance(digits);
        _bytes.Write(" "u8);
        _bytes.Write(key);
        _bytes.Write("="u8);
        _bytes.Write(value);
        _bytes.Write("\n"u8);
    }

    private static int Digits(int number)
    {
        int digits = 1;
        for (; number >= 10; number /= 10)
            digits++;
        return digits;
    }
}
