namespace Layerbox.FileTree;

/// <summary>The path of a walk, without a leading slash: one array whose end is rewritten from name to name.</summary>
internal sealed class PathBuffer
{
    private byte[] _path = new byte[256];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Bytes => _path.AsSpan(0, Length);

    /// <summary>Puts a name below the path that the first bytes are.</summary>
    public void Set(int parentLength, FileName name)
    {
        Length = parentLength;
        if (parentLength > 0)
            Append("/"u8);
        Append(name.Bytes);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (Length + bytes.Length > _path.Length)
            Array.Resize(ref _path, Math.Max(2 * _path.Length, Length + bytes.Length));
        bytes.CopyTo(_path.AsSpan(Length));
        Length += bytes.Length;
    }
}
