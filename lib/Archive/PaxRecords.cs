using System.Buffers;
using System.Globalization;
using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>The records of an extended header that is being written.</summary>
internal sealed class PaxRecords
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public bool IsEmpty => _bytes.WrittenCount == 0;

    public ReadOnlySpan<byte> Bytes => _bytes.WrittenSpan;

    public void Clear() => _bytes.ResetWrittenCount();

    public void Add(string key, long value) => Add(Encoding.ASCII.GetBytes(key), Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture)));

    public void Add(string key, ReadOnlySpan<byte> value) => Add(Encoding.ASCII.GetBytes(key), value);

    public void Add(string key, Timestamp time) => Add(Encoding.ASCII.GetBytes(key), Encoding.ASCII.GetBytes(Text(time)));

    public void Add(Xattr xattr)
    {
        string name = Encoding.Latin1.GetString(xattr.Name).Replace("%", "%25", StringComparison.Ordinal).Replace("=", "%3D", StringComparison.Ordinal);
        Add(Encoding.Latin1.GetBytes(TarFormat.XattrPrefix + name), xattr.Value);
    }

    private void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        // The length counts its own digits.
        int rest = key.Length + value.Length + 3;
        int length = rest + Digits(rest);
        if (Digits(length) > Digits(rest))
            length = rest + Digits(length);
        _bytes.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{length} ")));
        _bytes.Write(key);
        _bytes.Write("="u8);
        _bytes.Write(value);
        _bytes.Write("\n"u8);
    }

    private static int Digits(int number) => number.ToString(CultureInfo.InvariantCulture).Length;

    /// <summary>Decimal seconds with no more of a fraction than needed, as GNU tar writes it.</summary>
    private static string Text(Timestamp time)
    {
        (long seconds, uint nanoseconds) = time;
        if (nanoseconds == 0)
            return seconds.ToString(CultureInfo.InvariantCulture);
        bool isNegative = seconds < 0;
        if (isNegative)
            (seconds, nanoseconds) = (-(seconds + 1), 1_000_000_000 - nanoseconds);
        return string.Create(CultureInfo.InvariantCulture, $"{(isNegative ? "-" : "")}{seconds}.{nanoseconds:D9}").TrimEnd('0');
    }
}
