namespace Layerbox.FileTree;

/// <summary>Digests as lower-case hexadecimal digits in bytes.</summary>
internal static class Hex
{
    /// <summary>The values of the digits, by byte; more than a byte for all bytes that are none.</summary>
    private static readonly ushort[] Values =
        [.. Enumerable.Range(0, 256).Select(b => (ushort)("0123456789abcdef".IndexOf((char)b) is var value and >= 0 ? value : 0x100))];

    /// <summary>Writes two digits a byte.</summary>
    public static void Write(ReadOnlySpan<byte> bytes, Span<byte> digits)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            digits[2 * i] = "0123456789abcdef"u8[bytes[i] >> 4];
            digits[(2 * i) + 1] = "0123456789abcdef"u8[bytes[i] & 15];
        }
    }

    /// <summary>Says false when not all are digits. Twice as many digits as bytes must be given.</summary>
    public static bool TryRead(ReadOnlySpan<byte> digits, Span<byte> bytes)
    {
        int seen = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            int value = (Values[digits[2 * i]] << 4) | Values[digits[(2 * i) + 1]];
            seen |= value;
            bytes[i] = (byte)value;
        }
        return seen <= 0xFF;
    }
}
