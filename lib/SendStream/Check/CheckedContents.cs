using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// Knows how large contents are, and nothing else, so a check needs no more memory for a stream that holds more data. What is encoded is
/// decoded, to see that it can be.
/// </summary>
internal sealed class CheckedContents : ContentReceiver
{
    private byte[] _decoded = [];

    public override FileContent Unknown() => new SizedContent(long.MaxValue);

    public override long SizeOf(Inode file) => file.Content!.Size;

    public override void Write(Inode file, long offset, SendCommand command) => Grow(file, offset + command.Bytes(SendAttribute.Data).Length);

    public override void WriteEncoded(Inode file, long offset, EncodedExtent extent, SendCommand command)
    {
        if (_decoded.Length < extent.DecodedLength)
            _decoded = new byte[extent.DecodedLength];
        _ = extent.Decode(command, _decoded);
        if (extent.Used > 0)
            Grow(file, offset + extent.Used);
    }

    public override void Mark(Inode file, long offset, long length, SendCommand command) => Grow(file, offset + length);

    public override void Copy(Inode source, long sourceOffset, long length, Inode file, long offset, SendCommand command) => Grow(file, offset + length);

    public override void SetSize(Inode file, long size, SendCommand command) => file.Content = new SizedContent(size);

    public override void Clear(Inode file, long offset, long length, SendCommand command) { }

    public override void Complete() { }

    public override void Dispose() { }

    // Trees share contents, so one is never changed.
    private static void Grow(Inode file, long end)
    {
        if (end > file.Content!.Size)
            file.Content = new SizedContent(end);
    }

    /// <summary>A content of which nothing but the size is known; it is the largest where not even that is.</summary>
    private sealed class SizedContent(long size) : FileContent
    {
        public override long Size => size;
        public override Stream Open() => throw new NotSupportedException("only the size is known");
    }
}
