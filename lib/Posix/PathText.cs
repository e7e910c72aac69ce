using System.Text;

namespace Layerbox.Posix;

/// <summary>
/// Host paths as strings without loss: Linux names are bytes, .NET's are UTF-16. Bytes that are not UTF-8 become the lone
/// surrogates U+DC80 to U+DCFF (the scheme of Python's "surrogateescape"), and go back to the same bytes.
/// </summary>
public static class PathText
{
    private const char FirstEscape = '\uDC80', LastEscape = '\uDCFF';
    private const int EscapeBase = 0xDC00;

    public static string FromBytes(ReadOnlySpan<byte> bytes)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes))
            return Encoding.UTF8.GetString(bytes);
        StringBuilder text = new(bytes.Length);
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out Rune rune, out int length) == System.Buffers.OperationStatus.Done)
            {
                text.Append(rune.ToString());
                bytes = bytes[length..];
            }
            else
            {
                text.Append((char)(EscapeBase + bytes[0]));
                bytes = bytes[1..];
            }
        }
        return text.ToString();
    }

    public static byte[] ToBytes(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange(FirstEscape, LastEscape))
            return Encoding.UTF8.GetBytes(text);
        using MemoryStream bytes = new(text.Length * 2);
        Span<byte> buffer = stackalloc byte[4];
        for (ReadOnlySpan<char> rest = text; !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out Rune rune, out int length) == System.Buffers.OperationStatus.Done)
            {
                bytes.Write(buffer[..rune.EncodeToUtf8(buffer)]);
                rest = rest[length..];
            }
            else
            {
                bytes.WriteByte(rest[0] is >= FirstEscape and <= LastEscape ? (byte)(rest[0] - EscapeBase) : (byte)'?');
                rest = rest[1..];
            }
        }
        return bytes.ToArray();
    }

    /// <summary>The text as it may be printed: on one line, without bytes that are not UTF-8.</summary>
    public static string Printable(string text)
    {
        StringBuilder? clean = null;
        for (int i = 0; i < text.Length; i++)
        {
            bool escaped = text[i] is >= FirstEscape and <= LastEscape && (i == 0 || !char.IsHighSurrogate(text[i - 1]));
            if (escaped || char.IsControl(text[i]))
            {
                clean ??= new StringBuilder(text, 0, i, text.Length + 16);
                int value = escaped ? text[i] - EscapeBase : text[i];
                clean.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\x{value:x2}");
            }
            else
                clean?.Append(text[i]);
        }
        return clean?.ToString() ?? text;
    }
}
