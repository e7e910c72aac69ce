using System.Buffers.Text;
using System.Globalization;
using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>A member of a cpio archive.</summary>
/// <param name="Name">As it stands there, without the NUL; empty when <paramref name="Index"/> says which file it is.</param>
/// <param name="Index">Of a member that has nothing but its place in a list that the reader's owner has: that place.</param>
/// <param name="Mode">Kind and permissions, as in st_mode; 0 when only the index is there.</param>
/// <param name="Size">Bytes of data.</param>
/// <param name="Offset">Where its header stands in the archive.</param>
public sealed record CpioMember(byte[] Name, uint? Index, uint Mode, long Size, long Offset);

/// <summary>
/// Reads cpio archives in the "new" ASCII format, forwards: a magic, thirteen numbers of eight hexadecimal digits, a name with a NUL, the
/// data; name and data padded to four bytes.
/// <list type="bullet">
/// <item>070701; 070702 has the sum of the data's bytes, which is checked.</item>
/// <item>07070X, rpm's own for what needs more than 32 bits: the magic, the index of the file in the package's header in eight digits,
/// padding, the data. Whoever has the header says how much that is.</item>
/// <item>The end is a member named TRAILER!!!; of what follows only zeros are accepted.</item>
/// </list>
/// </summary>
public sealed class CpioReader : IDisposable
{
    private const int HeaderSize = 110, MagicSize = 6, DigitsSize = 8, StrippedSize = MagicSize + DigitsSize;
    private const uint KindMask = 0xF000, Regular = 0x8000; // of st_mode

    private readonly TarInput _input;
    private readonly Func<uint, long>? _sizeOf;
    private CpioMember? _member;
    private long _left;
    private uint _sum;
    private uint? _expectedSum;

    /// <param name="source">The archive, not compressed. It stays the caller's.</param>
    /// <param name="sizeOf">Says how many bytes of data the member with an index has; without it there must be none such.</param>
    public CpioReader(Stream source, Func<uint, long>? sizeOf = null)
    {
        _input = new TarInput(source);
        _sizeOf = sizeOf;
    }

    private static ReadOnlySpan<byte> Trailer => "TRAILER!!!"u8;

    /// <summary>How many bytes of the archive were taken so far.</summary>
    public long Offset => _input.Offset;

    /// <summary>The next member; null at the end. What was not taken of the one before is skipped.</summary>
    /// <exception cref="InvalidDataException">The archive is malformed: offset, member, what.</exception>
    public CpioMember? Next()
    {
        while (!Take().IsEmpty)
        {
        }
        long offset = _input.Offset;
        try
        {
            _member = null;
            CpioMember member = TakeHeader(offset);
            _left = member.Size;
            if (member.Index is null && member.Name.AsSpan().SequenceEqual(Trailer))
            {
                TakeEnd();
                return null;
            }
            return _member = member;
        }
        catch (TarDefect defect)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"cpio: offset {defect.Offset ?? offset}: {defect.Message}"));
        }
    }

    /// <summary>Some of the data of the current member, valid until the next call; nothing when all was taken.</summary>
    /// <exception cref="InvalidDataException">The archive ends before, or the sum is not right.</exception>
    public ReadOnlySpan<byte> Take()
    {
        if (_member is not { } member)
            return default;
        try
        {
            if (_left == 0)
            {
                EndData(member);
                return default;
            }
            ReadOnlySpan<byte> piece = _input.Take(_left);
            _left -= piece.Length;
            if (_expectedSum is not null)
                foreach (byte b in piece)
                    _sum += b;
            return piece;
        }
        catch (TarDefect defect)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"cpio: offset {defect.Offset ?? member.Offset}: member '{NameOf(member)}': {defect.Message}"));
        }
    }

    public void Dispose() => _input.Dispose();

    private static string NameOf(CpioMember member) => member.Index is { } index ? string.Create(CultureInfo.InvariantCulture, $"{index}") : BytesText.Escape(member.Name);

    private void EndData(CpioMember member)
    {
        _member = null;
        _input.Skip(Padding(member.Size));
        uint? expected = _expectedSum;
        _expectedSum = null;
        if (expected is { } sum && sum != _sum)
            throw new TarDefect(string.Create(CultureInfo.InvariantCulture, $"the sum of its bytes is {_sum}, and {sum} by its header"), member.Offset);
    }

    private CpioMember TakeHeader(long offset)
    {
        ReadOnlySpan<byte> header = _input.Peek(HeaderSize);
        if (header.StartsWith("07070X"u8) && header.Length >= StrippedSize)
            return TakeStripped(header, offset);
        bool hasSum = header.StartsWith("070702"u8);
        if (!hasSum && !header.StartsWith("070701"u8))
            throw new TarDefect(header.IsEmpty ? "the archive ends without a trailer" : "no member starts here");
        if (header.Length < HeaderSize)
            throw new TarDefect("the archive ends within a header", offset + header.Length);
        (uint mode, uint size, uint nameSize, uint sum) = (Number(header, 1), Number(header, 6), Number(header, 11), Number(header, 12));
        if (nameSize is 0 or > TreePath.MaxLength + 2)
            throw new TarDefect(string.Create(CultureInfo.InvariantCulture, $"a name of {nameSize} bytes"));
        _input.Skip(HeaderSize);
        byte[] name = _input.TakeArray((int)nameSize);
        if (name.AsSpan().IndexOf((byte)0) != name.Length - 1)
            throw new TarDefect("a name does not end with its only NUL");
        _input.Skip(Padding(HeaderSize + nameSize));
        // Links have none, though their targets are data, too; nor have names of a file whose bytes come with another.
        bool isSummed = hasSum && (mode & KindMask) == Regular && size > 0;
        (_expectedSum, _sum) = (isSummed ? sum : null, 0);
        return new CpioMember(name[..^1], null, mode, size, offset);
    }

    private CpioMember TakeStripped(ReadOnlySpan<byte> header, long offset)
    {
        uint index = Number(header[..StrippedSize], 0);
        if (_sizeOf is null)
            throw new TarDefect("a member without a name");
        _input.Skip(StrippedSize + Padding(StrippedSize));
        _expectedSum = null;
        return new CpioMember([], index, 0, _sizeOf(index), offset);
    }

    private void TakeEnd()
    {
        if (_left > 0)
            throw new TarDefect("the trailer has data");
        while (_input.Peek(1).Length > 0)
        {
            long offset = _input.Offset;
            if (_input.Take(int.MaxValue).IndexOfAnyExcept((byte)0) is var at and >= 0)
                throw new TarDefect("something follows the trailer", offset + at);
        }
    }

    private static uint Number(ReadOnlySpan<byte> header, int field)
    {
        ReadOnlySpan<byte> digits = header.Slice(MagicSize + (field * DigitsSize), DigitsSize);
        return Utf8Parser.TryParse(digits, out uint number, out int used, 'x') && used == DigitsSize
            ? number
            : throw new TarDefect($"'{BytesText.Escape(digits)}' is no number of eight hexadecimal digits");
    }

    private static long Padding(long size) => -size & 3;
}
