using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// One command of a send stream, as views into the reader's buffer: valid until the reader reads on. Its attributes were checked
/// when it was read: each known type at most once, values of the right length, all that the command needs, paths without NUL. Nothing is
/// copied and nothing allocated for a command.
/// </summary>
public sealed class SendCommand
{
    private const uint NanosecondsPerSecond = 1_000_000_000;

    private readonly InputWindow _window;
    private readonly int[] _starts = new int[SendStreamFormat.AttributeCount];
    private readonly int[] _lengths = new int[SendStreamFormat.AttributeCount];
    private readonly SendAttribute[] _known = new SendAttribute[SendStreamFormat.AttributeCount];
    private ulong _present;
    private int _knownCount;
    private int _payloadStart;

    /// <summary>A command that has no reader: it is shown by <see cref="Load"/>.</summary>
    internal SendCommand() => _window = new InputWindow();

    internal SendCommand(InputWindow window) => _window = window;

    /// <summary>Where the command begins in the input, in bytes.</summary>
    public long Offset { get; private set; }

    /// <summary>Counts all commands of the input, from 1.</summary>
    public long Index { get; private set; }

    public SendCommandKind Kind { get; private set; }

    /// <summary>The version that the header of the command's stream tells.</summary>
    public uint Version { get; private set; }

    public int PayloadLength { get; private set; }

    /// <summary>The attributes as they lie in the stream.</summary>
    public ReadOnlySpan<byte> Payload => _window.Slice(_payloadStart, PayloadLength);

    /// <summary>The command as it lies in the stream, its header included.</summary>
    internal ReadOnlySpan<byte> Frame =>
        _window.Slice(_payloadStart - SendStreamFormat.CommandHeaderLength, SendStreamFormat.CommandHeaderLength + PayloadLength);

    /// <summary>The attributes in the order in which they were written, unknown ones included.</summary>
    public AttributeEnumerator GetEnumerator() => new(this);

    /// <summary>The attributes of known types in the order in which they were written, as they were found when the command was checked.</summary>
    public ReadOnlySpan<SendAttribute> Known => _known.AsSpan(0, _knownCount);

    /// <summary>Whether there are attributes of unknown types beside them.</summary>
    public bool HasUnknown { get; private set; }

    public bool Has(SendAttribute attribute) => (_present & (1UL << (int)attribute)) != 0;

    /// <summary>The value of an attribute, verbatim.</summary>
    /// <exception cref="SendStreamException">The command does not have it.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> Bytes(SendAttribute attribute)
    {
        if (!Has(attribute))
            Missing(attribute);
        return _window.Slice(_starts[(int)attribute], _lengths[(int)attribute]);
    }

    /// <summary>Where in the input the value of an attribute begins, in bytes.</summary>
    /// <exception cref="SendStreamException">The command does not have it.</exception>
    public long OffsetOf(SendAttribute attribute)
    {
        if (!Has(attribute))
            Missing(attribute);
        return Offset + SendStreamFormat.CommandHeaderLength + (_starts[(int)attribute] - _payloadStart);
    }

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

    /// <summary>Finds the attributes and checks them.</summary>
    /// <exception cref="SendStreamException">They are not what the format or the command asks for.</exception>
    public void Parse()
    {
        (_present, _knownCount, HasUnknown) = (0, 0, false);
        ReadOnlySpan<byte> payload = Payload;
        bool hasOpenData = Version >= SendStreamFormat.FirstVersionWithOpenData;
        for (int at = 0; at < payload.Length;)
        {
            if (!Next(payload, hasOpenData, ref at, out SendAttribute type, out int start, out int length))
                throw Cut(payload[at..], hasOpenData);
            if (!SendStreamFormat.IsKnown(type))
            {
                if (AllowsUnknown)
                {
                    HasUnknown = true;
                    continue;
                }
                throw Error(SendStreamFault.AttributeUnknown, $"attribute {(ushort)type} is not known");
            }
            if (Has(type))
                throw Error(SendStreamFault.AttributeRepeated, $"{Say(type)} is given twice");
            _present |= 1UL << (int)type;
            _known[_knownCount++] = type;
            (_starts[(int)type], _lengths[(int)type]) = (_payloadStart + start, length);
            CheckValue(type, payload.Slice(start, length));
        }
        ulong missing = SendStreamFormat.RequiredBy(Kind) & ~_present;
        if (missing != 0)
            Missing((SendAttribute)BitOperations.TrailingZeroCount(missing));
    }

    /// <summary>Makes this stand for a command whose frame is about to be read, so that errors can name it.</summary>
    internal void Locate(SendCommandKind kind, uint version, long offset, long index) =>
        (Kind, Version, Offset, Index, _present, _knownCount) = (kind, version, offset, index, 0, 0);

    /// <summary>Makes this the view of a command whose frame was found good.</summary>
    internal void View(int frameStart, int frameLength) =>
        (_payloadStart, PayloadLength) = (frameStart + SendStreamFormat.CommandHeaderLength, frameLength - SendStreamFormat.CommandHeaderLength);

    /// <summary>Makes this the view of attributes in a buffer, and checks them.</summary>
    internal void Load(byte[] buffer, int payloadStart, int payloadLength)
    {
        _window.Show(buffer);
        (_payloadStart, PayloadLength) = (payloadStart, payloadLength);
        Parse();
    }

    /// <summary>Whether attributes of unknown type are passed over.</summary>
    internal bool AllowsUnknown { get; init; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CheckValue(SendAttribute type, ReadOnlySpan<byte> value)
    {
        int expected = SendStreamFormat.FixedLengthOf(type);
        if (expected == 0)
        {
            if (SendStreamFormat.IsPath(type) && value.Contains((byte)0))
                throw HasNul(type, value);
            return;
        }
        if (value.Length != expected)
            throw HasLength(type, value.Length, expected);
        if (expected == SendStreamFormat.TimeLength && BinaryPrimitives.ReadUInt32LittleEndian(value[sizeof(long)..]) is var nanoseconds and >= NanosecondsPerSecond)
            throw HasNanoseconds(type, nanoseconds);
    }

    private SendStreamException HasNul(SendAttribute type, ReadOnlySpan<byte> value) =>
        Error(SendStreamFault.PathNul, $"{Say(type)} has a NUL byte: '{BytesText.Escape(value[..Math.Min(value.Length, SendStreamFormat.MaxPathLength)])}'");

    private SendStreamException HasLength(SendAttribute type, int length, int expected) =>
        Error(SendStreamFault.AttributeLength, $"{Say(type)} is {length} bytes long, expected {expected}");

    private SendStreamException HasNanoseconds(SendAttribute type, uint nanoseconds) =>
        Error(SendStreamFault.TimeInvalid, $"{Say(type)} has {nanoseconds} nanoseconds, expected less than {NanosecondsPerSecond}");

    // Layout: u16 type, u16 length, value; data since version 2: u16 type, value up to the end of the command.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Next(ReadOnlySpan<byte> payload, bool hasOpenData, ref int at, out SendAttribute type, out int start, out int length)
    {
        ReadOnlySpan<byte> rest = payload[at..];
        type = rest.Length >= sizeof(ushort) ? (SendAttribute)BinaryPrimitives.ReadUInt16LittleEndian(rest) : default;
        bool isOpen = type == SendAttribute.Data && hasOpenData;
        int header = isOpen ? sizeof(ushort) : SendStreamFormat.AttributeHeaderLength;
        start = at + header;
        length = 0;
        if (rest.Length < header)
            return false;
        length = isOpen ? rest.Length - header : BinaryPrimitives.ReadUInt16LittleEndian(rest[sizeof(ushort)..]);
        if (length > rest.Length - header)
            return false;
        at = start + length;
        return true;
    }

    /// <summary>Why there is no next attribute in what is left.</summary>
    private SendStreamException Cut(ReadOnlySpan<byte> rest, bool hasOpenData)
    {
        if (rest.Length < sizeof(ushort))
            return Error(SendStreamFault.AttributeCut, "1 byte left over after the attributes");
        int at = 0;
        Next(rest, hasOpenData, ref at, out SendAttribute type, out int header, out int length);
        return rest.Length < header
            ? Error(SendStreamFault.AttributeCut, $"{Say(type)} has no length: {rest.Length} bytes left, expected at least {header}")
            : Error(SendStreamFault.AttributeOverrun, $"{Say(type)} says {length} bytes, {rest.Length - header} are left");
    }

    [System.Diagnostics.CodeAnalysis.DoesNotReturn]
    private void Missing(SendAttribute attribute) => throw Error(SendStreamFault.AttributeMissing, $"{Say(attribute)} is missing");

    private static string Say(SendAttribute attribute) => $"attribute {(ushort)attribute} ({SendStreamFormat.NameOf(attribute)})";

    /// <summary>Walks the attributes of a command.</summary>
    public ref struct AttributeEnumerator
    {
        private readonly ReadOnlySpan<byte> _payload;
        private readonly bool _hasOpenData;
        private int _at;
        private int _start;
        private int _length;

        internal AttributeEnumerator(SendCommand command)
        {
            _payload = command.Payload;
            _hasOpenData = command.Version >= SendStreamFormat.FirstVersionWithOpenData;
        }

        /// <summary>The attribute's type.</summary>
        public SendAttribute Type { get; private set; }

        /// <summary>The attribute's value, verbatim.</summary>
        public readonly ReadOnlySpan<byte> Value => _payload.Slice(_start, _length);

        public readonly AttributeEnumerator Current => this;

        public bool MoveNext()
        {
            if (_at == _payload.Length)
                return false;
            Next(_payload, _hasOpenData, ref _at, out SendAttribute type, out _start, out _length); // the command was checked as a whole before
            Type = type;
            return true;
        }
    }
}
