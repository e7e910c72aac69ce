using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>
/// Joins writes that follow each other, in the stream and in the file, into writes as long as the kernel's: 48 KiB in version 1, 128 KiB since
/// version 2, which is also what one compressed extent may hold. Longer ones are cut to that. Pieces begin at multiples of a sector
/// as soon as they can, which encoded writes need.
/// </summary>
internal sealed class WriteJoiner(RewriteStep next) : DraftingStep(next)
{
    /// <summary>What btrfs rounds extents to on x86 (sectorsize).</summary>
    public const int SectorLength = 4096;

    private byte[] _path = [];
    private int _pathLength;
    private byte[] _data = [];
    private int _length; // of what waits; 0 when nothing does
    private ulong _start;
    private (long Offset, long Index) _origin;

    public override void Begin(uint version)
    {
        int longest = SendStreamFormat.LongestWrite(version);
        if (longest != _data.Length)
            _data = new byte[longest];
        base.Begin(version);
    }

    public override void Take(SendCommand command)
    {
        if (command.Kind != SendCommandKind.Write || command.Bytes(A.Data).IsEmpty)
        {
            Flush();
            base.Take(command);
            return;
        }
        ReadOnlySpan<byte> data = command.Bytes(A.Data);
        ulong offset = command.UInt64(A.FileOffset);
        if (_length > 0 && (offset != _start + (ulong)_length || !command.Bytes(A.Path).SequenceEqual(_path.AsSpan(0, _pathLength))))
            Flush();
        if (_length == 0 && data.Length == _data.Length && offset % SectorLength == 0)
        {
            base.Take(command); // nothing to be gained by copying it
            return;
        }
        while (!data.IsEmpty)
        {
            if (_length == 0)
                Start(command, offset);
            int longest = _start % SectorLength == 0 ? _data.Length : SectorLength - (int)(_start % SectorLength);
            int count = Math.Min(longest - _length, data.Length);
            data[..count].CopyTo(_data.AsSpan(_length));
            _length += count;
            offset += (ulong)count;
            data = data[count..];
            if (_length == longest)
                Flush();
        }
    }

    public override void Complete()
    {
        Flush();
        base.Complete();
    }

    private void Start(SendCommand command, ulong offset)
    {
        ReadOnlySpan<byte> path = command.Bytes(A.Path);
        if (_path.Length < path.Length)
            _path = new byte[path.Length];
        path.CopyTo(_path);
        (_pathLength, _start, _origin) = (path.Length, offset, (command.Offset, command.Index));
    }

    private void Flush()
    {
        if (_length == 0)
            return;
        Draft.Begin(SendCommandKind.Write, _origin.Offset, _origin.Index).Bytes(A.Path, _path.AsSpan(0, _pathLength))
            .UInt64(A.FileOffset, _start).Bytes(A.Data, _data.AsSpan(0, _length));
        _length = 0;
        base.Take(Draft.End());
    }
}
