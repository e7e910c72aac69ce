using System.Buffers;
using System.Runtime.CompilerServices;

namespace Layerbox.SendStream;

/// <summary>
/// The part of an input that a reader has in reach: bytes read into a buffer, or a mapped window. Views of it are good until the next
/// <see cref="Fill"/>.
/// </summary>
internal sealed class InputWindow
{
    /// <summary>What lies in the processor's second cache between the read and the CRC is checked fastest: neither less nor much more at once.</summary>
    private const int ReadLength = 256 << 10;

    /// <summary>Room for several reads, so that the cut command at the end is seldom moved to the front.</summary>
    private const int BufferLength = 4 * ReadLength;

    private readonly Stream? _stream;
    private readonly MappedStreams? _mapping;
    private byte[] _buffer = [];
    private byte[]? _rented;
    private ReadOnlyMemory<byte> _mapped;
    private int _start;
    private int _end;

    /// <summary>A window on nothing, until it is shown something.</summary>
    public InputWindow() { }

    public InputWindow(Stream stream)
    {
        _stream = stream;
        // Of an input that is known to be small, no more than it and the try to read on.
        long left = stream.CanSeek ? stream.Length - stream.Position : BufferLength;
        _buffer = _rented = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(left + 1, SendStreamFormat.HeaderLength, BufferLength));
    }

    public InputWindow(MappedStreams mapping) => _mapping = mapping;

    /// <summary>Where <see cref="Rest"/> begins in the input.</summary>
    public long Position { get; private set; }

    /// <summary>Where <see cref="Rest"/> begins in the window, for <see cref="Slice"/>.</summary>
    public int Start => _start;

    /// <summary>What is in reach and was not skipped.</summary>
    public ReadOnlySpan<byte> Rest => Slice(_start, _end - _start);

    /// <summary>Up to here in the window, other threads have checked the CRCs and found them good.</summary>
    public int VerifiedEnd { get; private set; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> Slice(int start, int length) => _stream is null ? SliceOfMapped(start, length) : _buffer.AsSpan(start, length);

    /// <summary>Puts these bytes in reach.</summary>
    public void Show(ReadOnlyMemory<byte> bytes) => _mapped = bytes;

    public void Skip(int length)
    {
        _start += length;
        Position += length;
    }

    /// <summary>Brings so many bytes in reach; says false when the input ends before.</summary>
    public bool Fill(int length) => _end - _start >= length || (_stream is null ? Map(length) : ReadUntil(length));

    /// <summary>Gives the buffer back, for the next input of a chain: nothing is in reach any more.</summary>
    public void Release()
    {
        if (_rented is not null)
            ArrayPool<byte>.Shared.Return(_rented);
        (_rented, _buffer, _start, _end) = (null, [], 0, 0);
    }

    private ReadOnlySpan<byte> SliceOfMapped(int start, int length) => _mapped.Span.Slice(start, length);

    private bool Map(int length)
    {
        _mapped = _mapping!.Show(Position, length);
        (_start, _end) = (0, _mapped.Length);
        VerifiedEnd = _mapping.Verifier?.Verify(_mapped) ?? 0;
        return _end >= length;
    }

    private bool ReadUntil(int length)
    {
        if (_buffer.Length - _end < ReadLength)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        while (_end - _start < length)
        {
            // Twice what has arrived, not what a length promises.
            if (_end == _buffer.Length)
                Array.Resize(ref _buffer, (int)Math.Min(2L * _buffer.Length, Array.MaxLength));
            int read = _stream!.Read(_buffer, _end, Math.Min(_buffer.Length - _end, ReadLength));
            if (read == 0)
                return false;
            _end += read;
        }
        return true;
    }
}
