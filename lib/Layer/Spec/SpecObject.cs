using System.Globalization;
using System.Text;
using System.Text.Json;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// One JSON object of a specification, read strictly: each member is asked for once by name, and <see cref="Finish"/> refuses
/// what nobody asked for. Every error names the place ("web.layer.json: features[2]: …").
/// </summary>
public sealed class SpecObject
{
    private readonly Dictionary<string, JsonElement> _members = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _known = new(StringComparer.Ordinal);

    /// <exception cref="SpecificationException">No object, or a member that occurs twice.</exception>
    public SpecObject(JsonElement element, string place)
    {
        Place = place;
        if (element.ValueKind != JsonValueKind.Object)
            throw new SpecificationException(place, $"an object is expected, not {Describe(element)}");
        foreach (JsonProperty member in element.EnumerateObject())
            if (!_members.TryAdd(NameOf(member), member.Value))
                throw Error($"member '{member.Name}' is given twice");
    }

    private string NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            throw Error("a member's name is not UTF-8");
        }
    }

    public string Place { get; }

    public SpecificationException Error(string message) => new(Place, message);

    /// <summary>Parses text with comments and trailing commas allowed.</summary>
    /// <exception cref="SpecificationException">The text is no JSON; the line and column are named.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, string place)
    {
        if (utf8.Span.StartsWith("\uFEFF"u8))
            throw new SpecificationException(place, "line 1, column 1: begins with a byte order mark, which JSON does not have");
        if (!utf8.Span.ContainsAnyExcept(" \t\r\n"u8))
            throw new SpecificationException(place, "empty, expected a JSON object");
        try
        {
            return JsonDocument.Parse(utf8, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        }
        catch (JsonException e)
        {
            string reason = e.Message.Split(" LineNumber:")[0].TrimEnd('.', ' ');
            throw new SpecificationException(place, $"line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}: {reason}");
        }
    }

    public IEnumerable<string> Names => _members.Keys;

    /// <summary>Any JSON value, kept as it is.</summary>
    public JsonElement? OptionalJson(string name) => Take(name)?.Clone();

    public bool Has(string name) => _members.ContainsKey(name);

    public string? OptionalText(string name) => Take(name) is { } value ? TextOf(value, name) : null;

    public string Text(string name) => OptionalText(name) ?? throw Missing(name);

    /// <summary>Bytes of a name or value: a JSON string, or base64 under the member's name with "_b64" when it is not UTF-8.</summary>
    public byte[]? OptionalBytes(string name)
    {
        string? text = OptionalText(name);
        string? encoded = OptionalText(name + "_b64");
        if (text is not null && encoded is not null)
            throw Error($"'{name}' and '{name}_b64' exclude each other");
        if (encoded is null)
            return text is null ? null : Encoding.UTF8.GetBytes(text);
        try
        {
            return Convert.FromBase64String(encoded);
        }
        catch (FormatException)
        {
            throw Error($"member '{name}_b64': not base64");
        }
    }

    public byte[] Bytes(string name) => OptionalBytes(name) ?? throw Missing(name);

    /// <summary>A path inside the image, normalised; the bytes as given tell whether it ended in a slash.</summary>
    public TreePath? OptionalPath(string name) => OptionalPath(name, out _);

    public TreePath? OptionalPath(string name, out bool endsInSlash)
    {
        byte[]? bytes = OptionalBytes(name);
        endsInSlash = bytes is [.., (byte)'/'];
        if (bytes is null)
            return null;
        if (bytes.Length == 0)
            throw Error($"member '{name}' is empty; the root of the image is \"/\"");
        try
        {
            return TreePath.Parse(bytes);
        }
        catch (InvalidDataException e)
        {
            throw Error($"member '{name}': {e.Message}");
        }
    }

    /// <summary>A list of paths inside the image; null when there is no such member.</summary>
    public IReadOnlyList<TreePath>? Paths(string name) => OptionalTexts(name)?.Select((path, i) =>
    {
        try
        {
            return TreePath.Parse(path);
        }
        catch (InvalidDataException e)
        {
            throw Error($"member '{name}[{i}]': {e.Message}");
        }
    }).ToList();

    /// <summary>A path at which something is to be made, so not the root.</summary>
    public TreePath NewPath(string name) =>
        Path(name) is { IsRoot: false } path ? path : throw Error($"member '{name}': the root of the image cannot be replaced");

    public TreePath Path(string name) => Path(name, out _);

    public TreePath Path(string name, out bool endsInSlash) => OptionalPath(name, out endsInSlash) ?? throw Missing(name);

    public bool Flag(string name, bool otherwise) => Take(name) switch
    {
        null => otherwise,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Wrong(name, "true or false", value),
    };

    public long? OptionalNumber(string name, long least, long most)
    {
        if (Take(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out long number))
            throw Wrong(name, "a whole number", value);
        if (number < least || number > most)
            throw Error($"member '{name}': {number} is not between {least} and {most}");
        return number;
    }

    /// <summary>Who a command runs as: "USER" or "USER:GROUP", each a name or a number.</summary>
    public string? OptionalUserAndGroup(string name)
    {
        if (Take(name) is { ValueKind: JsonValueKind.Number })
            return OptionalOwner(name);
        string? text = OptionalText(name);
        return text is null || (text.Split(':') is { Length: <= 2 } parts && parts.All(p => p.Length > 0 && !p.Contains('\n', StringComparison.Ordinal)))
            ? text
            : throw Error($"member '{name}': '{text}' is not of the form USER or USER:GROUP");
    }

    /// <summary>A user or group: a name, or a number (as JSON number or text).</summary>
    public string? OptionalOwner(string name)
    {
        if (Take(name) is { ValueKind: JsonValueKind.Number })
            return OptionalNumber(name, 0, uint.MaxValue - 1)!.Value.ToString(CultureInfo.InvariantCulture);
        return OptionalText(name) switch
        {
            "" => throw Error($"member '{name}' is empty"),
            { } text when text.AsSpan().ContainsAny(':', '\n') => throw Error($"member '{name}': '{text}' is no name of a user or group"),
            var text => text,
        };
    }

    /// <summary>A mode: octal text like "0755", or symbolic and additive like "u+rwx,og+rx".</summary>
    public uint? OptionalMode(string name)
    {
        string? text = OptionalText(name);
        if (text is null)
            return null;
        return InodeMode.TryParse(text, out uint mode)
            ? mode
            : throw Error($"member '{name}': '{text}' is no mode; octal (\"0755\") or additive symbolic (\"u+rwx,og+rx\") is");
    }

    /// <summary>A pinned digest, "sha256:…" or the bare 64 digits; given back in the first form.</summary>
    public string? OptionalSha256(string name)
    {
        const string prefix = "sha256:";
        string? text = OptionalText(name);
        if (text is null)
            return null;
        string digits = text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : text;
        return digits.Length == 64 && digits.All(char.IsAsciiHexDigitLower) ? prefix + digits : throw Error($"member '{name}': '{text}' is no sha256 digest");
    }

    public IReadOnlyList<string> Texts(string name) => OptionalTexts(name) ?? throw Missing(name);

    public IReadOnlyList<string>? OptionalTexts(string name) =>
        OptionalList(name)?.Select((value, i) => TextOf(value, $"{name}[{i}]")).ToList();

    /// <summary>An object whose values are texts, sorted by name.</summary>
    public SortedDictionary<string, string>? OptionalTextMap(string name)
    {
        if (Take(name) is not { } value)
            return null;
        SpecObject map = new(value, $"{Place}: {name}");
        SortedDictionary<string, string> result = new(StringComparer.Ordinal);
        foreach (string key in map._members.Keys)
            result[key] = map.Text(key);
        return result;
    }

    public SpecObject? OptionalObject(string name) => Take(name) is { } value ? new SpecObject(value, $"{Place}: {name}") : null;

    public IReadOnlyList<SpecObject>? OptionalObjects(string name) =>
        OptionalList(name)?.Select((value, i) => new SpecObject(value, $"{Place}: {name}[{i}]")).ToList();

    /// <exception cref="SpecificationException">There are members that nobody asked for.</exception>
    public void Finish()
    {
        foreach (string name in _members.Keys)
            if (!_known.Contains(name))
                throw Error($"unknown member '{name}'; known are {string.Join(", ", _known.Where(k => !k.EndsWith("_b64", StringComparison.Ordinal)))}");
    }

    private JsonElement? Take(string name)
    {
        _known.Add(name);
        return _members.TryGetValue(name, out JsonElement value) ? value : null;
    }

    private IEnumerable<JsonElement>? OptionalList(string name) => Take(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Array } list => list.EnumerateArray(),
        { } value => throw Wrong(name, "a list", value),
    };

    private string TextOf(JsonElement value, string name)
    {
        if (value.ValueKind != JsonValueKind.String)
            throw Wrong(name, "a string", value);
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Error($"member '{name}': half a surrogate pair; use '{name}_b64' for bytes that are not UTF-8");
        }
    }

    private SpecificationException Missing(string name) => Error($"member '{name}' is missing");

    private SpecificationException Wrong(string name, string expected, JsonElement found) =>
        Error($"member '{name}': {expected} is expected, not {Describe(found)}");

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => string.Create(CultureInfo.InvariantCulture, $"the number {value.GetRawText()}"),
        _ => value.GetRawText(),
    };
}
