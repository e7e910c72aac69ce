namespace Layerbox.SendStream;

/// <summary>Ranges of an input, one after the other, read forwards.</summary>
internal sealed class RangeStream(StreamBytes bytes, IReadOnlyList<StreamRange> ranges) : Stream
{
    private int _range;
    private long _done; // of the current range

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        while (_range < ranges.Count && _done == ranges[_range].Length)
            (_range, _done) = (_range + 1, 0);
        if (_range == ranges.Count)
            return 0;
        int count = (int)Math.Min(buffer.Length, ranges[_range].Length - _done);
        bytes.ReadAt(ranges[_range].Start + _done, buffer[..count]);
        _done += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>Some bytes of an input.</summary>
public readonly record struct StreamRange(long Start, long Length);
