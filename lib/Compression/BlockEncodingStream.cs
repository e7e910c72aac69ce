namespace Layerbox.Compression;

/// <summary>
/// What is written here comes out compressed, in blocks of one size that are compressed apart from each other. A ring of slots:
/// while the current one is filled the others are being compressed, and a slot's output is written before the slot is filled again.
/// </summary>
internal sealed class BlockEncodingStream : Stream
{
    private readonly Slot[] _ring;
    private readonly bool _isThreaded;
    private readonly Stream _destination;
    private readonly bool _leaveOpen;
    private int _current;
    private long _blocks;
    private bool _hasFailed;
    private bool _isDisposed;

    public BlockEncodingStream(Func<BlockEncoder> newEncoder, int blockSize, int workers, Stream destination, bool leaveOpen)
    {
        // One slot more than workers: it is filled while they all work.
        _ring = new Slot[workers == 1 ? 1 : workers + 1];
        for (int i = 0; i < _ring.Length; i++)
            _ring[i] = new Slot(newEncoder, blockSize);
        _isThreaded = workers > 1;
        _destination = destination;
        _leaveOpen = leaveOpen;
    }

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        while (!buffer.IsEmpty)
        {
            Slot slot = _ring[_current];
            buffer = buffer[slot.Fill(buffer)..];
            if (slot.IsFull)
                EndBlock(slot);
        }
    }

    private void EndBlock(Slot slot)
    {
        _blocks++;
        slot.Start(_isThreaded);
        _current = (_current + 1) % _ring.Length;
        Finish(_ring[_current]);
    }

    private void Finish(Slot slot)
    {
        // Once something failed the rest must not be written: half an output must not look whole.
        _hasFailed = true;
        ReadOnlySpan<byte> output = slot.Finish();
        if (!output.IsEmpty)
            _destination.Write(output);
        _hasFailed = false;
    }

    public override void Flush() { }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isDisposed)
        {
            _isDisposed = true;
            try
            {
                if (!_hasFailed && (!_ring[_current].IsEmpty || _blocks == 0))
                    EndBlock(_ring[_current]);
                for (int i = 0; i < _ring.Length && !_hasFailed; i++)
                    Finish(_ring[(_current + i) % _ring.Length]);
            }
            finally
            {
                foreach (Slot slot in _ring)
                    slot.Dispose();
                if (!_leaveOpen)
                    _destination.Dispose();
            }
        }
        base.Dispose(disposing);
    }

    /// <summary>A block, its output, and the work between them. Memory and encoder are made when the slot is first used.</summary>
    private sealed class Slot(Func<BlockEncoder> newEncoder, int blockSize) : IDisposable
    {
        private BlockEncoder? _encoder;
        private byte[] _block = [];
        private byte[] _output = [];
        private int _count;
        private Task<int>? _work;

        public bool IsEmpty => _count == 0;
        public bool IsFull => _count == blockSize;

        /// <summary>Takes what fits; gives how much that was.</summary>
        public int Fill(ReadOnlySpan<byte> bytes)
        {
            int count = Math.Min(bytes.Length, blockSize - _count);
            if (_count + count > _block.Length)
            {
                // Small outputs are common: do not pay for a whole block until a quarter of one is there.
                int size = _count + count <= blockSize / 4 ? blockSize / 4 : blockSize;
                Array.Resize(ref _block, size);
            }
            bytes[..count].CopyTo(_block.AsSpan(_count));
            _count += count;
            return count;
        }

        public void Start(bool isThreaded)
        {
            if (isThreaded)
                _work = Task.Run(Encode);
            else
                _work = Task.FromResult(Encode());
        }

        private int Encode()
        {
            _encoder ??= newEncoder();
            int needed = _encoder.MaxOutput(_count);
            if (_output.Length < needed)
                _output = new byte[needed];
            return _encoder.Encode(_block.AsSpan(0, _count), _output);
        }

        /// <summary>Waits for the work, if there is any, and gives its output. The slot can be filled again afterwards.</summary>
        public ReadOnlySpan<byte> Finish()
        {
            if (_work is not { } work)
                return default;
            int length = work.GetAwaiter().GetResult(); // only then are count and output free to be touched
            _work = null;
            _count = 0;
            return _output.AsSpan(0, length);
        }

        /// <summary>Waits too: nothing may use the encoder any more when it is freed.</summary>
        public void Dispose()
        {
            (_work as IAsyncResult)?.AsyncWaitHandle.WaitOne();
            _encoder?.Dispose();
        }
    }
}
