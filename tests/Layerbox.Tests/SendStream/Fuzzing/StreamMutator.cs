using System.Buffers.Binary;
using Layerbox.SendStream;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.Tests.SendStream.Fuzzing;

/// <summary>Makes streams that are nearly good: from good ones, by few changes, each the same for the same number.</summary>
internal sealed class StreamMutator
{
    private const int MaxFrames = 64, MaxDataLength = 400;

    private static readonly ulong[] s_numbers =
    [
        0, 1, 2, 3, 7, 255, 4095, 4096, 65535, 131071, 131072, 131073, 1 << 20, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, 1UL << 40,
        1UL << 53, 1UL << 60, long.MaxValue - 4096, long.MaxValue, 1UL << 63, ulong.MaxValue - 1, ulong.MaxValue,
    ];

    private readonly List<(uint Version, List<byte[]> Frames)> _seeds = [];
    private readonly List<byte[]> _paths;
    private readonly List<byte[]> _uuids = [];

    /// <param name="seeds">Good streams; of long ones pieces are taken.</param>
    /// <param name="hostilePaths">Paths that must not be reached.</param>
    public StreamMutator(IEnumerable<byte[]> seeds, IEnumerable<string> hostilePaths)
    {
        _paths = [.. hostilePaths.Concat(["", ".", "..", "/", "a/", "a//b", "../evil", "a/../../evil", "\xff", "a\nb", new string('n', 255), new string('n', 256), new string('p', 4096)]).Select(RawStream.Bytes)];
        foreach (byte[] seed in seeds)
        {
            SendStreamReader reader = new(new MemoryStream(seed));
            List<byte[]> frames = [];
            while (reader.Read())
            {
                frames.Add(reader.Frame.ToArray());
                Collect(reader.Command);
            }
            _seeds.Add((reader.Version, frames));
        }
    }

    /// <summary>The input of this number.</summary>
    public byte[] Make(int seed, long number)
    {
        Random random = new(unchecked((seed * (int)2654435761) + (int)number));
        (uint version, List<byte[]> all) = _seeds[random.Next(_seeds.Count)];
        List<byte[]> frames = [.. all];
        if (frames.Count > MaxFrames)
        {
            int from = random.Next(1, frames.Count - MaxFrames + 2);
            frames = [frames[0], .. frames.GetRange(from, MaxFrames - 2), frames[^1]];
        }
        for (int changes = 1 + random.Next(4); changes > 0; changes--)
            ChangeFrames(random, frames);
        if (random.Next(20) == 0)
            version = (uint)random.Next(5);
        byte[] input = RawStream.Stream(version, [.. frames]);
        return random.Next(8) == 0 ? ChangeBytes(random, input) : input;
    }

    private void Collect(SendCommand command)
    {
        const int Enough = 500;
        foreach (SendCommand.AttributeEnumerator attribute in command)
        {
            if (attribute.Type is A.Path or A.PathTo or A.PathLink or A.ClonePath && _paths.Count < Enough)
                _paths.Add(attribute.Value.ToArray());
            if (attribute.Type is A.Uuid or A.CloneUuid && _uuids.Count < Enough)
                _uuids.Add(attribute.Value.ToArray());
        }
    }

    private void ChangeFrames(Random random, List<byte[]> frames)
    {
        int at = random.Next(frames.Count), other = random.Next(frames.Count);
        switch (random.Next(12))
        {
            case 0:
                frames.Insert(at, frames[other]);
                break;
            case 1 when frames.Count > 2:
                frames.RemoveAt(at);
                break;
            case 2:
                (frames[at], frames[other]) = (frames[other], frames[at]);
                break;
            case 3:
                List<byte[]> donor = _seeds[random.Next(_seeds.Count)].Frames;
                int start = random.Next(donor.Count);
                frames.InsertRange(at, donor.GetRange(start, Math.Min(random.Next(1, 8), donor.Count - start)));
                break;
            case 4:
                frames[at] = ChangePayload(random, frames[at]);
                break;
            default:
                frames[at] = ChangeAttribute(random, frames[at]);
                break;
        }
    }

    // A bit or byte, under a checksum that is right again.
    private static byte[] ChangePayload(Random random, byte[] frame)
    {
        byte[] changed = [.. frame];
        int place = random.Next(4, changed.Length);
        changed[place] = random.Next(3) switch { 0 => (byte)(changed[place] ^ (1 << random.Next(8))), 1 => (byte)random.Next(256), _ => 255 };
        RawStream.Seal(changed);
        return changed;
    }

    private byte[] ChangeAttribute(Random random, byte[] frame)
    {
        List<(A Type, byte[] Value, bool IsOpen)> attributes = Split(frame);
        if (attributes.Count == 0)
            return frame;
        int at = random.Next(attributes.Count);
        (A type, byte[] value, bool isOpen) = attributes[at];
        switch (random.Next(10))
        {
            case 0:
                attributes.RemoveAt(at);
                break;
            case 1:
                attributes.Add(attributes[at]);
                break;
            case 2:
                attributes[at] = ((A)random.Next(38), value, false);
                break;
            default:
                attributes[at] = (type, Other(random, type, value), isOpen);
                break;
        }
        byte[] payload = [.. attributes.SelectMany(a => a.IsOpen ? RawStream.OpenData(a.Value) : RawStream.Attribute(a.Type, a.Value))];
        byte[] changed = [.. RawStream.FrameHeader((uint)payload.Length, (SendCommandKind)BinaryPrimitives.ReadUInt16LittleEndian(frame.AsSpan(4))), .. payload];
        RawStream.Seal(changed);
        return changed;
    }

    private byte[] Other(Random random, A type, byte[] value)
    {
        ulong number = s_numbers[random.Next(s_numbers.Length)];
        switch (SendStreamFormat.FixedLengthOf(type))
        {
            case 4:
                return BitConverter.GetBytes(random.Next(2) == 0 ? (uint)random.Next(9) : (uint)number);
            case 8:
                return BitConverter.GetBytes(random.Next(3) == 0 ? number : (ulong)random.Next(9000));
            case 12:
                return [.. BitConverter.GetBytes(number), .. BitConverter.GetBytes(random.Next(4) == 0 ? uint.MaxValue : (uint)random.Next(1_000_000_000))];
            case 16:
                return _uuids[random.Next(_uuids.Count)];
        }
        if (type is A.Path or A.PathTo or A.PathLink or A.ClonePath)
            return random.Next(4) == 0 ? [.. value, (byte)'/', .. _paths[random.Next(_paths.Count)]] : _paths[random.Next(_paths.Count)];
        byte[] other = value[..random.Next(value.Length + 1)];
        if (random.Next(2) == 0)
            Array.Resize(ref other, random.Next(MaxDataLength));
        if (other.Length > 0)
            other[random.Next(other.Length)] = (byte)random.Next(256);
        return other;
    }

    private static List<(A, byte[], bool)> Split(byte[] frame)
    {
        List<(A, byte[], bool)> attributes = [];
        ReadOnlySpan<byte> rest = frame.AsSpan(SendStreamFormat.CommandHeaderLength);
        while (rest.Length >= SendStreamFormat.AttributeHeaderLength)
        {
            A type = (A)BinaryPrimitives.ReadUInt16LittleEndian(rest);
            int length = BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]), after = rest.Length - SendStreamFormat.AttributeHeaderLength - length;
            // Data at the end whose length would not fit is that of version 2. Whether this is always right does not matter.
            if (type == A.Data && after != 0)
            {
                attributes.Add((type, rest[sizeof(ushort)..].ToArray(), true));
                return attributes;
            }
            if (after < 0)
                return attributes;
            attributes.Add((type, rest.Slice(SendStreamFormat.AttributeHeaderLength, length).ToArray(), false));
            rest = rest[(SendStreamFormat.AttributeHeaderLength + length)..];
        }
        return attributes;
    }

    // Damage that no checksum knows of: on disks and lines.
    private static byte[] ChangeBytes(Random random, byte[] input)
    {
        int at = random.Next(input.Length), length = random.Next(1, Math.Min(200, input.Length - at) + 1);
        byte[] changed = [.. input];
        switch (random.Next(5))
        {
            case 0:
                changed[at] ^= (byte)(1 << random.Next(8));
                return changed;
            case 1:
                return changed[..at];
            case 2:
                return [.. changed[..at], .. changed];
            case 3:
                return [.. changed[..at], .. changed[(at + length)..]];
            default:
                return [.. changed, .. changed.AsSpan(at, length)];
        }
    }
}
