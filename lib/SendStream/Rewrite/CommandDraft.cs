using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>Makes the commands that a step hands on instead of those that it took.</summary>
internal sealed class CommandDraft
{
    private readonly SendStreamWriter _writer;
    private readonly SendCommand _command = new() { AllowsUnknown = true };

    /// <param name="version">Of the stream that the commands go into.</param>
    public CommandDraft(uint version) => _writer = new SendStreamWriter(Stream.Null, version);

    public uint Version => _writer.Version;

    /// <summary>Starts a command in the place of another one, whose position errors will tell.</summary>
    public SendStreamWriter Begin(SendCommandKind kind, long offset, long index)
    {
        _command.Locate(kind, _writer.Version, offset, index);
        return _writer.Begin(kind);
    }

    /// <inheritdoc cref="Begin(SendCommandKind, long, long)"/>
    public SendStreamWriter Begin(SendCommandKind kind, SendCommand origin) => Begin(kind, origin.Offset, origin.Index);

    /// <summary>Ends the command. The result is valid until the next one begins.</summary>
    public SendCommand End()
    {
        _writer.EndInto(_command);
        return _command;
    }

    /// <summary>Hands on data of a file as writes, each as long as the kernel's at most.</summary>
    /// <param name="origin">What they stand for; its path is theirs.</param>
    /// <param name="offset">Where in the file.</param>
    /// <param name="data">The bytes.</param>
    /// <param name="next">Takes the commands.</param>
    public void HandOn(SendCommand origin, ulong offset, ReadOnlySpan<byte> data, Action<SendCommand> next)
    {
        while (!data.IsEmpty)
        {
            ReadOnlySpan<byte> piece = data[..Math.Min(SendStreamFormat.LongestWrite(_writer.Version), data.Length)];
            Begin(SendCommandKind.Write, origin).Bytes(A.Path, origin.Bytes(A.Path)).UInt64(A.FileOffset, offset).Bytes(A.Data, piece);
            next(End());
            offset += (ulong)piece.Length;
            data = data[piece.Length..];
        }
    }
}
