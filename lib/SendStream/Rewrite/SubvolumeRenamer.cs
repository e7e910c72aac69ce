using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>Who a subvolume is to be, instead of what its stream says; null keeps that.</summary>
/// <param name="Name">Its name at the receiver.</param>
/// <param name="Uuid">What later streams know it by; receivers keep it as received uuid.</param>
/// <param name="ParentUuid">The subvolume that an incremental stream builds upon.</param>
/// <param name="ParentTransid">The parent's transaction, which receivers of today do not look at.</param>
public sealed record SubvolumeIdentity(FileName? Name = null, Guid? Uuid = null, Guid? ParentUuid = null, ulong? ParentTransid = null);

/// <summary>Gives a subvolume another identity. Clones from itself and from its parent follow; other clone sources keep their names.</summary>
internal sealed class SubvolumeRenamer(RewriteStep next, SubvolumeIdentity identity) : DraftingStep(next)
{
    private (Guid Uuid, Guid? Parent)? _old;

    public override void Take(SendCommand command)
    {
        switch (command.Kind)
        {
            case SendCommandKind.Subvol or SendCommandKind.Snapshot:
                TakeSubvolume(command);
                break;
            case SendCommandKind.Clone when _old is not null:
                Guid source = command.Uuid(A.CloneUuid);
                bool isParent = source == _old.Value.Parent;
                base.Take(Renamed(command, null, null, isParent ? identity.ParentUuid : source == _old.Value.Uuid ? identity.Uuid : null, isParent));
                break;
            default:
                base.Take(command);
                break;
        }
    }

    private void TakeSubvolume(SendCommand command)
    {
        if (_old is not null)
            throw command.Error(Fault.SubvolumeCount, "a second subvolume: a new identity can be given to one only, which --only picks");
        bool isIncremental = command.Kind == SendCommandKind.Snapshot;
        if (!isIncremental && (identity.ParentUuid ?? (object?)identity.ParentTransid) is not null)
            throw command.Error(Fault.ParentUnknown, "a full stream has no parent that could be named anew");
        _old = (command.Uuid(A.Uuid), isIncremental ? command.Uuid(A.CloneUuid) : null);
        base.Take(Renamed(command, identity.Name, identity.Uuid, identity.ParentUuid, isIncremental));
    }

    private SendCommand Renamed(SendCommand command, FileName? name, Guid? uuid, Guid? cloneUuid, bool isParent)
    {
        SendStreamWriter writer = Draft.Begin(command.Kind, command);
        foreach (SendCommand.AttributeEnumerator attribute in command)
            _ = attribute.Type switch
            {
                A.Path when name is not null => writer.Bytes(A.Path, name.Value.Bytes),
                A.Uuid when uuid is not null => writer.Uuid(A.Uuid, uuid.Value),
                A.CloneUuid when cloneUuid is not null => writer.Uuid(A.CloneUuid, cloneUuid.Value),
                A.CloneCtransid when isParent && identity.ParentTransid is { } transid => writer.UInt64(A.CloneCtransid, transid),
                _ => writer.Bytes(attribute.Type, attribute.Value),
            };
        return Draft.End();
    }
}
