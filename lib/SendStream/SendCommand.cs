using System.Buffers.Binary;
using System.Numerics;
using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// One command of a send stream, as views into the reader's buffer: valid until the reader reads on. Its attributes were checked
/// when it was read: each known type at most once, values of the right length, all that the command needs, paths without NUL.
/// </summary>
public sealed class SendCommand
{
    private const uint NanosecondsPerSecond = 1_000_000_000;

    private readonly int[] _starts = new int[SendStreamFormat.AttributeCount];
    private readonly int[] _lengths = new int[SendStreamFormat.AttributeCount];
    private ulong _present;
    private byte[] _buffer = [];
    private int _payloadStart;

    internal SendCommand() { }

    /// <summary>Where the command begins in the input, in bytes.</summary>
    public long Offset { get; private set; }

    /// <summary>Counts all commands of the input, from 1.</summary>
    public long Index { get; private set; }

    public SendCommandKind Kind { get; private set; }

    /// <summary>The version that the header of the command's stream tells.</summary>
    public uint Version { get; private set; }

    public int PayloadLength { get; private set; }

    /// <summary>The attributes as they lie in the stream.</summary>
    public ReadOnlySpan<byte> Payload => _buffer.AsSpan(_payloadStart, PayloadLength);

    /// <summary>The attributes in the order in which they were written, unknown ones included.</summary>
    public AttributeEnumerator GetEnumerator() => new(this);

    public bool Has(SendAttribute attribute) => (_present & (1UL << (int)attribute)) != 0;

    /// <summary>The value of an attribute, verbatim.</summary>
    /// <exception cref="SendStreamException">The command does not have it.</exception>
    public ReadOnlySpan<byte> Bytes(SendAttribute attribute) =>
        Has(attribute) ? _buffer.AsSpan(_starts[(int)attribute], _lengths[(int)attribute]) : throw Missing(attribute);

    /// <summary>Where in the input the value of an attribute begins, in bytes.</summary>
    /// <exception cref="SendStreamException">The command does not have it.</exception>
    public long OffsetOf(SendAttribute attribute) =>
        Has(attribute) ? Offset + SendStreamFormat.CommandHeaderLength + (_starts[(int)attribute] - _payloadStart) : throw Missing(attribute);

    /// <inheritdoc cref="Bytes"/>
    public byte UInt8(SendAttribute attribute) => Bytes(attribute)[0];

    /// <inheritdoc cref="Bytes"/>
    public uint UInt32(SendAttribute attribute) => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(attribute));

    /// <inheritdoc cref="Bytes"/>
    public ulong UInt64(SendAttribute attribute) => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(attribute));

    /// <inheritdoc cref="Bytes"/>
    public Guid Uuid(SendAttribute attribute) => new(Bytes(attribute), bigEndian: true);

    /// <inheritdoc cref="Bytes"/>
    public Timestamp Time(SendAttribute attribute) =>
        new(BinaryPrimitives.ReadInt64LittleEndian(Bytes(attribute)), BinaryPrimitives.ReadUInt32LittleEndian(Bytes(attribute)[sizeof(long)..]));

    /// <summary>What is wrong with this command, after where it is: "offset 4136: command 15 (write): …".</summary>
    public SendStreamException Error(SendStreamFault fault, string reason, Exception? cause = null) => new(fault, this, reason, cause);

    /// <summary>Makes this the view of a command whose frame was found good, and checks its attributes.</summary>
    internal void Load(byte[] buffer, int payloadStart, int payloadLength)
    {
        (_buffer, _payloadStart, PayloadLength) = (buffer, payloadStart, payloadLength);
        _present = 0;
        for (int at = 0; at < payloadLength;)
        {
            if (NextAttribute(ref at, out SendAttribute type, out int start, out int length) is { } fault)
                throw fault;
            if (!SendStreamFormat.IsKnown(type))
            {
                if (AllowsUnknown)
                    continue;
                throw Error(SendStreamFault.AttributeUnknown, $"attribute {(ushort)type} is not known");
            }
            if (Has(type))
                throw Error(SendStreamFault.AttributeRepeated, $"{Say(type)} is given twice");
            _present |= 1UL << (int)type;
            (_starts[(int)type], _lengths[(int)type]) = (payloadStart + start, length);
            CheckValue(type);
        }
        ulong missing = SendStreamFormat.RequiredBy(Kind) & ~_present;
        if (missing != 0)
            throw Missing((SendAttribute)BitOperations.TrailingZeroCount(missing));
    }

    /// <summary>Makes this stand for a command whose frame is about to be read, so that errors can name it.</summary>
    internal void Locate(SendCommandKind kind, uint version, long offset, long index) =>
        (Kind, Version, Offset, Index, _present) = (kind, version, offset, index, 0);

    /// <summary>Whether attributes of unknown type are passed over.</summary>
    internal bool AllowsUnknown { get; init; }

    private void CheckValue(SendAttribute type)
    {
        ReadOnlySpan<byte> value = Bytes(type);
        int expected = SendStreamFormat.FixedLengthOf(type);
        if (expected != 0 && value.Length != expected)
            throw Error(SendStreamFault.AttributeLength, $"{Say(type)} is {value.Length} bytes long, expected {expected}");
        if (SendStreamFormat.IsPath(type) && value.Contains((byte)0))
            throw Error(SendStreamFault.PathNul, $"{Say(type)} has a NUL byte: '{BytesText.Escape(value[..Math.Min(value.Length, SendStreamFormat.MaxPathLength)])}'");
        if (expected == SendStreamFormat.TimeLength && Time(type).Nanoseconds >= NanosecondsPerSecond)
            throw Error(SendStreamFault.TimeInvalid, $"{Say(type)} has {Time(type).Nanoseconds} nanoseconds, expected less than {NanosecondsPerSecond}");
    }

    // Layout: u16 type, u16 length, value; data since version 2: u16 type, value up to the end of the command.
    private SendStreamException? NextAttribute(ref int at, out SendAttribute type, out int start, out int length)
    {
        ReadOnlySpan<byte> rest = Payload[at..];
        (type, start, length) = (default, 0, 0);
        if (rest.Length < sizeof(ushort))
            return Error(SendStreamFault.AttributeCut, "1 byte left over after the attributes");
        type = (SendAttribute)BinaryPrimitives.ReadUInt16LittleEndian(rest);
        bool isOpen = type == SendAttribute.Data && Version >= SendStreamFormat.FirstVersionWithOpenData;
        int header = isOpen ? sizeof(ushort) : SendStreamFormat.AttributeHeaderLength;
        if (rest.Length < header)
            return Error(SendStreamFault.AttributeCut, $"{Say(type)} has no length: {rest.Length} bytes left, expected at least {header}");
        length = isOpen ? rest.Length - header : BinaryPrimitives.ReadUInt16LittleEndian(rest[sizeof(ushort)..]);
        if (length > rest.Length - header)
            return Error(SendStreamFault.AttributeOverrun, $"{Say(type)} says {length} bytes, {rest.Length - header} are left");
        start = at + header;
        at = start + length;
        return null;
    }

    private SendStreamException Missing(SendAttribute attribute) => Error(SendStreamFault.AttributeMissing, $"{Say(attribute)} is missing");

    private static string Say(SendAttribute attribute) => $"attribute {(ushort)attribute} ({SendStreamFormat.NameOf(attribute)})";

    /// <summary>Walks the attributes of a command.</summary>
    public ref struct AttributeEnumerator
    {
        private readonly SendCommand _command;
        private int _at;
        private int _start;
        private int _length;

        internal AttributeEnumerator(SendCommand command) => _command = command;

        /// <summary>The attribute's type.</summary>
        public SendAttribute Type { get; private set; }

        /// <summary>The attribute's value, verbatim.</summary>
        public readonly ReadOnlySpan<byte> Value => _command.Payload.Slice(_start, _length);

        public readonly AttributeEnumerator Current => this;

        public bool MoveNext()
        {
            if (_at == _command.PayloadLength)
                return false;
            _command.NextAttribute(ref _at, out SendAttribute type, out _start, out _length); // the command was checked as a whole before
            Type = type;
            return true;
        }
    }
}
