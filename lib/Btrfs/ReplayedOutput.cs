using System.Buffers.Binary;
using System.Numerics;

namespace Layerbox.Btrfs;

/// <summary>
/// Passes a stream on that may have to be written several times from its beginning: what was passed on before is left out, once it is
/// seen to be the same (by length and CRC32C, since the stream itself is not kept).
/// </summary>
internal sealed class ReplayedOutput(Stream output, string path)
{
    private long _passed, _replayed;
    private uint _passedSum, _replayedSum;

    /// <summary>Says that the stream now comes from its beginning.</summary>
    public void Begin() => (_replayed, _replayedSum) = (0, 0);

    /// <exception cref="InvalidDataException">The stream is not the one that it was the last time.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (_replayed < _passed)
        {
            ReadOnlySpan<byte> again = bytes[..(int)Math.Min(bytes.Length, _passed - _replayed)];
            _replayed += again.Length;
            _replayedSum = Sum(_replayedSum, again);
            if (_replayed == _passed && _replayedSum != _passedSum)
                throw Differs();
            bytes = bytes[again.Length..];
        }
        if (bytes.IsEmpty)
            return;
        output.Write(bytes);
        _passedSum = _replayedSum = Sum(_passedSum, bytes);
        _passed = _replayed += bytes.Length;
    }

    /// <summary>Says that the stream is complete.</summary>
    /// <inheritdoc cref="Write"/>
    public void End()
    {
        if (_replayed < _passed)
            throw Differs();
    }

    private InvalidDataException Differs() =>
        new($"{path}: subvolume send: interrupted after {_passed} bytes, and the second stream differs from the first: send it again");

    /// <summary>CRC32C, carried on from what came before; neither begun nor ended with ones.</summary>
    internal static uint Sum(uint sum, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            sum = BitOperations.Crc32C(sum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (byte b in bytes)
            sum = BitOperations.Crc32C(sum, b);
        return sum;
    }
}
