using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>What a stream made: a subvolume in memory.</summary>
/// <param name="Name">The name that the sender knew it by.</param>
/// <param name="Uuid">Its identity for later streams, which name it as parent or clone source: what receivers keep as received uuid.</param>
/// <param name="Ctransid">The transaction of its last change on the sender.</param>
/// <param name="ParentUuid">The subvolume whose changes the stream told; null for a full stream.</param>
/// <param name="Tree">The complete state after the stream.</param>
public sealed record ReceivedSubvolume(FileName Name, Guid Uuid, ulong Ctransid, Guid? ParentUuid, Tree Tree);
