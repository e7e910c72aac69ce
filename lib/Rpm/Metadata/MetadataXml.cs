using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Xml;

namespace Layerbox.Rpm;

/// <summary>
/// A repository's XML, read forwards, from strangers: no DTD and so no entities of their own, bounded depth, bounded texts and tags. What is not known
/// is passed over. Names count without their namespaces' prefixes, as all readers of this metadata have it.
/// </summary>
internal sealed class MetadataXml : IDisposable
{
    private const int MaxDepth = 32;
    private const int MaxText = 1 << 20; // characters

    private readonly XmlReader _reader;
    private XmlNodeType _kind; // of the reader's node

    public MetadataXml(Stream source)
    {
        XmlReaderSettings settings = new()
        {
            DtdProcessing = DtdProcessing.Prohibit,
            XmlResolver = null,
            IgnoreComments = true,
            IgnoreProcessingInstructions = true,
            IgnoreWhitespace = true,
            CloseInput = false,
            NameTable = new MetadataNames(),
        };
        _reader = XmlReader.Create(new BoundedMarkup(source), settings);
    }

    /// <summary>Is given all that is left behind, as long as there is one.</summary>
    public IncrementalHash? Witness { get; set; }

    /// <summary>The current element's name.</summary>
    public string Name => _reader.LocalName;

    /// <summary>Goes to the root element and checks its name.</summary>
    public void ReadRoot(string name)
    {
        if (ReadRoot() != name)
            throw Fault($"the document is a '{Printable(Name)}', expected '{name}'");
    }

    /// <summary>Goes to the root element and says its name.</summary>
    public string ReadRoot()
    {
        while (Advance() && _kind != XmlNodeType.Element)
        {
        }
        return Name;
    }

    /// <summary>
    /// Goes to each child element of the current one in turn. Whoever is given one must read it (<see cref="Text"/>, <see cref="Children"/>) or
    /// pass it over (<see cref="Skip"/>).
    /// </summary>
    public Childhood Children()
    {
        if (_reader.IsEmptyElement)
        {
            Advance();
            return new Childhood(this, -1);
        }
        int depth = _reader.Depth;
        Advance();
        return new Childhood(this, depth);
    }

    /// <summary>The children of an element, as they are read.</summary>
    internal readonly struct Childhood(MetadataXml xml, int depth)
    {
        public bool Next()
        {
            if (depth < 0)
                return false;
            while (xml._kind != XmlNodeType.Element)
            {
                bool isEnd = xml._kind == XmlNodeType.EndElement && xml._reader.Depth == depth;
                if (!xml.Advance() && !isEnd)
                    throw xml.Fault("it ends too early");
                if (isEnd)
                    return false;
            }
            return true;
        }
    }

    /// <summary>An attribute of the current element; null when it has none of that name.</summary>
    public string? Attribute(string name) => _reader.GetAttribute(name);

    /// <summary>The attribute xml:base.</summary>
    public string? Base => _reader.GetAttribute("base", "http://www.w3.org/XML/1998/namespace");

    /// <summary>A number in an attribute; null when it is not there.</summary>
    /// <exception cref="InvalidDataException">It is none from 0 to 2^63-1.</exception>
    public long? NumberAttribute(string name) => Attribute(name) is { } text ? Number(text, name) : null;

    /// <summary>The text of the current element, which is left behind.</summary>
    public string Text()
    {
        string name = Name;
        if (_reader.IsEmptyElement)
        {
            Advance();
            return "";
        }
        Advance();
        string text = "";
        StringBuilder? more = null;
        for (; _kind != XmlNodeType.EndElement; Advance())
        {
            if (_kind == XmlNodeType.Element)
                throw Fault($"'{name}' holds an element '{Printable(Name)}', where text is expected");
            if (text.Length == 0)
                text = _reader.Value;
            else
                (more ??= new StringBuilder(text)).Append(_reader.Value);
            if (text.Length > MaxText || more?.Length > MaxText)
                throw Fault(string.Create(CultureInfo.InvariantCulture, $"the text of '{name}' has more than {MaxText} characters"));
        }
        Advance();
        return more?.ToString() ?? text;
    }

    /// <summary>A number as the text of the current element.</summary>
    public long NumberText()
    {
        string name = Name;
        return Number(Text(), name);
    }

    /// <summary>Leaves the current element behind, with all that is in it.</summary>
    public void Skip()
    {
        int depth = _reader.Depth;
        if (!_reader.IsEmptyElement)
            while (Advance() && (_kind != XmlNodeType.EndElement || _reader.Depth != depth))
            {
            }
        Advance();
    }

    /// <summary>Reads what follows the root element, which must be nothing.</summary>
    public void ReadEnd()
    {
        while (Advance())
        {
        }
    }

    public InvalidDataException Fault(string reason)
    {
        IXmlLineInfo place = (IXmlLineInfo)_reader;
        return new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"xml: line {place.LineNumber}, column {place.LinePosition}: {reason}"));
    }

    private long Number(string text, string name) =>
        long.TryParse(text.AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : throw Fault($"'{name}': '{Printable(text)}' is no number from 0 to 2^63-1");

    private static string Printable(string text) => FileTree.BytesText.Escape(Encoding.UTF8.GetBytes(text.Length > 100 ? text[..100] : text));

    private void Show(IncrementalHash witness)
    {
        witness.AppendData([(byte)_kind]);
        Append(_reader.LocalName);
        Append(_reader.Value);
        while (_reader.MoveToNextAttribute())
        {
            Append(_reader.LocalName);
            Append(_reader.Value);
        }
        _reader.MoveToElement();

        void Append(string text)
        {
            witness.AppendData(MemoryMarshal.AsBytes(text.AsSpan()));
            witness.AppendData([0, 0]); // no character of XML
        }
    }

    private bool Advance()
    {
        try
        {
            if (Witness is not null)
                Show(Witness);
            bool isThere = _reader.Read();
            _kind = _reader.NodeType;
            if (!isThere)
                return false;
        }
        catch (XmlException e)
        {
            string reason = e.Message.Contains("DTD", StringComparison.Ordinal) ? "it has a document type (DTD), which may be an attack" : $"not well-formed: {e.Message.TrimEnd('.')}";
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"xml: line {e.LineNumber}, column {e.LinePosition}: {reason}"), e);
        }
        return _kind != XmlNodeType.Element || _reader.Depth <= MaxDepth ? true : throw Fault(string.Create(CultureInfo.InvariantCulture, $"elements more than {MaxDepth} deep"));
    }

    public void Dispose() => _reader.Dispose();
}
