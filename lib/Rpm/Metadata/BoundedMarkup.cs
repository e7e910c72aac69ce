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

    private long _sinceStart;

    /// <exception cref="InvalidDataException">A part is too large.</exception>
    public override int Read(Span<byte> buffer)
    {
        // A part cannot be missed because two of its ends lie in one buffer.
        int count = source.Read(buffer.Length > MaxPart ? buffer[..MaxPart] : buffer);
        ReadOnlySpan<byte> bytes = buffer[..count];
        int first = bytes.IndexOf((byte)'<');
        if (_sinceStart + (first < 0 ? count : first) > MaxPart)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"a tag with the text behind it has more than {MaxPart} bytes"));
        _sinceStart = first < 0 ? _sinceStart + count : count - bytes.LastIndexOf((byte)'<');
        return count;
    }
}
