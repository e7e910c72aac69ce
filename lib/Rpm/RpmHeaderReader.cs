using System.Buffers.Binary;
using System.Globalization;

namespace Layerbox.Rpm;

/// <summary>
/// Reads a header structure and checks it as rpm 4.18 does, before anything is believed: the counts against rpm's limits, every entry's
/// type, alignment and range, that no two overlap, and the region that says what is signed.
/// <code>
/// 8e ad e8 01  00 00 00 00  il  dl      introduction; all numbers big endian
/// il times: tag type offset count       index
/// dl bytes                              data
/// </code>
/// </summary>
internal static class RpmHeaderReader
{
    private const int RegionSize = RpmFormat.EntrySize;
    private const int FirstChunk = 64 * 1024;
    private const int FirstTag = (int)RpmTag.HeaderI18nTable;
    private const RpmTag OldRegionTag = (RpmTag)61; // RPMTAG_HEADERIMAGE, in the trailers of signature headers by rpm 4.0 and before

    /// <summary>Reads the header that comes next.</summary>
    /// <exception cref="InvalidDataException">It is malformed; says the offset in the package and the entry.</exception>
    public static RpmHeader Read(RpmInput input, RpmHeaderKind kind)
    {
        string what = RpmFormat.NameOf(kind);
        long start = input.Offset;
        Span<byte> intro = stackalloc byte[RpmFormat.HeaderIntroSize];
        input.TakeExactly(intro, what);
        if (!intro[..RpmFormat.HeaderMagic.Length].SequenceEqual(RpmFormat.HeaderMagic))
            throw RpmFormat.Error(start, what, $"it does not start with 8eade80100000000, found {Convert.ToHexStringLower(intro[..8])}");
        uint entries = BinaryPrimitives.ReadUInt32BigEndian(intro[8..]), data = BinaryPrimitives.ReadUInt32BigEndian(intro[12..]);
        (int maxEntries, int maxData) = kind == RpmHeaderKind.Signature
            ? (RpmFormat.MaxSignatureEntries, RpmFormat.MaxSignatureData)
            : (RpmFormat.MaxEntries, RpmFormat.MaxData);
        if (entries == 0 || entries > maxEntries)
            throw RpmFormat.Error(start + 8, what, string.Create(CultureInfo.InvariantCulture, $"{entries} entries; 1 to {maxEntries} are possible"));
        if (data > maxData)
            throw RpmFormat.Error(start + 12, what, string.Create(CultureInfo.InvariantCulture, $"{data} bytes of data; at most {maxData} are possible"));
        byte[] bytes = TakeGrowing(input, (int)(entries * RpmFormat.EntrySize + data), what);
        return Check(bytes, (int)entries, kind, start + RpmFormat.HeaderIntroSize);
    }

    // A few bytes may claim to be 256 MiB: memory grows with what is really there.
    private static byte[] TakeGrowing(RpmInput input, int size, string what)
    {
        byte[] bytes = new byte[Math.Min(size, FirstChunk)];
        long start = input.Offset;
        for (int have = 0; ;)
        {
            int count = input.Take(bytes.AsSpan(have));
            if (count == 0)
                throw RpmFormat.Error(start, what, string.Create(CultureInfo.InvariantCulture, $"cut: {have} bytes, expected {size}"));
            have += count;
            if (have == size)
                return bytes;
            if (have == bytes.Length)
                Array.Resize(ref bytes, (int)Math.Min(size, 2L * have));
        }
    }

    private static RpmHeader Check(byte[] bytes, int count, RpmHeaderKind kind, long offset)
    {
        ReadOnlySpan<byte> data = bytes.AsSpan(count * RpmFormat.EntrySize);
        RpmEntry[] entries = new RpmEntry[count];
        int end = 0, first = 0, signedEntries = count, signedData = data.Length;
        RpmEntry region = Entry(bytes);
        if (IsRegion(region.Tag, kind))
        {
            (signedEntries, signedData) = CheckRegion(bytes, data, region, kind, offset);
            entries[0] = region with { Length = RegionSize };
            first = 1;
        }
        for (int i = first; i < count; i++)
        {
            RpmEntry entry = Entry(bytes.AsSpan(i * RpmFormat.EntrySize));
            int length = CheckedLength(entry, data, end, out string? fault);
            if (fault is not null)
            {
                string what = string.Create(CultureInfo.InvariantCulture, $"{RpmFormat.NameOf(kind)}: entry {i} ({RpmTagNames.Of(entry.Tag, kind)})");
                throw RpmFormat.Error(offset + (i * RpmFormat.EntrySize), what, fault);
            }
            entries[i] = entry with { Length = length };
            end = entry.Offset + length;
        }
        return new RpmHeader(kind, bytes, entries, signedEntries, signedData);
    }

    private static RpmEntry Entry(ReadOnlySpan<byte> bytes) => new(
        (RpmTag)BinaryPrimitives.ReadInt32BigEndian(bytes),
        (RpmType)BinaryPrimitives.ReadInt32BigEndian(bytes[4..]),
        BinaryPrimitives.ReadInt32BigEndian(bytes[8..]),
        BinaryPrimitives.ReadInt32BigEndian(bytes[12..]),
        0);

    /// <summary>The bytes that an entry's values take, or what is wrong with it.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="data">All data of the header.</param>
    /// <param name="end">Where the values of the entry before it end.</param>
    /// <param name="fault">What is wrong, if anything.</param>
    private static int CheckedLength(RpmEntry entry, ReadOnlySpan<byte> data, int end, out string? fault)
    {
        fault = (int)entry.Tag < FirstTag ? string.Create(CultureInfo.InvariantCulture, $"tags start at {FirstTag}")
            : entry.Type is <= RpmType.Null or > RpmType.I18nString ? string.Create(CultureInfo.InvariantCulture, $"type {(int)entry.Type} does not exist")
            : entry.Count <= 0 || entry.Count > data.Length ? string.Create(CultureInfo.InvariantCulture, $"{(uint)entry.Count} values in {data.Length} bytes of data")
            : entry.Offset < 0 || entry.Offset >= data.Length ? string.Create(CultureInfo.InvariantCulture, $"at {entry.Offset} of {data.Length} bytes of data")
            : entry.Offset < end ? string.Create(CultureInfo.InvariantCulture, $"at {entry.Offset}, within the values before it, which end at {end}")
            : entry.Offset % SizeOf(entry.Type) != 0 ? string.Create(CultureInfo.InvariantCulture, $"at {entry.Offset}, which is no multiple of {SizeOf(entry.Type)}")
            : entry is { Type: RpmType.String, Count: not 1 } ? string.Create(CultureInfo.InvariantCulture, $"{entry.Count} values of a type that has one")
            : null;
        if (fault is not null)
            return 0;
        ReadOnlySpan<byte> values = data[entry.Offset..];
        long length = RpmHeader.IsString(entry.Type) ? LengthOfStrings(values, entry.Count) : (long)SizeOf(entry.Type) * entry.Count;
        if (length < 0 || length > values.Length)
            fault = string.Create(CultureInfo.InvariantCulture, $"its {entry.Count} values go beyond the data, of which {values.Length} bytes are left");
        return (int)length;
    }

    private static int LengthOfStrings(ReadOnlySpan<byte> values, int count)
    {
        int length = 0;
        for (; count > 0; count--)
        {
            int nul = values[length..].IndexOf((byte)0);
            if (nul < 0)
                return -1;
            length += nul + 1;
        }
        return length;
    }

    private static int SizeOf(RpmType type) => type switch
    {
        RpmType.Int16 => 2,
        RpmType.Int32 => 4,
        RpmType.Int64 => 8,
        _ => 1,
    };

    private static bool IsRegion(RpmTag tag, RpmHeaderKind kind) => tag == RegionTag(kind);

    private static RpmTag RegionTag(RpmHeaderKind kind) => kind == RpmHeaderKind.Signature ? RpmTag.HeaderSignatures : RpmTag.HeaderImmutable;

    /// <summary>
    /// The first entry may say what of the header is signed: it points at 16 bytes in the data that look like an entry, whose offset is
    /// minus the size of the index that the region covers. What follows in index and data was added after signing.
    /// </summary>
    private static (int Entries, int Data) CheckRegion(ReadOnlySpan<byte> index, ReadOnlySpan<byte> data, RpmEntry region, RpmHeaderKind kind, long offset)
    {
        string what = $"{RpmFormat.NameOf(kind)}: region";
        int all = (index.Length - data.Length) / RpmFormat.EntrySize;
        if (region.Type != RpmType.Bin || region.Count != RegionSize)
            throw RpmFormat.Error(offset, what, string.Create(CultureInfo.InvariantCulture, $"type {(int)region.Type} with {region.Count} values, expected 16 bytes"));
        if (region.Offset < 0 || region.Offset > data.Length - RegionSize)
            throw RpmFormat.Error(offset, what, string.Create(CultureInfo.InvariantCulture, $"at {region.Offset} of {data.Length} bytes of data"));
        RpmEntry trailer = Entry(data[region.Offset..]);
        long at = offset + (all * RpmFormat.EntrySize) + region.Offset;
        bool isOwn = trailer.Tag == region.Tag || (kind == RpmHeaderKind.Signature && trailer.Tag == OldRegionTag);
        if (!isOwn || trailer.Type != RpmType.Bin || trailer.Count != RegionSize)
            throw RpmFormat.Error(at, what, "its trailer is not one");
        long covered = -(long)trailer.Offset;
        if (covered <= 0 || covered % RpmFormat.EntrySize != 0 || covered / RpmFormat.EntrySize > all)
            throw RpmFormat.Error(at, what, string.Create(CultureInfo.InvariantCulture, $"its trailer covers {covered} bytes of an index of {all * RpmFormat.EntrySize}"));
        return ((int)(covered / RpmFormat.EntrySize), region.Offset + RegionSize);
    }
}
