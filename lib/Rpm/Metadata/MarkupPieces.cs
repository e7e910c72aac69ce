using System.Buffers;
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
/// Cuts an XML document into pieces, which joined are the document byte for byte, so that some children of the root can be left out. The document was found
/// well-formed by a real reader before, as for <see cref="MarkupTokens"/>.
/// </summary>
/// <param name="source">The document, decompressed.</param>
/// <param name="element">The children of the root that are cut out, by their names without prefixes.</param>
public sealed class MarkupPieces(Stream source, string element)
{
    /// <summary>More bytes than a package's list of files has.</summary>
    private const int MaxElement = 1 << 28;

    private readonly byte[] _name = Encoding.UTF8.GetBytes(element);
    private readonly MarkupTokens _tokens = new(source);
    private readonly ArrayBufferWriter<byte> _element = new(1 << 14);
    private int _tagLength;
    private int _depth;

    /// <summary>What the current piece is.</summary>
    public MarkupPiece Kind { get; private set; }

    /// <summary>Its bytes, until the next one.</summary>
    public ReadOnlySpan<byte> Bytes => Kind == MarkupPiece.Element ? _element.WrittenSpan : _tokens.Bytes;

    /// <summary>The start tag of an <see cref="MarkupPiece.Element"/>.</summary>
    public ReadOnlySpan<byte> StartTag => _element.WrittenSpan[.._tagLength];

    /// <summary>Goes to the next piece.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="InvalidDataException">It cannot be taken apart.</exception>
    public bool Next()
    {
        Kind = MarkupPiece.Other;
        if (!_tokens.Next())
            return _depth == 0 ? false : throw EndsTooEarly();
        if (_tokens.Kind == MarkupKind.End)
            _depth--;
        else if (_tokens.Kind is MarkupKind.Start or MarkupKind.Empty && _depth <= 1)
        {
            if (_depth == 0)
                Kind = MarkupPiece.Root;
            else if (_tokens.Name.SequenceEqual(_name))
                return Element();
        }
        if (_tokens.Kind == MarkupKind.Start)
            _depth++;
        return true;
    }

    /// <summary>The value of an attribute as it stands in a start tag, without references resolved; empty when there is none.</summary>
    public static ReadOnlySpan<byte> Attribute(ReadOnlySpan<byte> tag, ReadOnlySpan<byte> name) => MarkupTag.Find(tag, name) is { } value ? tag[value] : default;

    /// <summary>A start tag with another value of an attribute that it has.</summary>
    public static byte[] WithAttribute(ReadOnlySpan<byte> tag, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        MarkupTag.Find(tag, name) is { } old ? [.. tag[..old.Start], .. value, .. tag[old.End..]] : tag.ToArray();

    private bool Element()
    {
        _element.ResetWrittenCount();
        _element.Write(_tokens.Bytes);
        _tagLength = _tokens.Bytes.Length;
        for (int depth = _tokens.Kind == MarkupKind.Start ? 1 : 0; depth > 0;)
        {
            if (!_tokens.Next())
                throw EndsTooEarly();
            if (_element.WrittenCount + _tokens.Bytes.Length > MaxElement)
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"an element has more than {MaxElement} bytes"));
            _element.Write(_tokens.Bytes);
            depth += _tokens.Kind switch { MarkupKind.Start => 1, MarkupKind.End => -1, _ => 0 };
        }
        Kind = MarkupPiece.Element;
        return true;
    }

    private static InvalidDataException EndsTooEarly() => new("it ends too early");
}
