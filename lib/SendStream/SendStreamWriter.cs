using System.Buffers.Binary;
using Layerbox.FileTree;
using static Layerbox.SendStream.SendStreamFormat;

namespace Layerbox.SendStream;

/// <summary>
/// Writes send streams: headers, and commands whose attributes are given one by one in the order in which they shall stand.
/// Lengths and CRCs are its own business. What was read command by command is written again bit by bit the same.
/// </summary>
/// <example><code>writer.Begin(SendCommandKind.Truncate).Bytes(SendAttribute.Path, path).UInt64(SendAttribute.Size, 0).End();</code></example>
public sealed class SendStreamWriter
{
    private const int InitialBufferLength = 256 << 10;

    /// <summary>Enough commands to be worth a write call.</summary>
    private const int FlushThreshold = 128 << 10;

    private readonly Stream _output;
    private byte[] _buffer = new byte[InitialBufferLength];
    private int _frameStart;
    private int _end;
    private bool _isDataLast;

    /// <summary>Starts a stream with its header.</summary>
    /// <param name="output">Takes the bytes; is not closed.</param>
    /// <param name="version">1, 2 or 3; 0 only to copy a stream that says so, which readers take as 1.</param>
    public SendStreamWriter(Stream output, uint version)
    {
        _output = output;
        BeginStream(version);
    }

    private SendStreamWriter(Stream output) => _output = output;

    public uint Version { get; private set; }

    /// <summary>A writer of commands of a stream whose header is written elsewhere.</summary>
    internal static SendStreamWriter Headless(Stream output) => new(output);

    /// <summary>Tells a headless writer the version of the stream.</summary>
    internal void Continue(uint version) => Version = version;

    /// <summary>Starts a further stream behind the one that has ended.</summary>
    /// <param name="version">As for the first.</param>
    public void BeginStream(uint version)
    {
        Version = version <= MaxVersion ? version : throw new ArgumentOutOfRangeException(nameof(version), version, "expected 1, 2 or 3");
        Span<byte> header = Grow(HeaderLength);
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[Magic.Length..], version);
        _frameStart = _end;
    }

    /// <summary>Writes a command that was read: bit by bit the same, but for its data where the versions write it differently.</summary>
    /// <exception cref="ArgumentException">Version 1 cannot say so much data.</exception>
    public void Copy(SendCommand command)
    {
        Begin(command.Kind);
        if (!command.Has(SendAttribute.Data) || HasOpenData(command.Version) == HasOpenData(Version))
            command.Payload.CopyTo(Grow(command.PayloadLength));
        else
        {
            foreach (SendCommand.AttributeEnumerator attribute in command)
                if (attribute.Type != SendAttribute.Data)
                    Bytes(attribute.Type, attribute.Value);
            Bytes(SendAttribute.Data, command.Bytes(SendAttribute.Data)); // must be the last one in version 2
        }
        End();
    }

    /// <summary>Starts a command.</summary>
    public SendStreamWriter Begin(SendCommandKind kind)
    {
        if (_end != _frameStart)
            throw new InvalidOperationException("the command before has not ended");
        Span<byte> header = Grow(CommandHeaderLength);
        header.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(header[sizeof(uint)..], (ushort)kind);
        return this;
    }

    /// <summary>Starts a command with its path, which nearly all have as their first attribute.</summary>
    public SendStreamWriter Begin(SendCommandKind kind, ReadOnlySpan<byte> path) => Begin(kind).Bytes(SendAttribute.Path, path);

    /// <summary>Adds an attribute. From version 2 on, data must be the last one and may be of any length.</summary>
    /// <exception cref="ArgumentException">The value is longer than the format can say.</exception>
    public SendStreamWriter Bytes(SendAttribute attribute, ReadOnlySpan<byte> value)
    {
        value.CopyTo(Value(attribute, value.Length));
        return this;
    }

    /// <inheritdoc cref="Bytes"/>
    public SendStreamWriter UInt8(SendAttribute attribute, byte value) => Bytes(attribute, [value]);

    /// <inheritdoc cref="Bytes"/>
    public SendStreamWriter UInt32(SendAttribute attribute, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Value(attribute, sizeof(uint)), value);
        return this;
    }

    /// <inheritdoc cref="Bytes"/>
    public SendStreamWriter UInt64(SendAttribute attribute, ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(Value(attribute, sizeof(ulong)), value);
        return this;
    }

    /// <inheritdoc cref="Bytes"/>
    public SendStreamWriter Uuid(SendAttribute attribute, Guid value)
    {
        value.TryWriteBytes(Value(attribute, UuidLength), bigEndian: true, out _);
        return this;
    }

    /// <inheritdoc cref="Bytes"/>
    public SendStreamWriter Time(SendAttribute attribute, Timestamp value)
    {
        Span<byte> bytes = Value(attribute, TimeLength);
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value.Seconds);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[sizeof(long)..], value.Nanoseconds);
        return this;
    }

    /// <summary>Ends the command. It is written out now or with later ones.</summary>
    public void End()
    {
        Span<byte> frame = _buffer.AsSpan(_frameStart.._end);
        BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)(frame.Length - CommandHeaderLength));
        BinaryPrimitives.WriteUInt32LittleEndian(frame[(sizeof(uint) + sizeof(ushort))..], Crc32C.Append(0, frame));
        _frameStart = _end;
        _isDataLast = false;
        if (_end >= FlushThreshold)
            Flush();
    }

    /// <summary>Ends the command as one that is to be read, and not written out.</summary>
    internal void EndInto(SendCommand command)
    {
        command.Load(_buffer, _frameStart + CommandHeaderLength, _end - _frameStart - CommandHeaderLength);
        _end = _frameStart;
        _isDataLast = false;
    }

    /// <summary>Hands all ended commands to the output.</summary>
    public void Flush()
    {
        _output.Write(_buffer, 0, _frameStart);
        _buffer.AsSpan(_frameStart.._end).CopyTo(_buffer);
        (_frameStart, _end) = (0, _end - _frameStart);
    }

    private Span<byte> Value(SendAttribute attribute, int length)
    {
        if (_end == _frameStart)
            throw new InvalidOperationException("no command was begun");
        if (_isDataLast)
            throw new InvalidOperationException("nothing can follow the data of a command");
        bool isOpen = attribute == SendAttribute.Data && HasOpenData(Version);
        if (!isOpen && length > MaxAttributeLength)
            throw new ArgumentException($"attribute {NameOf(attribute)} of {length} bytes: {MaxAttributeLength} is the most that the format can say");
        int header = isOpen ? sizeof(ushort) : AttributeHeaderLength;
        Span<byte> bytes = Grow(header + length);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)attribute);
        if (!isOpen)
            BinaryPrimitives.WriteUInt16LittleEndian(bytes[sizeof(ushort)..], (ushort)length);
        _isDataLast = isOpen;
        return bytes[header..];
    }

    private static bool HasOpenData(uint version) => version >= FirstVersionWithOpenData;

    private Span<byte> Grow(int length)
    {
        if (_buffer.Length - _end < length)
            Array.Resize(ref _buffer, Math.Max(2 * _buffer.Length, _end + length));
        _end += length;
        return _buffer.AsSpan(_end - length, length);
    }
}
