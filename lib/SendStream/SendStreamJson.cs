using System.Buffers;
using System.Buffers.Binary;
using System.Text.Unicode;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>
/// Send streams as JSON lines, a line for each header and each command with all of its attributes: docs/sendstream-json.md. Written by hand,
/// because a stream may have a million commands and a general writer takes several times as long.
/// </summary>
/// <param name="output">Takes the lines.</param>
/// <param name="withData">Whether the bytes of files are written too, in base64; else their length alone.</param>
public sealed class SendStreamJson(Stream output, bool withData = false) : CommandWriter
{
    // What a JSON string may hold as it is, of ASCII.
    private static readonly SearchValues<byte> s_plain =
        SearchValues.Create([.. Enumerable.Range(0x20, 0x5F).Select(b => (byte)b).Except("\"\\"u8.ToArray())]);

    private static readonly ShortText[] s_starts =
        [.. Enumerable.Range(0, SendStreamFormat.CommandCount).Select(k => new ShortText($"{{\"op\":\"{SendStreamFormat.NameOf((SendCommandKind)k)}\",\"offset\":"))];

    // With all that comes before the value.
    private static readonly ShortText[] s_members = [.. Enumerable.Range(0, SendStreamFormat.AttributeCount).Select(a => new ShortText(Member((A)a)))];

    private readonly ByteWriter _line = new(output);

    protected override void BeginStream(uint version, long offset)
    {
        _line.Add("{\"op\":\"stream\",\"offset\":"u8);
        _line.Add(offset);
        _line.Add(",\"version\":"u8);
        _line.Add((ulong)version);
        _line.Add("}\n"u8);
    }

    protected override void Write(SendCommand command)
    {
        bool isKnown = SendStreamFormat.IsKnown(command.Kind);
        if (isKnown)
            _line.Add(s_starts[(int)command.Kind]);
        else
            _line.Add("{\"op\":\"unknown\",\"offset\":"u8);
        _line.Add(command.Offset);
        _line.Add(",\"index\":"u8);
        _line.Add(command.Index);
        if (!isKnown)
        {
            _line.Add(",\"kind\":"u8);
            _line.Add((ulong)command.Kind);
        }
        foreach (A type in command.Known)
            AddAttribute(type, command.Bytes(type));
        if (command.HasUnknown)
            AddUnknown(command);
        _line.Add("}\n"u8);
        _line.FlushIfFull();
    }

    protected override void Flush() => _line.Flush();

    private void AddAttribute(A type, ReadOnlySpan<byte> value)
    {
        int length = SendStreamFormat.FixedLengthOf(type);
        if (length == 0 && type != A.Data)
        {
            AddText(type, value);
            return;
        }
        _line.Add(s_members[(int)type]);
        switch (length)
        {
            case 0:
                AddData(value);
                break;
            case sizeof(ulong) when type == A.Mode:
                ulong mode = BinaryPrimitives.ReadUInt64LittleEndian(value);
                _line.Add(mode < 8 ? "00"u8 : mode < 0x40 ? "0"u8 : []); // at least three digits behind the first 0
                _line.AddOctal(mode);
                _line.Add((byte)'"');
                break;
            case sizeof(ulong):
                _line.Add(BinaryPrimitives.ReadUInt64LittleEndian(value));
                break;
            case SendStreamFormat.TimeLength:
                _line.Add(BinaryPrimitives.ReadInt64LittleEndian(value));
                _line.Add(",\"nsec\":"u8);
                _line.Add((ulong)BinaryPrimitives.ReadUInt32LittleEndian(value[sizeof(long)..]));
                _line.Add((byte)'}');
                break;
            case SendStreamFormat.UuidLength:
                _line.AddUuid(new Guid(value, bigEndian: true));
                _line.Add((byte)'"');
                break;
            case sizeof(uint):
                _line.Add((ulong)BinaryPrimitives.ReadUInt32LittleEndian(value));
                break;
            default:
                _line.Add((ulong)value[0]);
                break;
        }
    }

    private void AddData(ReadOnlySpan<byte> value)
    {
        _line.Add((ulong)value.Length);
        if (!withData)
            return;
        _line.Add(",\"data_b64\":\""u8);
        _line.AddBase64(value);
        _line.Add((byte)'"');
    }

    /// <summary>A name or other bytes: as text where they are UTF-8, else in base64 under a name that says so.</summary>
    private void AddText(A type, ReadOnlySpan<byte> value)
    {
        int odd = value.IndexOfAnyExcept(s_plain);
        if (odd >= 0 && !Utf8.IsValid(value))
        {
            _line.Add(s_members[(int)type]);
            _line.TakeBack("\":\"".Length);
            _line.Add("_b64\":\""u8);
            _line.AddBase64(value);
            _line.Add((byte)'"');
            return;
        }
        _line.Add(s_members[(int)type]);
        for (; odd >= 0; odd = value.IndexOfAnyExcept(s_plain))
        {
            _line.Add(value[..odd]);
            AddEscaped(value[odd]);
            value = value[(odd + 1)..];
        }
        _line.Add(value);
        _line.Add((byte)'"');
    }

    private static string Member(A type)
    {
        string name = SendStreamFormat.NameOf(type);
        return (SendStreamFormat.FixedLengthOf(type), type) switch
        {
            (_, A.Data) => $",\"{name}_len\":",
            (_, A.Mode) => $",\"{name}\":\"0",
            (SendStreamFormat.TimeLength, _) => $",\"{name}\":{{\"sec\":",
            (0 or SendStreamFormat.UuidLength, _) => $",\"{name}\":\"",
            _ => $",\"{name}\":",
        };
    }

    private void AddEscaped(byte b)
    {
        switch (b)
        {
            case (byte)'"':
                _line.Add("\\\""u8);
                break;
            case (byte)'\\':
                _line.Add("\\\\"u8);
                break;
            case < 0x20:
                _line.Add("\\u00"u8);
                _line.Add("0123456789abcdef"u8[b >> 4]);
                _line.Add("0123456789abcdef"u8[b & 15]);
                break;
            default: // DEL, and bytes of other characters than ASCII
                _line.Add(b);
                break;
        }
    }

    private void AddUnknown(SendCommand command)
    {
        _line.Add(",\"unknown\":["u8);
        bool isFirst = true;
        foreach (SendCommand.AttributeEnumerator attribute in command)
        {
            if (SendStreamFormat.IsKnown(attribute.Type))
                continue;
            _line.Add(isFirst ? "{\"type\":"u8 : ",{\"type\":"u8);
            _line.Add((ulong)attribute.Type);
            _line.Add(",\"data_b64\":\""u8);
            _line.AddBase64(attribute.Value);
            _line.Add("\"}"u8);
            isFirst = false;
        }
        _line.Add((byte)']');
    }
}
