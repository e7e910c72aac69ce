using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Layerbox.FileTree;

/// <summary>JSON objects, one a line, gathered into large writes.</summary>
public sealed class JsonLineWriter : IDisposable
{
    private const int FlushSize = 64 * 1024;

    private readonly Stream _stream;
    private readonly ArrayBufferWriter<byte> _buffer = new(2 * FlushSize);

    public JsonLineWriter(Stream stream)
    {
        _stream = stream;
        // What the relaxed encoder leaves out is only of use inside HTML.
        Json = new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });
    }

    /// <summary>The object of the current line is written here.</summary>
    public Utf8JsonWriter Json { get; }

    public void StartLine() => Json.WriteStartObject();

    public void EndLine()
    {
        Json.WriteEndObject();
        Json.Flush();
        Json.Reset();
        _buffer.Write("\n"u8);
        if (_buffer.WrittenCount >= FlushSize)
            Flush();
    }

    /// <summary>Bytes as text under a name where they are UTF-8, else as base64 under the other.</summary>
    public void WriteBytes(JsonEncodedText name, JsonEncodedText base64Name, ReadOnlySpan<byte> bytes)
    {
        if (Utf8.IsValid(bytes))
            Json.WriteString(name, bytes);
        else
            Json.WriteBase64String(base64Name, bytes);
    }

    /// <summary>Writes out what was gathered. Called only where all went well: a half line is worth nothing.</summary>
    public void Flush()
    {
        _stream.Write(_buffer.WrittenSpan);
        _buffer.ResetWrittenCount();
    }

    public void Dispose() => Json.Dispose();
}
