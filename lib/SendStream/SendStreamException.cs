namespace Layerbox.SendStream;

/// <summary>
/// A send stream is malformed, cut, or says what cannot be. The message tells where and what in one line: "offset 4136: command 15
/// (write): …".
/// </summary>
public sealed class SendStreamException : IOException
{
    /// <param name="fault">What is wrong.</param>
    /// <param name="offset">Where in the input, in bytes: the beginning of the command, if it is one.</param>
    /// <param name="index">As <see cref="Index"/>.</param>
    /// <param name="reason">What was found and expected, in words.</param>
    /// <param name="cause">What made it known.</param>
    internal SendStreamException(SendStreamFault fault, long offset, long index, string reason, Exception? cause = null)
        : this(fault, offset, index, null, index == 0 || IsBetweenCommands(fault) ? "" : $"command {index}: ", reason, cause) { }

    internal SendStreamException(SendStreamFault fault, SendCommand command, string reason, Exception? cause = null)
        : this(fault, command.Offset, command.Index, command.Kind, $"command {command.Index} ({Name(command.Kind)}): ", reason, cause) =>
        Path = command.Has(SendAttribute.Path) ? command.Bytes(SendAttribute.Path).ToArray() : null;

    private SendStreamException(SendStreamFault fault, long offset, long index, SendCommandKind? kind, string place, string reason, Exception? cause)
        : base($"offset {offset}: {place}{reason}", cause) => (Fault, Offset, Index, Kind, Reason) = (fault, offset, index, kind, reason);

    /// <summary>What is wrong, for programs.</summary>
    public SendStreamFault Fault { get; }

    /// <summary>Whether nothing behind it can be read; else a reader can go on with the next command.</summary>
    public bool EndsReading => Fault <= SendStreamFault.CrcMismatch;

    /// <summary>Where in the input, in bytes: the beginning of the command, if it is one.</summary>
    public long Offset { get; }

    /// <summary>
    /// Which command of the input, from 1; where something else stands in place of a command, the number that it would have had; 0 for what
    /// is wrong with the input as a whole.
    /// </summary>
    public long Index { get; }

    /// <summary>What the command would have done; null when that is not known.</summary>
    public SendCommandKind? Kind { get; }

    /// <summary>The path that the command is about, verbatim, if it could be read.</summary>
    public byte[]? Path { get; }

    /// <summary>The message without the place.</summary>
    public string Reason { get; }

    /// <summary>Where the header of another stream begins in the midst of this one, in bytes, if one was seen: that one is whole.</summary>
    public long? Restart { get; internal init; }

    // The message names no command then: there is none.
    private static bool IsBetweenCommands(SendStreamFault fault) => fault <= SendStreamFault.TrailingBytes;

    private static string Name(SendCommandKind kind) => SendStreamFormat.IsKnown(kind) ? SendStreamFormat.NameOf(kind) : $"kind {(ushort)kind}";
}
