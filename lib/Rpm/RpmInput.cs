using System.Buffers;
using System.Globalization;

namespace Layerbox.Rpm;

/// <summary>The bytes of a package, read forwards. Knows its offset, and tells the bytes that it hands out to who digests them.</summary>
internal sealed class RpmInput(Stream source) : IDisposable
{
    private const int BufferSize = 64 * 1024;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
    private int _start;
    private int _end;

    /// <summary>How many bytes were taken so far.</summary>
    public long Offset { get; private set; }

    /// <summary>Takes exactly as many bytes as there is room for.</summary>
    /// <exception cref="InvalidDataException">The input ends before; the message says in what.</exception>
    public void TakeExactly(Span<byte> bytes, string what)
    {
        long start = Offset;
        int count = 0;
        while (count < bytes.Length)
        {
            int n = Take(bytes[count..]);
            if (n == 0)
                throw RpmFormat.Error(start, what, string.Create(CultureInfo.InvariantCulture, $"cut: {count} bytes, expected {bytes.Length}"));
            count += n;
        }
    }

    /// <summary>Takes bytes, at most as many as there is room for; 0 at the end.</summary>
    public int Take(Span<byte> bytes)
    {
        int count;
        if (_start < _end)
        {
            count = Math.Min(bytes.Length, _end - _start);
            _buffer.AsSpan(_start, count).CopyTo(bytes);
            _start += count;
        }
        else if (bytes.Length >= BufferSize)
            count = source.Read(bytes);
        else
        {
            (_start, _end) = (0, source.Read(_buffer, 0, BufferSize));
            count = Math.Min(bytes.Length, _end);
            _buffer.AsSpan(0, count).CopyTo(bytes);
            _start = count;
        }
        Offset += count;
        return count;
    }

    public void Dispose()
    {
        if (_buffer.Length == 0)
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }
}
