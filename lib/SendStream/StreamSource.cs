using System.Buffers;
using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// Where the bytes of a run come from. The object is the identity of what a command brought: runs that name the same object and the
/// same offset in it are the same data, which is what a clone makes.
/// </summary>
public abstract class StreamSource
{
    private protected StreamSource() { }

    /// <summary>Fills the destination with the bytes at an offset in this source.</summary>
    internal abstract void Read(long offset, Span<byte> destination, DecodedExtent decoded);

    private protected static InvalidDataException Unreadable() =>
        new("the bytes of the input cannot be read again: contents can only be told from a file, or from an input that was kept");
}

/// <summary>Plain data in an input; the offset is the position in that input.</summary>
public sealed class WrittenBytes(StreamBytes? bytes) : StreamSource
{
    internal StreamBytes? Bytes => bytes;

    internal override void Read(long offset, Span<byte> destination, DecodedExtent decoded) => (bytes ?? throw Unreadable()).ReadAt(offset, destination);
}

/// <summary>An encoded write; the offset counts in what it decodes to.</summary>
public sealed class EncodedWrite : StreamSource
{
    private readonly StreamBytes? _bytes;
    private readonly long _commandOffset, _commandIndex, _position;
    private readonly int _length, _decodedLength;
    private readonly uint _compression;

    internal EncodedWrite(StreamBytes? bytes, SendCommand command, EncodedExtent extent)
    {
        (_bytes, _commandOffset, _commandIndex) = (bytes, command.Offset, command.Index);
        (_position, _length) = (command.OffsetOf(SendAttribute.Data), command.Bytes(SendAttribute.Data).Length);
        (_compression, _decodedLength) = (extent.Compression, extent.DecodedLength);
    }

    internal override void Read(long offset, Span<byte> destination, DecodedExtent decoded)
    {
        if (decoded.Source != this)
            Decode(decoded);
        decoded.Bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
    }

    private void Decode(DecodedExtent decoded)
    {
        byte[] payload = ArrayPool<byte>.Shared.Rent(_length);
        try
        {
            (_bytes ?? throw Unreadable()).ReadAt(_position, payload.AsSpan(0, _length));
            decoded.Source = null;
            if (decoded.Bytes.Length < _decodedLength)
                decoded.Bytes = new byte[_decodedLength];
            EncodedData.Decode(_compression, payload.AsSpan(0, _length), decoded.Bytes.AsSpan(0, _decodedLength));
            decoded.Source = this;
        }
        catch (InvalidDataException e)
        {
            throw new SendStreamException(SendStreamFault.EncodedCorrupt, _commandOffset, _commandIndex, e.Message, e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(payload);
        }
    }
}

/// <summary>A range without data, which reads as zeros.</summary>
public sealed class Hole : StreamSource
{
    internal Hole() { }

    internal override void Read(long offset, Span<byte> destination, DecodedExtent decoded) => destination.Clear();
}

/// <summary>Bytes that the input says nothing of.</summary>
public sealed class UnknownBytes : StreamSource
{
    private readonly string _reason;

    internal UnknownBytes(string reason, bool isOfAbsent = false) => (_reason, IsOfAbsent) = (reason, isOfAbsent);

    /// <summary>Whether a subvolume that was not given had them, rather than that the stream wrote them without saying what.</summary>
    public bool IsOfAbsent { get; }

    internal override void Read(long offset, Span<byte> destination, DecodedExtent decoded) => throw new InvalidDataException(_reason);
}

/// <summary>A content that no stream brought: of a folder or a layer that a stream builds upon. The offset is that in the content.</summary>
public sealed class ForeignContent : StreamSource
{
    internal ForeignContent(FileContent content) => Content = content;

    public FileContent Content { get; }

    internal override void Read(long offset, Span<byte> destination, DecodedExtent decoded)
    {
        if (decoded.Foreign != this || decoded.ForeignStream!.Position > offset)
        {
            decoded.ForeignStream?.Dispose();
            (decoded.Foreign, decoded.ForeignStream) = (this, new ForwardStream(Content.Open()));
        }
        decoded.ForeignStream!.ReadAt(offset, destination);
    }
}

/// <summary>What one reader of a content keeps from one read to the next.</summary>
internal sealed class DecodedExtent : IDisposable
{
    public EncodedWrite? Source;
    public byte[] Bytes = [];
    public ForeignContent? Foreign;
    public ForwardStream? ForeignStream;

    public void Dispose() => ForeignStream?.Dispose();
}

/// <summary>A stream that is read at growing offsets, whether it can seek or not.</summary>
internal sealed class ForwardStream(Stream stream) : IDisposable
{
    public long Position { get; private set; }

    public void ReadAt(long offset, Span<byte> destination)
    {
        if (stream.CanSeek)
            stream.Position = offset;
        else
            Skip(offset - Position);
        stream.ReadExactly(destination);
        Position = offset + destination.Length;
    }

    public void Dispose() => stream.Dispose();

    private void Skip(long length)
    {
        byte[] skipped = new byte[Math.Min(length, 64 << 10)];
        for (int part; length > 0; length -= part)
        {
            part = (int)Math.Min(length, skipped.Length);
            stream.ReadExactly(skipped, 0, part);
        }
    }
}
