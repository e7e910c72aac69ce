using System.Buffers.Text;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Layerbox.SendStream;

/// <summary>Lines of text as bytes, gathered into large writes. Nothing is allocated for a line.</summary>
internal sealed class ByteWriter(Stream output)
{
    private const int FlushLength = 64 << 10;
    private const int LongestNumber = 24;

    private byte[] _buffer = new byte[2 * FlushLength];
    private int _length;

    /// <summary>How much is in the buffer: the difference of two, on one line, is how much was added between.</summary>
    public int Length => _length;

    /// <summary>What was added to the line since the buffer had a length.</summary>
    public ReadOnlySpan<byte> Since(int length) => _buffer.AsSpan(length.._length);

    // Inlined, so that constants are stored by a few instructions.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        _length += bytes.Length;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(byte b)
    {
        Room(1)[0] = b;
        _length++;
    }

    public void Fill(byte b, int count)
    {
        Room(count)[..count].Fill(b);
        _length += count;
    }

    public void Add(ulong number)
    {
        if (number < 10)
        {
            Add((byte)('0' + number));
            return;
        }
        number.TryFormat(Room(LongestNumber), out int written, default, CultureInfo.InvariantCulture);
        _length += written;
    }

    public void Add(long number)
    {
        number.TryFormat(Room(LongestNumber), out int written, default, CultureInfo.InvariantCulture);
        _length += written;
    }

    public void AddOctal(ulong number)
    {
        Span<byte> room = Room(LongestNumber);
        int digits = 1;
        while (digits < 22 && number >> (3 * digits) != 0)
            digits++;
        for (int i = digits - 1; i >= 0; i--, number >>= 3)
            room[i] = (byte)('0' + (number & 7));
        _length += digits;
    }

    public void AddHex(ulong number)
    {
        number.TryFormat(Room(LongestNumber), out int written, "x", CultureInfo.InvariantCulture);
        _length += written;
    }

    /// <summary>In lower case with dashes, as RFC 9562 has it.</summary>
    public void AddUuid(Guid uuid)
    {
        const int UuidTextLength = 36;
        uuid.TryFormat(Room(UuidTextLength), out int written);
        _length += written;
    }

    public void AddBase64(ReadOnlySpan<byte> bytes)
    {
        Base64.EncodeToUtf8(bytes, Room(Base64.GetMaxEncodedToUtf8Length(bytes.Length)), out _, out int written);
        _length += written;
    }

    public void EndLine()
    {
        Add((byte)'\n');
        FlushIfFull();
    }

    /// <summary>Writes out what was gathered if it is much. To be called between lines.</summary>
    public void FlushIfFull()
    {
        if (_length >= FlushLength)
            Flush();
    }

    /// <summary>Writes out what was gathered.</summary>
    public void Flush()
    {
        // Forgotten first: after a write that failed, what it held must not be written again.
        int length = _length;
        _length = 0;
        output.Write(_buffer, 0, length);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Span<byte> Room(int count)
    {
        if (_buffer.Length - _length < count)
            Grow(count);
        return _buffer.AsSpan(_length);
    }

    private void Grow(int count) =>
        Array.Resize(ref _buffer, (int)Math.Min(Math.Max(2L * _buffer.Length, _length + (long)count), Array.MaxLength));
}
