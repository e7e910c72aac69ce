using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Layerbox.FileTree;

/// <summary>Text that is written as UTF-8 into large writes, inside a JSON string: what is escaped is escaped twice.</summary>
internal sealed class ByteText(Stream stream) : IDisposable
{
    private const int BufferLength = 64 << 10, LongestNumber = 20;

    private static readonly SearchValues<byte> s_plain = SearchValues.Create(Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (byte)c).Where(c => c is not ((byte)'"' or (byte)'\\' or (byte)'\'')).ToArray());

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
    private int _used;

    public void Add(byte b)
    {
        if (_used == _buffer.Length)
            Flush();
        _buffer[_used++] = b;
    }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > _buffer.Length - _used)
            Flush();
        if (bytes.Length > _buffer.Length)
        {
            stream.Write(bytes);
            return;
        }
        bytes.CopyTo(_buffer.AsSpan(_used));
        _used += bytes.Length;
    }

    public void Add(long number)
    {
        if (_buffer.Length - _used < LongestNumber)
            Flush();
        Utf8Formatter.TryFormat(number, _buffer.AsSpan(_used), out int length);
        _used += length;
    }

    /// <summary>Text that has no escapes yet: what JSON wants is escaped.</summary>
    public void Add(string text)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value is '"' or '\\')
                Add((byte)'\\');
            Add(utf8[..rune.EncodeToUtf8(utf8)]);
        }
    }

    /// <summary>Nanoseconds as the fraction of a second, with its point and without zeros at its end.</summary>
    public void AddFraction(uint nanoseconds)
    {
        const int Digits = 9;
        Span<byte> fraction = stackalloc byte[1 + Digits];
        fraction[0] = (byte)'.';
        for (int at = Digits; at > 0; at--, nanoseconds /= 10)
            fraction[at] = (byte)('0' + (nanoseconds % 10));
        Add(fraction.TrimEnd((byte)'0'));
    }

    /// <summary>A permission mode in octal.</summary>
    public void AddOctal(uint number)
    {
        Span<byte> digits = stackalloc byte[11];
        int at = digits.Length;
        do
            digits[--at] = (byte)('0' + (number & 7));
        while ((number >>= 3) != 0);
        Add(digits[at..]);
    }

    /// <summary>Bytes as <see cref="BytesText"/> writes them; where they stand between apostrophes, those are escaped too.</summary>
    public void AddEscaped(ReadOnlySpan<byte> bytes, bool isQuoted = false)
    {
        if (!bytes.ContainsAnyExcept(s_plain))
            Add(bytes);
        else
            Add(isQuoted ? BytesText.Escape(bytes).Replace("'", "\\x27", StringComparison.Ordinal) : BytesText.Escape(bytes));
    }

    public void Flush()
    {
        stream.Write(_buffer.AsSpan(0, _used));
        _used = 0;
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
}
