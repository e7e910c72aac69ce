using System.Buffers;

namespace Layerbox.Compression;

/// <summary>
/// What is written here comes out compressed; disposing ends the member. Input reaches the encoder in blocks of one size and
/// Flush does nothing, so that the output depends on the bytes alone and not on how they were handed over.
/// </summary>
internal sealed class EncodingStream(Encoder encoder, Stream destination, bool leaveOpen) : Stream
{
    private const int BlockSize = 256 * 1024;
    private const int OutputSize = 256 * 1024;

    private byte[]? _block = ArrayPool<byte>.Shared.Rent(BlockSize);
    private readonly byte[] _output = ArrayPool<byte>.Shared.Rent(OutputSize);
    private int _count;
    private bool _hasFailed;

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_block is null, this);
        while (!buffer.IsEmpty)
        {
            if (_count == 0 && buffer.Length >= BlockSize)
            {
                Encode(buffer[..BlockSize], end: false);
                buffer = buffer[BlockSize..];
                continue;
            }
            int count = Math.Min(buffer.Length, BlockSize - _count);
            buffer[..count].CopyTo(_block.AsSpan(_count));
            buffer = buffer[count..];
            _count += count;
            if (_count == BlockSize)
                EncodeBlock();
        }
    }

    private void EncodeBlock()
    {
        int count = _count;
        _count = 0;
        Encode(_block.AsSpan(0, count), end: false);
    }

    private void Encode(ReadOnlySpan<byte> input, bool end)
    {
        // Once something failed, the end of the member must not be written: half an output must not look whole.
        _hasFailed = true;
        for (bool isDone = false; !isDone;)
        {
            isDone = encoder.Encode(input, _output, end, out int consumed, out int produced);
            input = input[consumed..];
            destination.Write(_output, 0, produced);
        }
        _hasFailed = false;
    }

    public override void Flush() { }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && _block is { } block)
        {
            try
            {
                if (!_hasFailed)
                {
                    if (_count > 0)
                        EncodeBlock();
                    Encode([], end: true);
                }
            }
            finally
            {
                _block = null;
                ArrayPool<byte>.Shared.Return(block);
                ArrayPool<byte>.Shared.Return(_output);
                encoder.Dispose();
                if (!leaveOpen)
                    destination.Dispose();
            }
        }
        base.Dispose(disposing);
    }
}
