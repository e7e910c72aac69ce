using static Layerbox.SendStream.FallocateModes;
using static Layerbox.SendStream.SendStreamFormat;
using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>
/// Says the same in another version of the format. What the version has no words for is said in others, as the kernel does; what
/// receivers ignore anyway is left out and counted; what changes contents and cannot be said is an error. Encoded writes
/// are the business of <see cref="WriteDecoder"/>.
/// </summary>
/// <param name="next">The next step.</param>
/// <param name="wanted">The version to write; null keeps that of each stream.</param>
/// <param name="least">The least version that will do.</param>
/// <param name="limits">How many zeros one command may become.</param>
/// <param name="notes">Told what is left out.</param>
internal sealed class VersionStep(RewriteStep next, uint? wanted, uint least, SendStreamLimits limits, RewriteNotes notes) : DraftingStep(next)
{
    public override void Begin(uint version) => base.Begin(wanted ?? Math.Max(version, least));

    public override void Take(SendCommand command)
    {
        bool isOld = Version < FirstVersionWithOpenData;
        switch (command.Kind)
        {
            case SendCommandKind.Write when isOld && command.Version >= FirstVersionWithOpenData && command.Bytes(A.Data).Length > LongestWrite(Version):
                Draft.HandOn(command, command.UInt64(A.FileOffset), command.Bytes(A.Data), base.Take);
                break;
            case SendCommandKind.Utimes when isOld && command.Has(A.Otime):
                notes.Count("creation times");
                SendStreamWriter times = Draft.Begin(command.Kind, command);
                foreach (SendCommand.AttributeEnumerator attribute in command)
                    if (attribute.Type != A.Otime)
                        times.Bytes(attribute.Type, attribute.Value);
                base.Take(Draft.End());
                break;
            case SendCommandKind.Fallocate when isOld:
                TakeFallocate(command);
                break;
            case SendCommandKind.FileAttr when isOld:
                notes.Count("fileattr commands");
                break;
            case SendCommandKind.EnableVerity when Math.Max(Version, 1) < FirstVersionOf(command.Kind):
                notes.Count("enable_verity commands");
                break;
            default:
                base.Take(command);
                break;
        }
    }

    // Zeros read like a hole. The kernel cuts what it punches to the file's size, so that writing there does not make the file longer.
    private void TakeFallocate(SendCommand command)
    {
        uint mode = command.UInt32(A.FallocateMode);
        ulong offset = command.UInt64(A.FileOffset), length = command.UInt64(A.Size);
        switch (mode)
        {
            case FALLOC_FL_KEEP_SIZE:
                notes.Count("preallocations");
                break;
            case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE or FALLOC_FL_ZERO_RANGE or (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE):
                if (length > MaxFileSize || offset > MaxFileSize - length)
                    throw command.Error(Fault.RangeTooLarge, $"{StreamPaths.Show(command.Bytes(A.Path))}: {length} bytes at {offset} lie beyond the end of the largest file");
                if (length > (ulong)limits.MaxContentSize)
                    throw command.Error(Fault.RangeTooLarge, $"{StreamPaths.Show(command.Bytes(A.Path))}: a hole of {length} bytes, which version {Version} can only write as zeros; the limit is {limits.MaxContentSize}");
                byte[] zeros = new byte[Math.Min(length, (ulong)LongestWrite(Version))];
                for (ulong part; length > 0; length -= part, offset += part)
                {
                    part = Math.Min(length, (ulong)zeros.Length);
                    Draft.HandOn(command, offset, zeros.AsSpan(0, (int)part), base.Take);
                }
                break;
            default:
                throw command.Error(Fault.FallocateModeUnknown, $"{StreamPaths.Show(command.Bytes(A.Path))}: version {Version} cannot say fallocate mode {mode}");
        }
    }
}
