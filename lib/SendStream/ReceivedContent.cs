using System.Buffers;
using System.Security.Cryptography;
using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>A run of a content and where its bytes are. All in bytes.</summary>
/// <param name="Offset">Where it begins in the content.</param>
/// <param name="Length">How long it is.</param>
/// <param name="Source">What brought it; the same object for all that a clone copied from it.</param>
/// <param name="SourceOffset">Where it begins in the source.</param>
public readonly record struct StreamExtent(long Offset, long Length, StreamSource Source, long SourceOffset);

/// <summary>
/// The bytes of a file as commands described them: runs that say where in the input the bytes are, which are read only when someone asks.
/// Changes while the subvolume that it belongs to is being received, and never after.
/// </summary>
public sealed class ReceivedContent : FileContent
{
    // Most files are written by one command: such a content has no table.
    private StreamSource? _source;
    private long _sourceOffset;
    private RunTable? _runs;
    private UnknownBytes? _rest;
    private long _size;

    internal ReceivedContent(ContentOwner owner) => Owner = owner;

    /// <summary>A content of an absent subvolume, of which nothing is known.</summary>
    internal ReceivedContent(ContentOwner owner, UnknownBytes rest) : this(owner) => _rest = rest;

    /// <summary>The bytes that are known of; of a content whose size is not known, those up to the end of what a command named.</summary>
    public override long Size => _size;

    /// <summary>Whether the size is known: not of a file of an absent parent that was not truncated.</summary>
    public bool IsSizeKnown => _rest is null;

    /// <summary>Whether all bytes can be told, if the input can be read again.</summary>
    public bool IsKnown => _rest is null && !Runs.Any(run => run.Source is UnknownBytes);

    /// <summary>The runs, in order and without gaps.</summary>
    public IEnumerable<StreamExtent> Parts
    {
        get
        {
            Run? last = null;
            foreach (Run run in Runs)
            {
                if (last is { } before)
                    yield return new StreamExtent(before.Start, run.Start - before.Start, before.Source, before.SourceOffset);
                last = run;
            }
            if (last is { } end)
                yield return new StreamExtent(end.Start, _size - end.Start, end.Source, end.SourceOffset);
        }
    }

    public override IReadOnlyList<Extent> Extents
    {
        get
        {
            if (_runs is null && _rest is null)
                return _size == 0 ? [] : [new Extent(0, _size, _source is Hole, _source is UnknownBytes)];
            List<Extent> extents = [];
            foreach (StreamExtent part in Parts)
            {
                Extent extent = new(part.Offset, part.Length, part.Source is Hole, part.Source is UnknownBytes);
                if (extents.Count > 0 && extents[^1] is var last && last.IsHole == extent.IsHole && last.IsUnknown == extent.IsUnknown)
                    extents[^1] = last with { Length = last.Length + extent.Length };
                else
                    extents.Add(extent);
            }
            if (_rest is not null)
                extents.Add(new Extent(_size, 0, IsHole: false, IsUnknown: true));
            return extents;
        }
    }

    /// <summary>Who may still change it.</summary>
    internal ContentOwner Owner { get; }

    /// <summary>How many runs it has.</summary>
    internal int RunCount => _runs?.Count ?? (_size > 0 ? 1 : 0);

    private IEnumerable<Run> Runs => _runs?.Runs ?? (_size > 0 ? [new Run(0, _source!, _sourceOffset)] : []);

    /// <exception cref="InvalidDataException">The content is larger than the limit, or not all of it is known.</exception>
    public override Stream Open()
    {
        CheckReadable();
        return new ContentStream(this);
    }

    /// <inheritdoc/>
    public override bool TryWriteTo(Stream destination, Action<long> written)
    {
        const int ShortestPart = 32 << 10, BufferLength = 128 << 10;
        // Many small parts are better gathered. Encoded ones have to be decoded anyway.
        if (_size / ShortestPart < RunCount || Runs.Any(run => run.Source is not Hole && (run.Source as WrittenBytes)?.Bytes?.IsNearTo(destination) != true))
            return false;
        CheckReadable();
        byte[]? zeros = null;
        foreach (StreamExtent part in Parts)
        {
            if (part.Source is WrittenBytes { Bytes: { } bytes })
            {
                bytes.CopyTo(destination, part.SourceOffset, part.Length);
                written(part.Length);
                continue;
            }
            zeros ??= new byte[BufferLength];
            for (long left = part.Length; left > 0;)
            {
                int length = (int)Math.Min(left, zeros.Length);
                destination.Write(zeros.AsSpan(0, length));
                written(length);
                left -= length;
            }
        }
        return true;
    }

    /// <summary>A copy for another owner.</summary>
    internal ReceivedContent Copy(ContentOwner owner) =>
        new(owner) { _source = _source, _sourceOffset = _sourceOffset, _runs = _runs?.Copy(), _rest = _rest, _size = _size };

    /// <summary>Makes a range come from a source; what was there before is gone.</summary>
    internal void Put(long offset, long length, StreamSource source, long sourceOffset)
    {
        if (length == 0)
            return;
        if (offset > _size)
            Grow(offset);
        long end = offset + length;
        if (_runs is null)
        {
            if (offset == 0 && end >= _size)
            {
                (_source, _sourceOffset, _size) = (source, sourceOffset, end);
                return;
            }
            _runs = new RunTable();
            _runs.Add(new Run(0, _source!, _sourceOffset));
            _source = null;
        }
        if (offset < _size)
        {
            _runs.Cut(offset);
            if (end < _size)
                _runs.Cut(end);
            _runs.Remove(offset, end);
        }
        _runs.Add(new Run(offset, source, sourceOffset));
        _size = Math.Max(_size, end);
    }

    internal void SetSize(long size)
    {
        if (size > _size)
            Grow(size);
        else if (size == 0)
            (_source, _runs) = (null, null);
        else if (_runs is not null)
            _runs.Remove(size, long.MaxValue);
        (_size, _rest) = (size, null);
    }

    /// <summary>The runs of a range, for another content; the first may begin before the range.</summary>
    internal void CopyRuns(List<Run> runs, long offset, long length)
    {
        long end = offset + length;
        if (offset < _size && _runs is not null)
            _runs.CopyTo(runs, offset, end);
        else if (offset < _size)
            runs.Add(new Run(0, _source!, _sourceOffset));
        if (end > _size)
            runs.Add(new Run(Math.Max(offset, _size), _rest!, Math.Max(offset, _size)));
    }

    /// <summary>Reads as much as lies before the end.</summary>
    internal int ReadAt(long offset, Span<byte> destination, DecodedExtent decoded)
    {
        int length = (int)Math.Min(destination.Length, Math.Max(_size - offset, 0));
        for (int done = 0; done < length;)
        {
            long end = _size;
            Run run = _runs?.At(offset + done, ref end) ?? new Run(0, _source!, _sourceOffset);
            int part = (int)Math.Min(length - done, end - (offset + done));
            run.Source.Read(run.SourceOffsetAt(offset + done), destination.Slice(done, part), decoded);
            done += part;
        }
        return length;
    }

    protected override byte[] ComputeDigest()
    {
        const int MaxBufferLength = 128 << 10;
        CheckReadable();
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(Math.Max(_size, 1), MaxBufferLength));
        try
        {
            using DecodedExtent decoded = new();
            if (_size <= buffer.Length)
                return SHA256.HashData(buffer.AsSpan(0, ReadAt(0, buffer, decoded)));
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            for (long offset = 0; ReadAt(offset, buffer, decoded) is var read and > 0; offset += read)
                hash.AppendData(buffer.AsSpan(0, read));
            return hash.GetHashAndReset();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // What no command wrote: a hole, but of an absent file nobody knows.
    private void Grow(long size)
    {
        if (_rest is not null)
            Put(_size, size - _size, _rest, _size);
        else
            Put(_size, size - _size, new Hole(), 0);
    }

    private void CheckReadable()
    {
        if (_size > Owner.Limits.MaxContentSize)
            throw new InvalidDataException($"a file of {_size} bytes, which is more than the limit of {Owner.Limits.MaxContentSize} for those that are read");
        if (_rest is not null)
            throw new InvalidDataException("the size of the file is not known: the subvolume that the stream builds upon was not given");
    }
}

/// <summary>Marks the contents that may still be changed: those that have the receiver's present owner.</summary>
internal sealed class ContentOwner(SendStreamLimits limits)
{
    public SendStreamLimits Limits => limits;
}

/// <summary>A content as a stream.</summary>
internal sealed class ContentStream(ReceivedContent content) : Stream
{
    private readonly DecodedExtent _decoded = new();
    private long _position;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => content.Size;
    public override long Position { get => _position; set => _position = value; }

    public override int Read(Span<byte> buffer)
    {
        int read = content.ReadAt(_position, buffer, _decoded);
        _position += read;
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) =>
        _position = origin switch { SeekOrigin.Begin => offset, SeekOrigin.Current => _position + offset, _ => content.Size + offset };

    public override void Flush() { }
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _decoded.Dispose();
        base.Dispose(disposing);
    }
}
