using System.Buffers.Binary;
using Layerbox.FileTree;
using static Layerbox.SendStream.SendStreamFormat;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>
/// Reads the commands of send streams one by one, from a stream that need not seek, and checks their frames: headers, versions,
/// lengths, CRCs, attributes. Several streams may stand back to back ("btrfs send a b"), each with its header and end, or share one
/// header and end ("btrfs send -e a b"). What the commands mean is not looked at here.
/// </summary>
public sealed class SendStreamReader : IDisposable
{
    private readonly InputWindow _input;
    private readonly SendStreamLimits _limits;
    private readonly SendCommand _command;
    private long _commands;
    private bool _isInStream;

    /// <param name="input">Read forwards, in large pieces; it need not seek.</param>
    /// <param name="limits">What to put up with.</param>
    public SendStreamReader(Stream input, SendStreamLimits? limits = null)
        : this(new InputWindow(input), limits) { }

    /// <param name="input">A file that is mapped, which saves the reading.</param>
    /// <param name="limits">What to put up with.</param>
    public SendStreamReader(MappedStreams input, SendStreamLimits? limits = null)
        : this(new InputWindow(input), limits) { }

    private SendStreamReader(InputWindow input, SendStreamLimits? limits)
    {
        _input = input;
        _limits = limits ?? SendStreamLimits.Default;
        _command = new SendCommand(input) { AllowsUnknown = _limits.AllowUnknown };
    }

    /// <summary>Gives its memory back: the last command is gone. The input is not closed.</summary>
    public void Dispose() => _input.Release();

    /// <summary>Version of the current stream: 1 to 3, or 0, which btrfs-progs take as 1.</summary>
    public uint Version { get; private set; }

    /// <summary>How many stream headers were read.</summary>
    public int StreamCount { get; private set; }

    /// <summary>How many bytes of the input lie behind the commands read so far.</summary>
    public long Position => _input.Position;

    /// <summary>The command that <see cref="Read"/> came to.</summary>
    public SendCommand Command => _command;

    /// <summary>The current command's bytes as they lie in the stream, its header included.</summary>
    public ReadOnlySpan<byte> Frame => _command.Frame;

    /// <summary>Goes on to the next command, an end command included; says false at the end of the input.</summary>
    /// <exception cref="SendStreamException">
    /// The input is malformed or incomplete: offset, command, what was found and expected. Unless it <see cref="SendStreamException.EndsReading"/>,
    /// the next call comes to the command behind the faulty one.
    /// </exception>
    public bool Read()
    {
        if (!ReadFrame())
            return false;
        _command.Parse();
        return true;
    }

    /// <summary>
    /// The same without a look at the attributes, which the command does not have until it is told to <see cref="SendCommand.Parse"/> them: for who
    /// only wants to know whether the bytes are those that were sent.
    /// </summary>
    /// <exception cref="SendStreamException">The same as of <see cref="Read"/>, but for attributes.</exception>
    public bool ReadFrame()
    {
        if (!_isInStream && !ReadHeader())
            return false;
        ReadCommand();
        return true;
    }

    // Layout: char magic[13], u32 version.
    private bool ReadHeader()
    {
        bool isFirst = StreamCount == 0;
        bool isWhole = _input.Fill(HeaderLength);
        ReadOnlySpan<byte> bytes = _input.Rest[..Math.Min(_input.Rest.Length, HeaderLength)];
        if (bytes.IsEmpty && !isFirst)
            return false;
        if (bytes.IsEmpty)
            throw new SendStreamException(Fault.EmptyInput, 0, _commands + 1, "the input is empty, expected the header of a send stream");
        if (!bytes.StartsWith(Magic[..Math.Min(bytes.Length, Magic.Length)]))
            throw isFirst
                ? new SendStreamException(Fault.NotASendStream, 0, _commands + 1, $"no send stream: {Describe(bytes)}, expected 'btrfs-stream' and a NUL byte")
                : new SendStreamException(Fault.TrailingBytes, Position, _commands + 1, $"bytes after the end command that are no further stream: {Describe(bytes)}");
        if (!isWhole)
            throw new SendStreamException(Fault.HeaderCut, Position, _commands + 1, $"the header of the stream is cut: {bytes.Length} bytes, expected {HeaderLength}");
        Version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[Magic.Length..]);
        if (Version > MaxVersion)
            throw new SendStreamException(Fault.VersionUnknown, Position + Magic.Length, _commands + 1, $"version {Version} of send streams is not known, expected 1 to {MaxVersion}");
        _input.Skip(HeaderLength);
        StreamCount++;
        return _isInStream = true;
    }

    // Layout: u32 length of the payload, u16 kind, u32 crc.
    private void ReadCommand()
    {
        if (!_input.Fill(CommandHeaderLength))
            throw _input.Rest.IsEmpty
                ? new SendStreamException(Fault.NoEnd, Position, _commands + 1, $"the stream ends without an end command after {_commands} commands")
                : new SendStreamException(Fault.CommandCut, Position, _commands + 1, $"its header is cut: {_input.Rest.Length} bytes, expected {CommandHeaderLength}");
        ReadOnlySpan<byte> header = _input.Rest[..CommandHeaderLength];
        if (header.SequenceEqual(Magic[..CommandHeaderLength]))
            throw new SendStreamException(Fault.Restarted, Position, _commands + 1,
                "a new stream header, expected an end command before it: the sender was stopped and started over")
            { Restart = Position };
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(header);
        SendCommandKind kind = (SendCommandKind)BinaryPrimitives.ReadUInt16LittleEndian(header[sizeof(uint)..]);
        _command.Locate(kind, Version, Position, ++_commands);
        if (length > _limits.MaxCommandLength)
            throw Broken(Fault.CommandTooLong, $"says {length} bytes, more than the limit of {_limits.MaxCommandLength}", CommandHeaderLength);
        int frame = CommandHeaderLength + (int)length;
        if (!_input.Fill(frame))
            throw Broken(Fault.CommandCut, $"cut: {_input.Rest.Length - CommandHeaderLength} of {length} bytes", frame);
        if (_input.Start + frame > _input.VerifiedEnd && !_limits.SkipCrc)
            CheckCrc(_input.Slice(_input.Start, frame));
        _command.View(_input.Start, frame);
        _input.Skip(frame);
        _isInStream = kind != SendCommandKind.End;
        CheckKind(kind);
    }

    private void CheckKind(SendCommandKind kind)
    {
        if (_limits.AllowUnknown)
            return;
        if (!IsKnown(kind))
            throw _command.Error(Fault.CommandUnknown, "no such command is known");
        if (FirstVersionOf(kind) is var first && first > Math.Max(Version, 1))
            throw _command.Error(Fault.CommandOfNewerVersion, $"a command of version {first} in a stream of version {Version}");
    }

    private void CheckCrc(ReadOnlySpan<byte> frame)
    {
        uint found = BinaryPrimitives.ReadUInt32LittleEndian(frame[(sizeof(uint) + sizeof(ushort))..]), expected = Crc32C.OfFrame(frame);
        if (found == expected)
            return;
        string hint = found == ~Crc32C.OfFrame(frame, uint.MaxValue) ? ", which is the iSCSI form of CRC32C; here it starts at 0 and is not inverted" : "";
        throw Broken(Fault.CrcMismatch, $"crc is 0x{found:x8}, expected 0x{expected:x8}{hint}", frame.Length);
    }

    // A `btrfs send` that was stopped and continued starts over in the middle of a command, and exits with 0 (btrfs-progs #719, #1063).
    private SendStreamException Broken(Fault fault, string reason, int frame)
    {
        int end = frame + Magic.Length - 1; // the header may begin with the frame's last byte
        _input.Fill(end);
        int at = _input.Rest[..Math.Min(_input.Rest.Length, end)].IndexOf(Magic);
        return at < 0
            ? _command.Error(fault, reason)
            : new SendStreamException(Fault.Restarted, _command,
                $"{reason}; another stream header begins at offset {Position + at}: the sender was stopped and started over")
            { Restart = Position + at };
    }

    private static string Describe(ReadOnlySpan<byte> bytes) => bytes switch
    {
        [0x1F, 0x8B, ..] => "gzip data",
        [0x28, 0xB5, 0x2F, 0xFD, ..] => "zstd data",
        [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => "xz data",
        [(byte)'B', (byte)'Z', (byte)'h', ..] => "bzip2 data",
        _ => $"'{BytesText.Escape(bytes)}'",
    };
}
