using System.Globalization;
using System.Text;

namespace Layerbox.Rpm;

/// <summary>What a piece of a document is.</summary>
public enum MarkupPiece
{
    /// <summary>The root element's start tag.</summary>
    Root,

    /// <summary>A child of the root of the name that was asked for, whole.</summary>
    Element,

    /// <summary>Anything else: text, comments, other elements, the end.</summary>
    Other,
}

/// <summary>
/// Cuts an XML document into pieces, which joined are the document byte for byte. For documents that a real reader found well-formed: this one looks for
/// tags, comments and the like only, and refuses what it would take apart wrongly.
/// </summary>
/// <param name="source">The document, decompressed, in UTF-8 or another encoding that has ASCII in it.</param>
/// <param name="element">The children of the root that are cut out, by their names without prefixes.</param>
public sealed class MarkupPieces(Stream source, string element)
{
    /// <summary>More bytes than a package's list of files has.</summary>
    private const int MaxPiece = 1 << 28;

    private readonly byte[] _name = Encoding.UTF8.GetBytes(element);
    private byte[] _buffer = new byte[1 << 18];
    private int _start; // of the piece
    private int _end; // of what was read
    private long _offset; // of _start in the document
    private int _length;
    private int _tagLength;
    private int _depth;
    private bool _isAtEnd;

    /// <summary>What the current piece is.</summary>
    public MarkupPiece Kind { get; private set; }

    /// <summary>Its bytes, until the next one.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(_start, _length);

    /// <summary>The start tag of an <see cref="MarkupPiece.Element"/>, or of the root.</summary>
    public ReadOnlySpan<byte> StartTag => _buffer.AsSpan(_start, _tagLength);

    /// <summary>Goes to the next piece.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="InvalidDataException">It cannot be taken apart; says the offset.</exception>
    public bool Next()
    {
        _start += _length;
        _offset += _length;
        _length = 0;
        Kind = MarkupPiece.Other;
        if (!Has(0))
            return _depth == 0 ? false : throw Fault("it ends too early");
        if (_offset == 0)
            CheckEncoding();
        if (At(0) != '<')
        {
            _length = IndexOf(0, '<') is var next and >= 0 ? next : _end - _start;
            return true;
        }
        int before = _depth;
        _length = _tagLength = Tag(0);
        if (At(1) is (byte)'/' or (byte)'!' or (byte)'?')
            return true;
        if (before == 0)
            Kind = MarkupPiece.Root;
        if (before != 1 || !IsNamed(StartTag))
            return true;
        Kind = MarkupPiece.Element;
        while (_depth > 1)
        {
            int tag = IndexOf(_length, '<');
            _length = tag < 0 ? throw Fault("it ends too early") : tag + Tag(tag);
        }
        return true;
    }

    /// <summary>The value of an attribute as it stands in a start tag, without references resolved; empty when there is none.</summary>
    public static ReadOnlySpan<byte> Attribute(ReadOnlySpan<byte> tag, ReadOnlySpan<byte> name)
    {
        (int start, int length) = FindAttribute(tag, name);
        return tag.Slice(start, length);
    }

    /// <summary>A start tag with another value of an attribute that it has.</summary>
    public static byte[] WithAttribute(ReadOnlySpan<byte> tag, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        (int start, int length) = FindAttribute(tag, name);
        return start == 0 ? tag.ToArray() : [.. tag[..start], .. value, .. tag[(start + length)..]];
    }

    private static (int Start, int Length) FindAttribute(ReadOnlySpan<byte> tag, ReadOnlySpan<byte> name)
    {
        for (int i = 0; i < tag.Length; i++)
        {
            if (tag[i] is not ((byte)'"' or (byte)'\''))
                continue;
            int length = tag[(i + 1)..].IndexOf(tag[i]);
            if (length < 0)
                break;
            // Backwards from the quote: the equals sign, the name, and white space before it.
            ReadOnlySpan<byte> before = tag[..i].TrimEnd(" \t\r\n"u8);
            if (before is [.., (byte)'='] && before[..^1].TrimEnd(" \t\r\n"u8) is var names && names.EndsWith(name)
                && names.Length > name.Length && names[^(name.Length + 1)] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
                return (i + 1, length);
            i += length + 1;
        }
        return (0, 0);
    }

    private bool IsNamed(ReadOnlySpan<byte> tag)
    {
        int end = tag.IndexOfAny(" \t\r\n/>"u8);
        ReadOnlySpan<byte> name = tag[1..end];
        return name[(name.IndexOf((byte)':') + 1)..].SequenceEqual(_name);
    }

    /// <summary>The length of the markup at a "&lt;", and what it does to the depth.</summary>
    private int Tag(int at)
    {
        if (Starts(at, "<!--"u8))
            return Until(at, 4, "-->"u8);
        if (Starts(at, "<![CDATA["u8))
            return Until(at, 9, "]]>"u8);
        if (Starts(at, "<?"u8))
            return Until(at, 2, "?>"u8);
        if (Starts(at, "<!"u8))
            throw Fault("it has a document type");
        int position = at + 1;
        while (true)
        {
            position = IndexOfAny(position, ">\"'"u8);
            if (position < 0)
                throw Fault("a tag does not end");
            if (At(position) == '>')
                break;
            int quote = IndexOf(position + 1, (char)At(position));
            position = quote < 0 ? throw Fault("a quoted value does not end") : quote + 1;
        }
        if (At(at + 1) == '/')
            _depth = _depth > 0 ? _depth - 1 : throw Fault("an end without a beginning");
        else if (At(position - 1) != '/')
            _depth++;
        return position + 1 - at;
    }

    private int Until(int at, int after, ReadOnlySpan<byte> end)
    {
        for (int position = at + after; ; position++)
        {
            position = IndexOf(position, (char)end[0]);
            if (position < 0)
                throw Fault("a comment or the like does not end");
            if (Starts(position, end))
                return position + end.Length - at;
        }
    }

    private void CheckEncoding()
    {
        if (Starts(0, [0xFF, 0xFE]) || Starts(0, [0xFE, 0xFF]) || At(0) == 0 || (Has(1) && At(1) == 0))
            throw Fault("it is in UTF-16 or UTF-32");
        if (!Starts(0, "<?xml"u8))
            return;
        int length = Until(0, 2, "?>"u8);
        string encoding = Encoding.Latin1.GetString(Attribute(_buffer.AsSpan(_start, length), "encoding"u8)).ToUpperInvariant();
        if (encoding is not ("" or "UTF-8" or "US-ASCII" or "ASCII") && !encoding.StartsWith("ISO-8859-", StringComparison.Ordinal))
            throw Fault($"its encoding is {encoding}, not UTF-8");
    }

    private byte At(int position) => _buffer[_start + position];

    private bool Starts(int at, ReadOnlySpan<byte> text) => Has(at + text.Length - 1) && _buffer.AsSpan(_start + at, text.Length).SequenceEqual(text);

    private int IndexOf(int from, char what) => IndexOfAny(from, [(byte)what]);

    /// <summary>Where one of these bytes is, seen from the piece's start; -1 at the document's end.</summary>
    private int IndexOfAny(int from, ReadOnlySpan<byte> what)
    {
        while (true)
        {
            int found = _start + from < _end ? _buffer.AsSpan((_start + from).._end).IndexOfAny(what) : -1;
            if (found >= 0)
                return from + found;
            from = Math.Max(from, _end - _start);
            if (!Has(from))
                return -1;
        }
    }

    /// <summary>Whether the document has a byte so far behind the piece's start, which is read then.</summary>
    private bool Has(int position)
    {
        while (_start + position >= _end && !_isAtEnd)
        {
            if (_start > 0)
            {
                _buffer.AsSpan(_start.._end).CopyTo(_buffer);
                (_start, _end) = (0, _end - _start);
            }
            if (_end == _buffer.Length)
                Array.Resize(ref _buffer, _buffer.Length < MaxPiece ? 2 * _buffer.Length : throw Fault(string.Create(CultureInfo.InvariantCulture, $"a piece of it has more than {MaxPiece} bytes")));
            int count = source.Read(_buffer, _end, _buffer.Length - _end);
            _end += count;
            _isAtEnd = count == 0;
        }
        return _start + position < _end;
    }

    private InvalidDataException Fault(string reason) => new(string.Create(CultureInfo.InvariantCulture, $"xml: offset {_offset}: {reason}"));
}
