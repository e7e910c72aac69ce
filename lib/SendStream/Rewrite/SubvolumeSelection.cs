using System.Text;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>Passes on some subvolumes of those that the input describes, by name or uuid.</summary>
internal sealed class SubvolumeSelection(RewriteStep next, IReadOnlyList<string> wanted) : RewriteStep(next)
{
    private readonly bool[] _found = new bool[wanted.Count];
    private uint _version;
    private bool _isKept;
    private bool _hasBegun;

    public override void Begin(uint version) => (_version, _isKept, _hasBegun) = (version, false, false);

    public override void Take(SendCommand command)
    {
        if (command.Kind is SendCommandKind.Subvol or SendCommandKind.Snapshot)
            _isKept = IsWanted(command);
        bool isKept = command.Kind == SendCommandKind.End ? _hasBegun : _isKept;
        if (!isKept)
            return;
        if (!_hasBegun)
            base.Begin(_version);
        _hasBegun = true;
        base.Take(command);
    }

    /// <exception cref="InvalidDataException">Something that was asked for was not there.</exception>
    public override void Complete()
    {
        if (Array.IndexOf(_found, false) is var missing and >= 0)
            throw new InvalidDataException($"no subvolume '{wanted[missing]}' in the input");
        base.Complete();
    }

    private bool IsWanted(SendCommand command)
    {
        bool isWanted = false;
        for (int i = 0; i < wanted.Count; i++)
            if (command.Bytes(A.Path).SequenceEqual(Encoding.UTF8.GetBytes(wanted[i])) || (Guid.TryParse(wanted[i], out Guid uuid) && uuid == command.Uuid(A.Uuid)))
                isWanted = _found[i] = true;
        return isWanted;
    }
}
