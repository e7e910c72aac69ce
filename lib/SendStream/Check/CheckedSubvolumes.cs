using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>The subvolumes of a check. What a stream builds upon and nobody gave is taken for granted.</summary>
internal sealed class CheckedSubvolumes(SendStreamLimits limits, CheckedNodes nodes) : ISubvolumeStates<uint>
{
    private readonly Dictionary<Guid, CheckedState> _complete = [], _absent = [];
    private (Guid Uuid, CheckedState State) _begun;
    private int _count;

    public SendStreamLimits Limits => limits;

    public bool AllowNoData => true;

    public bool IsDescribed(Guid uuid) => _complete.ContainsKey(uuid);

    public SubvolumeState<uint> Begin(FileName name, Guid uuid, ulong ctransid, Guid? parent)
    {
        _begun = (uuid, parent is { } known && _complete.TryGetValue(known, out CheckedState? before)
            ? new CheckedState(before, _count++)
            : new CheckedState(nodes, _count++, isTakenForGranted: parent is not null));
        return _begun.State;
    }

    public void End()
    {
        _begun.State.IsComplete = true;
        _complete[_begun.Uuid] = _begun.State;
    }

    public SubvolumeState<uint> CloneSource(Guid uuid)
    {
        if (_complete.TryGetValue(uuid, out CheckedState? source) || _absent.TryGetValue(uuid, out source))
            return source;
        _absent.Add(uuid, source = new CheckedState(nodes, _count++, isTakenForGranted: true));
        return source;
    }
}
