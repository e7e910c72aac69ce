using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>One reading of a content from the front to the back, in chunks, which may leave out holes where the content knows them.</summary>
internal sealed class ContentReading : IDisposable
{
    private readonly Stream _stream;
    private readonly IReadOnlyList<Extent> _extents;
    private int _extent;
    private long _position;

    public ContentReading(FileContent content, int chunk)
    {
        Size = content.Size;
        _stream = Size == 0 ? Stream.Null : content.Open();
        // Asking for the extents costs system calls; it is worth them only where whole chunks may be skipped.
        _extents = Size > chunk && _stream.CanSeek ? content.Extents : [];
    }

    public long Size { get; }

    /// <summary>Where the first data at or after an offset begins, as far as the extents know; far beyond the end when there is none.</summary>
    public long NextData(long offset)
    {
        if (offset >= Size)
            return long.MaxValue;
        if (_extents.Count == 0)
            return offset;
        for (; _extent < _extents.Count; _extent++)
            if (!_extents[_extent].IsHole && _extents[_extent].Offset + _extents[_extent].Length > offset)
                return Math.Max(offset, _extents[_extent].Offset);
        return long.MaxValue;
    }

    /// <summary>Reads as much as there is; less only at the end.</summary>
    public int Read(Span<byte> chunk, long offset)
    {
        if (offset >= Size)
            return 0;
        if (offset != _position)
            _stream.Position = offset;
        int read = _stream.ReadAtLeast(chunk, chunk.Length, throwOnEndOfStream: false);
        _position = offset + read;
        return read;
    }

    public void Dispose() => _stream.Dispose();
}
