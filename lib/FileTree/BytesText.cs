using System.Buffers;
using System.Globalization;
using System.Text;

namespace Layerbox.FileTree;

/// <summary>Bytes as text for people: UTF-8 where they are, \xNN where they are not or would break a line.</summary>
public static class BytesText
{
    // Printable ASCII without the backslash, as nearly all names are.
    private static readonly SearchValues<byte> s_plain = SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (byte)c).Where(c => c != '\\')]);

    public static string Escape(ReadOnlySpan<byte> bytes)
    {
        if (!bytes.ContainsAnyExcept(s_plain))
            return Encoding.ASCII.GetString(bytes);
        StringBuilder text = new(bytes.Length);
        while (!bytes.IsEmpty)
        {
            bool isText = Rune.DecodeFromUtf8(bytes, out Rune rune, out int length) == OperationStatus.Done;
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
