using System.Buffers;

namespace Layerbox.Archive;

/// <summary>The bytes of an archive, read forwards in big pieces and handed out from one buffer. Knows its offset.</summary>
internal sealed class TarInput(Stream source) : IDisposable
{
    private const int BufferSize = 1 << 20;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
    private int _start;
    private int _end;
    private bool _atEnd;

    /// <summary>How many bytes were taken so far.</summary>
    public long Offset { get; private set; }

    /// <summary>The next bytes without taking them, as many as asked for or as there are.</summary>
    public ReadOnlySpan<byte> Peek(int count)
    {
        Fill(count);
        return _buffer.AsSpan(_start, Math.Min(count, _end - _start));
    }

    /// <summary>Takes a header block into <paramref name="block"/>; says false at the end.</summary>
    public bool TryTakeBlock(Span<byte> block)
    {
        ReadOnlySpan<byte> next = Peek(TarFormat.BlockSize);
        if (next.IsEmpty)
            return false;
        if (next.Length < TarFormat.BlockSize)
            throw new TarDefect("the archive ends within a header", Offset + next.Length);
        next.CopyTo(block);
        Advance(TarFormat.BlockSize);
        return true;
    }

    /// <summary>Takes bytes: at least one and at most this many, valid until the next call.</summary>
    public ReadOnlySpan<byte> Take(long atMost)
    {
        Fill(1);
        int count = (int)Math.Min(atMost, _end - _start);
        if (count == 0)
            throw new TarDefect($"the archive ends too early: {atMost} bytes of the member are missing", Offset);
        ReadOnlySpan<byte> bytes = _buffer.AsSpan(_start, count);
        Advance(count);
        return bytes;
    }

    /// <summary>Takes bytes into memory of their own.</summary>
    public byte[] TakeArray(int count)
    {
        byte[] bytes = new byte[count];
        for (int at = 0; at < count;)
        {
            ReadOnlySpan<byte> piece = Take(count - at);
            piece.CopyTo(bytes.AsSpan(at));
            at += piece.Length;
        }
        return bytes;
    }

    public void Skip(long count)
    {
        while (count > 0)
            count -= Take(count).Length;
    }

    private void Advance(int count)
    {
        _start += count;
        Offset += count;
    }

    private void Fill(int atLeast)
    {
        int have = _end - _start;
        if (have >= atLeast || _atEnd)
            return;
        _buffer.AsSpan(_start, have).CopyTo(_buffer);
        (_start, _end) = (0, have);
        while (_end < atLeast && !_atEnd)
        {
            int count = source.Read(_buffer, _end, BufferSize - _end);
            _end += count;
            _atEnd = count == 0;
        }
    }

    public void Dispose()
    {
        if (_buffer.Length == 0)
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }
}
