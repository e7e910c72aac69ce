using System.Text;

namespace Layerbox.FileTree;

/// <summary>One name in a directory: bytes, not text. Ordered by unsigned bytes, which is the canonical order everywhere.</summary>
public readonly struct FileName : IEquatable<FileName>, IComparable<FileName>
{
    /// <summary>NAME_MAX of Linux.</summary>
    public const int MaxLength = 255;

    private readonly byte[] _bytes;

    /// <exception cref="InvalidDataException">Empty, ".", "..", longer than 255 bytes, or with a slash or NUL.</exception>
    public FileName(byte[] bytes)
    {
        Check(bytes);
        _bytes = bytes;
    }

    /// <summary>Refuses bytes that cannot be a name.</summary>
    /// <inheritdoc cref="FileName(byte[])" path="/exception"/>
    public static void Check(ReadOnlySpan<byte> name)
    {
        if (IsPossible(name))
            return;
        if (name.Length <= MaxLength)
            throw new InvalidDataException($"'{BytesText.Escape(name)}' cannot be the name of a file");
        throw new InvalidDataException($"'{BytesText.Escape(name)}' is {name.Length} bytes long; a name has at most {MaxLength}");
    }

    /// <summary>Whether bytes can be a name.</summary>
    public static bool IsPossible(ReadOnlySpan<byte> name) =>
        name.Length is > 0 and <= MaxLength && !name.ContainsAny((byte)'/', (byte)0) && !name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8);

    public FileName(string text) : this(Encoding.UTF8.GetBytes(text)) { }

    public ReadOnlySpan<byte> Bytes => _bytes;
    public int CompareTo(FileName other) => _bytes.AsSpan().SequenceCompareTo(other._bytes);
    public bool Equals(FileName other) => _bytes.AsSpan().SequenceEqual(other._bytes);
    public override bool Equals(object? obj) => obj is FileName other && Equals(other);

    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.AddBytes(_bytes);
        return hash.ToHashCode();
    }

    /// <summary>For messages only: bytes that are not UTF-8 are escaped.</summary>
    public override string ToString() => BytesText.Escape(_bytes);

    public static bool operator ==(FileName a, FileName b) => a.Equals(b);
    public static bool operator !=(FileName a, FileName b) => !a.Equals(b);
}
