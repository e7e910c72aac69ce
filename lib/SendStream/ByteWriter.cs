using System.Buffers.Text;
using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Layerbox.SendStream;

/// <summary>Lines of text as bytes, gathered into large writes. Nothing is allocated for a line.</summary>
internal sealed class ByteWriter(Stream output)
{
    private const int FlushLength = 64 << 10;
    private const int LongestNumber = 24;
    private const ulong EightDigits = 100_000_000;
    private const ulong AsciiZeros = 0x3030_3030_3030_3030;

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

    /// <summary>Forgets what was added to the line last.</summary>
    public void TakeBack(int count) => _length -= count;

    public void Fill(byte b, int count)
    {
        Room(count)[..count].Fill(b);
        _length += count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ShortText text)
    {
        Unsafe.WriteUnaligned(ref MemoryMarshal.GetReference(Room(ShortText.MaxLength)), text.Bytes);
        _length += text.Length;
    }

    public void Add(ulong number)
    {
        if (number < 10)
        {
            Add((byte)('0' + number));
            return;
        }
        if (number < EightDigits)
        {
            ulong digits = Digits((uint)number);
            int zeros = BitOperations.TrailingZeroCount(digits) / 8; // the first digit is in the lowest byte
            Unsafe.WriteUnaligned(ref MemoryMarshal.GetReference(Room(sizeof(ulong))), (digits | AsciiZeros) >> (8 * zeros));
            _length += sizeof(ulong) - zeros;
            return;
        }
        (ulong before, ulong last) = Math.DivRem(number, EightDigits);
        Add(before);
        Unsafe.WriteUnaligned(ref MemoryMarshal.GetReference(Room(sizeof(ulong))), Digits((uint)last) | AsciiZeros);
        _length += sizeof(ulong);
    }

    public void Add(long number)
    {
        if (number < 0)
            Add((byte)'-');
        Add(number < 0 ? 0UL - (ulong)number : (ulong)number);
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

    // Eight decimal digits of a number, one a byte, the first in the lowest: parted by 10^4, both parts by 10^2, all four by 10, each time by a
    // multiplication in place of a division. The constants are exact for the numbers that they meet. Lines are mostly numbers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Digits(uint number)
    {
        ulong fours = number / 10_000 + ((ulong)(number % 10_000) << 32);
        ulong hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
        ulong twos = hundreds + ((fours - 100 * hundreds) << 16);
        ulong tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
        return tens + ((twos - 10 * tens) << 8);
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
