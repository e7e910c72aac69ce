using System.Globalization;
using Layerbox.Compression;

namespace Layerbox.Rpm;

/// <summary>
/// The bytes of an XML document, as long as its parts are of bearable size. An XML reader keeps the whole of a tag with all its attributes in
/// memory, and the text up to the next one; each "&lt;" in the document starts something new.
/// </summary>
internal sealed class BoundedMarkup(Stream source) : ReadOnlyStream
{
    /// <summary>More bytes than any tag and the text behind it need.</summary>
    private const int MaxPart = 1 << 20;

    // The reader asks for 4 KiB at a time, which is little for a decompressor: zlib copies up to 32 KiB of each piece for later.
    private readonly byte[] _buffer = new byte[256 * 1024];
    private int _start;
    private int _end;
    private long _sinceStart;

    /// <exception cref="InvalidDataException">A part is too large.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (_start == _end)
            Fill();
        int count = Math.Min(buffer.Length, _end - _start);
        _buffer.AsSpan(_start, count).CopyTo(buffer);
        _start += count;
        return count;
    }

    private void Fill()
    {
        (_start, _end) = (0, source.Read(_buffer, 0, _buffer.Length));
        ReadOnlySpan<byte> bytes = _buffer.AsSpan(0, _end);
        int first = bytes.IndexOf((byte)'<');
        if (_sinceStart + (first < 0 ? bytes.Length : first) > MaxPart)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"a tag with the text behind it has more than {MaxPart} bytes"));
        _sinceStart = first < 0 ? _sinceStart + bytes.Length : bytes.Length - bytes.LastIndexOf((byte)'<');
    }
}
