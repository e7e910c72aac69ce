using Layerbox.FileTree;

namespace Layerbox.Tests.Archive;

/// <summary>A content that is larger than memory; its bytes are whatever is in the reader's buffer.</summary>
internal sealed class EndlessContent(long size) : FileContent
{
    public override long Size => size;
    public override Stream Open() => new Zeros();

    private sealed class Zeros : MemoryStream
    {
        public override int Read(Span<byte> buffer) => buffer.Length;
    }
}

/// <summary>Keeps the first and the last piece of what is written, and plays the whole back with anything in between.</summary>
internal sealed class HeadAndTail : MemoryStream
{
    private byte[]? _head;
    private byte[] _tail = [];
    private long _length;

    public override long Length => _length;

    public override void Write(byte[] buffer, int offset, int count)
    {
        _head ??= buffer[offset..(offset + count)];
        if (count < buffer.Length)
            _tail = buffer[offset..(offset + count)];
        _length += count;
    }

    public Stream Replay() => new Player(this);

    private sealed class Player(HeadAndTail recorded) : MemoryStream
    {
        private long _at;

        public override int Read(byte[] buffer, int offset, int count)
        {
            long tailStart = recorded._length - recorded._tail.Length;
            byte[] piece = _at < recorded._head!.Length ? recorded._head[(int)_at..] : _at >= tailStart ? recorded._tail[(int)(_at - tailStart)..] : [];
            count = (int)Math.Min(count, piece.Length > 0 || _at >= tailStart ? piece.Length : tailStart - _at);
            if (piece.Length > 0)
                piece.AsSpan(0, count).CopyTo(buffer.AsSpan(offset));
            _at += count;
            return count;
        }
    }
}

/// <summary>Counts bytes and forgets them.</summary>
internal sealed class CountingStore : ContentStore
{
    public override ContentWriter Create(FileContent? initial = null) => new Writer();

    private sealed class Writer : ContentWriter
    {
        private long _size;
        public override long Size => _size;
        public override void Write(long offset, ReadOnlySpan<byte> bytes) => _size = Math.Max(_size, offset + bytes.Length);
        public override void SetSize(long size) => _size = size;
        public override void CopyFrom(FileContent source, long sourceOffset, long length, long offset) => _size = Math.Max(_size, offset + length);
        public override FileContent Complete() => new EndlessContent(_size);
    }
}
