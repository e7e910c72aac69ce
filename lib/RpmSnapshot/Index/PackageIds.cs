namespace Layerbox.RpmSnapshot;

/// <summary>
/// The rows of a list of packages in their order, as the index keeps them: differences to the one before, in bytes of seven bits each, lowest first. Most
/// follow one another, and take one byte.
/// </summary>
internal static class PackageIds
{
    public static byte[] Pack(IReadOnlyList<long> ids)
    {
        using MemoryStream bytes = new();
        long last = 0;
        foreach (long id in ids)
        {
            // The sign goes into the lowest bit, so that small steps back are small, too.
            ulong step = (ulong)((id - last) << 1) ^ (ulong)((id - last) >> 63);
            for (; step >= 0x80; step >>= 7)
                bytes.WriteByte((byte)(step | 0x80));
            bytes.WriteByte((byte)step);
            last = id;
        }
        return bytes.ToArray();
    }

    /// <exception cref="IndexDamageException">It ends amid a number.</exception>
    public static List<long> Unpack(ReadOnlySpan<byte> bytes)
    {
        List<long> ids = [];
        long last = 0;
        while (!bytes.IsEmpty)
        {
            ulong step = 0;
            for (int shift = 0; ; shift += 7)
            {
                if (bytes.IsEmpty || shift > 63)
                    throw new IndexDamageException("a list is cut off");
                byte part = bytes[0];
                bytes = bytes[1..];
                step |= (ulong)(part & 0x7F) << shift;
                if (part < 0x80)
                    break;
            }
            last += (long)(step >> 1) ^ -(long)(step & 1);
            ids.Add(last);
        }
        return ids;
    }
}
