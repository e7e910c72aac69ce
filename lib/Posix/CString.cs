namespace Layerbox.Posix;

/// <summary>A NUL-terminated copy of bytes, for the length of one call: <c>fixed (byte* p = new CString(name, stackalloc byte[CString.Inline]))</c>.</summary>
internal readonly ref struct CString
{
    /// <summary>Room that fits every single name and most paths.</summary>
    public const int Inline = 512;

    private readonly Span<byte> _bytes;

    /// <exception cref="PosixException">EINVAL: a NUL inside, which no path can hold.</exception>
    public CString(ReadOnlySpan<byte> text, Span<byte> scratch)
    {
        if (text.Contains((byte)0))
            throw new PosixException("path with a NUL byte", Errno.EINVAL, PathText.FromBytes(text));
        _bytes = text.Length < scratch.Length ? scratch[..(text.Length + 1)] : new byte[text.Length + 1];
        text.CopyTo(_bytes);
        _bytes[text.Length] = 0;
    }

    public ref byte GetPinnableReference() => ref _bytes[0];
}
