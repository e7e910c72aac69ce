using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>
/// What an encoded write says of its payload: it decodes to so many bytes, of which a part goes into the file. (An extent that was
/// overwritten in part is still sent whole.)
/// </summary>
internal readonly record struct EncodedExtent(uint Compression, int DecodedLength, int Skipped, int Used)
{
    /// <summary>Checks the numbers of a command.</summary>
    /// <exception cref="SendStreamException">They do not fit each other or the limits, or name an encoding that does not exist.</exception>
    public static EncodedExtent Of(SendCommand command, SendStreamLimits limits)
    {
        ulong decoded = command.UInt64(A.UnencodedLength), skipped = command.UInt64(A.UnencodedOffset), used = command.UInt64(A.UnencodedFileLength);
        if (decoded > (ulong)limits.MaxDecodedLength)
            throw command.Error(Fault.DecodedTooLong, $"{Show(command)}: says that it decodes to {decoded} bytes, more than the limit of {limits.MaxDecodedLength}");
        if (skipped > decoded || used > decoded - skipped)
            throw command.Error(Fault.EncodedRange, $"{Show(command)}: {used} bytes from {skipped} on, of only {decoded} that it decodes to");
        if (command.Has(A.Encryption) && command.UInt32(A.Encryption) is var encryption and not 0)
            throw command.Error(Fault.EncryptionUnknown, $"{Show(command)}: encryption {encryption} is not known, expected 0");
        uint compression = command.Has(A.Compression) ? command.UInt32(A.Compression) : 0;
        if (!EncodedData.IsKnown(compression))
            throw command.Error(Fault.CompressionUnknown, $"{Show(command)}: compression {compression} is not known, expected 0 to {EncodedData.MaxCompression}");
        return new EncodedExtent(compression, (int)decoded, (int)skipped, (int)used);
    }

    /// <summary>The bytes that go into the file.</summary>
    /// <param name="command">The command that this was read from.</param>
    /// <param name="buffer">Room for the decoded length; the result lies in it.</param>
    /// <exception cref="SendStreamException">The payload is corrupt.</exception>
    public ReadOnlySpan<byte> Decode(SendCommand command, Span<byte> buffer)
    {
        try
        {
            EncodedData.Decode(Compression, command.Bytes(A.Data), buffer[..DecodedLength]);
        }
        catch (InvalidDataException e)
        {
            throw command.Error(Fault.EncodedCorrupt, $"{Show(command)}: {e.Message}", e);
        }
        return buffer.Slice(Skipped, Used);
    }

    private static string Show(SendCommand command) => StreamPaths.Show(command.Bytes(A.Path));
}
