namespace Layerbox.Rpm;

/// <summary>Reads forwards from something, and shows what passes to somebody else.</summary>
internal sealed class TappedStream(Func<Memory<byte>, int> read, TappedStream.Tap tap) : Stream
{
    public delegate void Tap(ReadOnlySpan<byte> bytes);

    /// <summary>How many bytes have passed.</summary>
    public long Count { get; private set; }

    public override int Read(byte[] buffer, int offset, int count)
    {
        int n = read(buffer.AsMemory(offset, count));
        tap(buffer.AsSpan(offset, n));
        Count += n;
        return n;
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
}
