using System.Buffers;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>Turns encoded writes into plain ones, each as long as the kernel's at most.</summary>
internal sealed class WriteDecoder(RewriteStep next, SendStreamLimits limits) : DraftingStep(next)
{
    public override void Take(SendCommand command)
    {
        if (command.Kind != SendCommandKind.EncodedWrite)
        {
            base.Take(command);
            return;
        }
        EncodedExtent extent = EncodedExtent.Of(command, limits);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(extent.DecodedLength);
        try
        {
            Draft.HandOn(command, command.UInt64(A.FileOffset), extent.Decode(command, buffer), base.Take);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
