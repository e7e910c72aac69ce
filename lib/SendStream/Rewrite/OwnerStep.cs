using System.Buffers.Binary;
using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>Gives files to other users and groups: in chown commands, in POSIX ACLs, and in capabilities of a user namespace.</summary>
/// <param name="next">The next step.</param>
/// <param name="users">Which users become which.</param>
/// <param name="groups">Which groups become which.</param>
/// <param name="owner">Whom all files are given to, instead; lists and capabilities keep their ids then.</param>
internal sealed class OwnerStep(RewriteStep next, IdMap users, IdMap groups, (uint Uid, uint Gid)? owner) : DraftingStep(next)
{
    // linux/posix_acl_xattr.h: u32 version; entries of u16 tag, u16 permissions, u32 id.
    private const int AclHeader = sizeof(uint), AclEntry = 8;
    private const ushort ACL_USER = 2, ACL_GROUP = 8;

    // linux/capability.h: u32 revision and flags, four words of capabilities; revision 3 adds the user who is root of the namespace.
    private const int RootIdOffset = 20, Revision3Length = 24;

    public override void Take(SendCommand command)
    {
        switch (command.Kind)
        {
            case SendCommandKind.Chown:
                SendStreamWriter writer = Draft.Begin(command.Kind, command);
                foreach (SendCommand.AttributeEnumerator attribute in command)
                    _ = attribute.Type switch
                    {
                        A.Uid => writer.UInt64(A.Uid, owner?.Uid ?? Map(users, command, command.UInt64(A.Uid), "uid")),
                        A.Gid => writer.UInt64(A.Gid, owner?.Gid ?? Map(groups, command, command.UInt64(A.Gid), "gid")),
                        _ => writer.Bytes(attribute.Type, attribute.Value),
                    };
                base.Take(Draft.End());
                break;
            case SendCommandKind.SetXattr when MapXattr(command) is { } value:
                writer = Draft.Begin(command.Kind, command);
                foreach (SendCommand.AttributeEnumerator attribute in command)
                    writer.Bytes(attribute.Type, attribute.Type == A.XattrData ? value : attribute.Value);
                base.Take(Draft.End());
                break;
            default:
                base.Take(command);
                break;
        }
    }

    /// <summary>The new value of an extended attribute that holds ids; null for all others, and for what is not well-formed.</summary>
    private byte[]? MapXattr(SendCommand command)
    {
        ReadOnlySpan<byte> name = command.Bytes(A.XattrName), value = command.Bytes(A.XattrData);
        if (name.SequenceEqual("system.posix_acl_access"u8) || name.SequenceEqual("system.posix_acl_default"u8))
        {
            byte[] acl = value.ToArray();
            for (int at = AclHeader; at + AclEntry <= acl.Length; at += AclEntry)
            {
                ushort tag = BinaryPrimitives.ReadUInt16LittleEndian(acl.AsSpan(at));
                if (tag is ACL_USER or ACL_GROUP)
                    MapAt(command, acl.AsSpan(at + sizeof(uint)), tag == ACL_USER ? users : groups, tag == ACL_USER ? "uid" : "gid");
            }
            return acl;
        }
        if (!name.SequenceEqual("security.capability"u8) || value.Length != Revision3Length)
            return null;
        byte[] capability = value.ToArray();
        MapAt(command, capability.AsSpan(RootIdOffset), users, "uid");
        return capability;
    }

    private static void MapAt(SendCommand command, Span<byte> id, IdMap map, string what) =>
        BinaryPrimitives.WriteUInt32LittleEndian(id, (uint)Map(map, command, BinaryPrimitives.ReadUInt32LittleEndian(id), what));

    private static ulong Map(IdMap map, SendCommand command, ulong id, string what) =>
        map.Map(id) ?? throw command.Error(Fault.IdInvalid, $"{StreamPaths.Show(command.Bytes(A.Path))}: {what} {id} is not in the map");
}
