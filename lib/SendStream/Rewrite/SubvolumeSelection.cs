using System.Text;
using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>Passes on some subvolumes of those that the input describes, by name or uuid.</summary>
internal sealed class SubvolumeSelection(RewriteStep next, IReadOnlyList<byte[]> wanted) : RewriteStep(next)
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
            throw new InvalidDataException($"no subvolume '{BytesText.Escape(wanted[missing])}' in the input");
        base.Complete();
    }

    /// <summary>Whether a name, or a uuid in text, is that of a subvolume.</summary>
    public static bool IsNamed(byte[] wanted, ReadOnlySpan<byte> name, Guid uuid) =>
        name.SequenceEqual(wanted) || (Guid.TryParse(Encoding.UTF8.GetString(wanted), out Guid parsed) && parsed == uuid);

    private bool IsWanted(SendCommand command)
    {
        bool isWanted = false;
        for (int i = 0; i < wanted.Count; i++)
            if (IsNamed(wanted[i], command.Bytes(A.Path), command.Uuid(A.Uuid)))
                isWanted = _found[i] = true;
        return isWanted;
    }
}
