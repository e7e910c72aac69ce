using System.Runtime.Intrinsics;
using System.Text;

namespace Layerbox.SendStream;

/// <summary>A few ASCII characters that are written often: copied whole in two instructions, however long they are.</summary>
internal readonly struct ShortText
{
    public const int MaxLength = 32;

    /// <exception cref="ArgumentException">The text is longer than <see cref="MaxLength"/>.</exception>
    public ShortText(string text)
    {
        Span<byte> bytes = stackalloc byte[MaxLength];
        bytes.Clear();
        Length = Encoding.ASCII.GetBytes(text, bytes);
        Bytes = Vector256.Create<byte>(bytes);
    }

    /// <summary>The characters, and zeros behind them.</summary>
    public Vector256<byte> Bytes { get; }

    public int Length { get; }
}
