namespace Layerbox.Compression;

/// <summary>Writes bytes as they are: no compression, with the ownership of the destination that the other kinds have.</summary>
internal sealed class PassingStream(Stream destination, bool leaveOpen) : Stream
{
    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override void Write(byte[] buffer, int offset, int count) => destination.Write(buffer, offset, count);
    public override void Write(ReadOnlySpan<byte> buffer) => destination.Write(buffer);
    public override void Flush() => destination.Flush();
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && !leaveOpen)
            destination.Dispose();
        base.Dispose(disposing);
    }
}
