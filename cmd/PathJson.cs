using System.Text;
using System.Text.Json.Serialization;
using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>Base of JSON records about one path: it comes first, as "path" when it is UTF-8, else as "path_b64".</summary>
internal abstract record PathJson
{
    protected PathJson(string path) => (Path, PathB64) = Split(path);

    [JsonPropertyOrder(-2)]
    public string? Path { get; }

    [JsonPropertyOrder(-1)]
    [JsonPropertyName("path_b64")]
    public string? PathB64 { get; }

    /// <summary>A host path as text or, when its bytes are not UTF-8, in base 64: exactly one of the two.</summary>
    public static (string? Text, string? Base64) Split(string path)
    {
        byte[] bytes = PathText.ToBytes(path);
        return System.Text.Unicode.Utf8.IsValid(bytes) ? (Encoding.UTF8.GetString(bytes), null) : (null, Convert.ToBase64String(bytes));
    }
}
