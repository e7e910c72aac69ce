using System.Globalization;
using System.Text;

namespace Layerbox.Rpm;

/// <summary>What a piece of an XML document is.</summary>
internal enum MarkupKind
{
    /// <summary>Text, a comment, a processing instruction: what nobody changes. A long text may come in several pieces.</summary>
    Other,

    /// <summary>The start tag of an element.</summary>
    Start,

    /// <summary>An element that is one tag.</summary>
    Empty,

    /// <summary>The end tag of an element.</summary>
    End,
}

/// <summary>
/// Cuts an XML document into pieces that put together are the document again, byte for byte: for changing or leaving out some and nothing else. It is no
/// judge of XML: the document was read by <see cref="MetadataXml"/> before, and is well-formed, without a DTD.
/// </summary>
internal sealed class MarkupTokens
{
    private const int MaxPiece = 1 << 20;

    private readonly Stream _source;
    private byte[] _buffer = new byte[64 * 1024];
    private int _start, _end, _length;

    /// <exception cref="InvalidDataException">It is not in UTF-8.</exception>
    public MarkupTokens(Stream source)
    {
        _source = source;
        Fill();
        if (Rest is [0xFE, 0xFF, ..] or [0xFF, 0xFE, ..] or [0, ..] or [(byte)'<', 0, ..])
            throw new InvalidDataException("it is in UTF-16 or UTF-32, in which nothing can be changed in place");
        if (Next() && Bytes.StartsWith("<?xml"u8) && MarkupTag.Find(Bytes, "encoding"u8) is { } place
            && Encoding.Latin1.GetString(Bytes[place]).ToUpperInvariant() is var encoding
            && encoding is not ("UTF-8" or "US-ASCII"))
            throw new InvalidDataException($"its encoding is {FileTree.BytesText.Escape(Bytes[place])}, not UTF-8");
        _length = 0; // it is the first piece again
    }

    public MarkupKind Kind { get; private set; }

    /// <summary>The piece as it stands there.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(_start, _length);

    /// <summary>The name of a tag's element, without a prefix.</summary>
    public ReadOnlySpan<byte> Name
    {
        get
        {
            ReadOnlySpan<byte> name = FullName;
            return name[(name.IndexOf((byte)':') + 1)..];
        }
    }

    /// <summary>The name with its prefix.</summary>
    public ReadOnlySpan<byte> FullName => MarkupTag.NameOf(Bytes[(Kind == MarkupKind.End ? 2 : 1)..]);

    private ReadOnlySpan<byte> Rest => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Goes to the next piece.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="InvalidDataException">It ends amid a tag, or a piece is too large.</exception>
    public bool Next()
    {
        _start += _length;
        _length = 0;
        if (_start == _end && !Fill())
            return false;
        if (_buffer[_start] != '<')
        {
            int next = Rest.IndexOf((byte)'<');
            (Kind, _length) = (MarkupKind.Other, next < 0 ? Rest.Length : next);
            return true;
        }
        while (!TryTag())
            if (!Fill())
                throw new InvalidDataException("it ends amid a tag");
        return true;
    }

    private bool TryTag()
    {
        ReadOnlySpan<byte> rest = Rest;
        if (rest.Length < 2)
            return false;
        if (rest[1] == '!')
        {
            const int LongestStart = 9; // <![CDATA[
            if (rest.Length < LongestStart)
                return false;
            return rest.StartsWith("<!--"u8) ? Ends("<!--"u8.Length, "-->"u8) : rest.StartsWith("<![CDATA["u8) ? Ends(LongestStart, "]]>"u8) : throw new InvalidDataException("it has a document type (DTD)");
        }
        if (rest[1] == '?')
            return Ends(2, "?>"u8);
        for (int at = 1; rest[at..].IndexOfAny("\"'>"u8) is var found and >= 0;)
        {
            at += found;
            if (rest[at] == '>')
            {
                _length = at + 1;
                Kind = rest[1] == '/' ? MarkupKind.End : rest[at - 1] == '/' ? MarkupKind.Empty : MarkupKind.Start;
                return true;
            }
            int close = rest[(at + 1)..].IndexOf(rest[at]);
            if (close < 0)
                return false;
            at += close + 2;
        }
        return false;
    }

    private bool Ends(int from, ReadOnlySpan<byte> end)
    {
        int found = Rest[from..].IndexOf(end);
        if (found < 0)
            return false;
        (Kind, _length) = (MarkupKind.Other, from + found + end.Length);
        return true;
    }

    private bool Fill()
    {
        int kept = _end - _start;
        if (kept > MaxPiece)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"a tag or comment has more than {MaxPiece} bytes"));
        byte[] into = kept > _buffer.Length / 2 ? new byte[2 * _buffer.Length] : _buffer;
        Rest.CopyTo(into);
        (_buffer, _start, _end) = (into, 0, kept);
        int count = _source.Read(_buffer, kept, _buffer.Length - kept);
        _end += count;
        return count > 0;
    }
}
