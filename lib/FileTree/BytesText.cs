using System.Globalization;
using System.Text;

namespace Layerbox.FileTree;

/// <summary>Bytes as text for people: UTF-8 where they are, \xNN where they are not or would break a line.</summary>
public static class BytesText
{
    public static string Escape(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new(bytes.Length);
        while (!bytes.IsEmpty)
        {
            bool isText = Rune.DecodeFromUtf8(bytes, out Rune rune, out int length) == System.Buffers.OperationStatus.Done;
            if (isText && !Rune.IsControl(rune) && rune.Value != '\\')
                text.Append(rune.ToString());
            else
                foreach (byte b in bytes[..length])
                    text.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}");
            bytes = bytes[length..];
        }
        return text.ToString();
    }
}
