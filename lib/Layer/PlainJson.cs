using System.Text.Json;

namespace Layerbox.Layer;

/// <summary>
/// JSON objects of texts and numbers, token by token. What the serializer sets up before its first object takes longer than a whole
/// start of a container without it.
/// </summary>
internal static class PlainJson
{
    public delegate void Member(string name, ref Utf8JsonReader value);

    /// <summary>Calls back for each member, which is to be read to its end; false when the document is null.</summary>
    /// <exception cref="JsonException">This is no JSON, or something else than an object or null.</exception>
    public static bool ReadObject(ReadOnlySpan<byte> document, Member member)
    {
        Utf8JsonReader reader = new(document);
        reader.Read();
        bool isObject = reader.TokenType == JsonTokenType.StartObject;
        if (isObject)
            ReadMembers(ref reader, member);
        else if (reader.TokenType != JsonTokenType.Null)
            throw new JsonException();
        // There is nothing behind it.
        reader.Read();
        return isObject;
    }

    /// <summary>The members of an object that has begun.</summary>
    public static void ReadMembers(ref Utf8JsonReader reader, Member member)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = Text(ref reader)!;
            reader.Read();
            member(name, ref reader);
        }
    }

    /// <summary>A text, or null.</summary>
    /// <exception cref="JsonException">Something else, or a text of bytes that are none.</exception>
    public static string? Text(ref Utf8JsonReader value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            throw new JsonException();
        }
    }

    /// <exception cref="JsonException">No number, or none that fits.</exception>
    public static ulong Unsigned(ref Utf8JsonReader value) => value.TokenType == JsonTokenType.Number && value.TryGetUInt64(out ulong number) ? number : throw new JsonException();

    /// <exception cref="JsonException">No number, or none that fits.</exception>
    public static long Signed(ref Utf8JsonReader value) => value.TokenType == JsonTokenType.Number && value.TryGetInt64(out long number) ? number : throw new JsonException();
}
