using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Layerbox.Cmd;

/// <summary>What a tool may touch of the world besides files, so that a test can hand it memory.</summary>
internal sealed record Streams(Stream In, Stream Out, TextWriter Err)
{
    public void WriteLine(string text)
    {
        Out.Write(Encoding.UTF8.GetBytes(text));
        Out.WriteByte((byte)'\n');
    }

    /// <summary>One JSON object on one line, as all our JSON is.</summary>
    public void WriteJsonLine<T>(T value, JsonTypeInfo<T> type)
    {
        JsonSerializer.Serialize(Out, value, type);
        Out.WriteByte((byte)'\n');
    }
}
