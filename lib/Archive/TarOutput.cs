using System.Buffers;
using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>The bytes of an archive on their way out: gathered in one big buffer, into which contents are read directly.</summary>
internal sealed class TarOutput(Stream destination) : IDisposable
{
    private const int BufferSize = 1 << 20;

    /// <summary>What is shorter is gathered: one write of many files is better than many.</summary>
    private const int ShortestDirect = 256 << 10;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
    private int _count;
    private long _flushed;

    /// <summary>How many bytes were written so far.</summary>
    public long Offset => _flushed + _count;

    /// <summary>Room for at least one byte; what was put there counts after <see cref="Advance"/>.</summary>
    public Span<byte> Room
    {
        get
        {
            if (_count == BufferSize)
                Flush();
            return _buffer.AsSpan(_count, BufferSize - _count);
        }
    }

    public void Advance(int count) => _count += count;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> room = Room;
            int count = Math.Min(room.Length, bytes.Length);
            bytes[..count].CopyTo(room);
            Advance(count);
            bytes = bytes[count..];
        }
    }

    public void WriteZeros(int count)
    {
        while (count > 0)
        {
            Span<byte> room = Room;
            room = room[..Math.Min(room.Length, count)];
            room.Clear();
            Advance(room.Length);
            count -= room.Length;
        }
    }

    /// <summary>Writes a whole content past the buffer, if that is faster.</summary>
    /// <param name="content">The content.</param>
    /// <param name="written">Called after each piece.</param>
    /// <returns>False when it is not; nothing is written then.</returns>
    public bool TryWrite(FileContent content, Action written)
    {
        if (content.Size < ShortestDirect)
            return false;
        Flush();
        return content.TryWriteTo(destination, length =>
        {
            _flushed += length;
            written();
        });
    }

    public void Flush()
    {
        destination.Write(_buffer, 0, _count);
        _flushed += _count;
        _count = 0;
    }

    public void Dispose()
    {
        if (_buffer.Length == 0)
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }
}
