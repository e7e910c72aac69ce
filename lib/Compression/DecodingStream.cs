using System.Buffers;

namespace Layerbox.Compression;

/// <summary>Compressed members of one format, one after another, as one stream of what they hold. Knows offsets and says them.</summary>
internal sealed class DecodingStream : ReadOnlyStream
{
    private const int BufferSize = 256 * 1024;

    private readonly Decoder _decoder;
    private readonly Stream _source;
    private readonly bool _leaveOpen;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
    private int _start;
    private int _end;
    private long _offset; // of _start in the source
    private bool _atSourceEnd;
    private bool _isInMember;
    private bool _isDone;
    private bool _mustBegin;

    public DecodingStream(Decoder decoder, ReadOnlySpan<byte> prefix, Stream source, bool leaveOpen, bool mustBegin = false)
    {
        _decoder = decoder;
        _source = source;
        _leaveOpen = leaveOpen;
        _mustBegin = mustBegin;
        prefix.CopyTo(_buffer);
        _end = prefix.Length;
    }

    public override int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_buffer.Length == 0, this);
        if (buffer.IsEmpty || _isDone)
            return 0;
        while (_isInMember || StartMember())
        {
            if (_start == _end)
                Fill(1);
            int produced = DecodePiece(buffer);
            if (produced > 0)
                return produced;
        }
        _isDone = true;
        return 0;
    }

    private int DecodePiece(Span<byte> buffer)
    {
        int consumed = 0, produced;
        try
        {
            // Even without input: a decoder may still hold output that did not fit into the buffer before.
            _isInMember = !_decoder.Decode(_buffer.AsSpan(_start, _end - _start), buffer, out consumed, out produced);
        }
        catch (InvalidDataException corrupt)
        {
            throw new InvalidDataException($"{_decoder.Format}: offset {_offset + consumed}: {corrupt.Message}", corrupt);
        }
        _start += consumed;
        _offset += consumed;
        if (_isInMember && consumed == 0 && produced == 0 && _start == _end && _atSourceEnd)
            throw new InvalidDataException($"{_decoder.Format}: offset {_offset}: the input ends too early");
        return produced;
    }

    /// <summary>Says false at the end of the source.</summary>
    private bool StartMember()
    {
        SkipPadding();
        Fill(Magic.Longest);
        bool isFirst = _mustBegin;
        _mustBegin = false;
        if (_start == _end)
            return !isFirst ? false : throw new InvalidDataException($"{_decoder.Format}: offset 0: there is nothing");
        if (isFirst && !_decoder.IsStart(_buffer.AsSpan(_start, _end - _start)))
            throw new InvalidDataException($"{_decoder.Format}: offset 0: the data does not begin as {_decoder.Format} does");
        if (!isFirst && !_decoder.IsStart(_buffer.AsSpan(_start, _end - _start)))
            throw new InvalidDataException($"{_decoder.Format}: offset {_offset}: what follows the end of the data is not {_decoder.Format}");
        _decoder.Start();
        return _isInMember = true;
    }

    private void SkipPadding()
    {
        int unit = _decoder.PaddingUnit;
        if (unit == 0 || _offset == 0)
            return;
        for (; ; _start += unit, _offset += unit)
        {
            Fill(Magic.Longest);
            if (_end - _start < unit || _buffer.AsSpan(_start, unit).ContainsAnyExcept((byte)0))
                return;
        }
    }

    /// <summary>Reads until this many bytes are there or the source ends.</summary>
    private void Fill(int atLeast)
    {
        int have = _end - _start;
        if (have >= atLeast || _atSourceEnd)
            return;
        _buffer.AsSpan(_start, have).CopyTo(_buffer);
        (_start, _end) = (0, have);
        while (_end < atLeast && !_atSourceEnd)
        {
            int count = _source.Read(_buffer, _end, _buffer.Length - _end);
            _end += count;
            _atSourceEnd = count == 0;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && _buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
            _decoder.Dispose();
            if (!_leaveOpen)
                _source.Dispose();
        }
        base.Dispose(disposing);
    }
}
