using Layerbox.Compression;

namespace Layerbox.SendStream;

/// <summary>Ranges of an input, one after the other, read forwards.</summary>
internal sealed class RangeStream(StreamBytes bytes, IReadOnlyList<StreamRange> ranges) : ReadOnlyStream
{
    private int _range;
    private long _done; // of the current range

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
}

/// <summary>Some bytes of an input.</summary>
public readonly record struct StreamRange(long Start, long Length);
