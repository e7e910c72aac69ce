using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>Leaves all times out, or makes none of them later than a moment.</summary>
/// <param name="next">The next step.</param>
/// <param name="latest">That moment; null: no times at all, so that receivers put their own.</param>
internal sealed class TimeStep(RewriteStep next, Timestamp? latest) : DraftingStep(next)
{
    public override void Take(SendCommand command)
    {
        if (command.Kind != SendCommandKind.Utimes)
        {
            base.Take(command);
            return;
        }
        if (latest is null)
            return;
        SendStreamWriter writer = Draft.Begin(command.Kind, command);
        foreach (SendCommand.AttributeEnumerator attribute in command)
            _ = attribute.Type is A.Atime or A.Mtime or A.Ctime or A.Otime
                ? writer.Time(attribute.Type, command.Time(attribute.Type).ClampedTo(latest.Value))
                : writer.Bytes(attribute.Type, attribute.Value);
        base.Take(Draft.End());
    }
}
