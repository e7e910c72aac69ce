using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace Layerbox.Rpm;

/// <summary>An entry of a header's index.</summary>
/// <param name="Tag">What it is about.</param>
/// <param name="Type">How its values are stored.</param>
/// <param name="Offset">Where they start in the header's data, in bytes.</param>
/// <param name="Count">How many values; of <see cref="RpmType.Bin"/> how many bytes.</param>
/// <param name="Length">How many bytes they take.</param>
public readonly record struct RpmEntry(RpmTag Tag, RpmType Type, int Offset, int Count, int Length);

/// <summary>
/// One of a package's two headers: tags with typed values. That every value lies within the data, is aligned and ends where it must was
/// checked when it was read (<see cref="RpmHeaderReader"/>), so nothing here can fail on the bytes.
/// </summary>
public sealed class RpmHeader
{
    private readonly byte[] _bytes; // the index, then the data
    private readonly RpmEntry[] _entries;
    private readonly int[] _tags;
    private readonly int _dataStart;

    internal RpmHeader(RpmHeaderKind kind, byte[] bytes, RpmEntry[] entries, int signedEntries, int signedData)
    {
        Kind = kind;
        _bytes = bytes;
        _entries = entries;
        _dataStart = entries.Length * RpmFormat.EntrySize;
        _tags = Array.ConvertAll(entries, entry => (int)entry.Tag);
        (SignedEntries, SignedData) = (signedEntries, signedData);
    }

    public RpmHeaderKind Kind { get; }

    /// <summary>All entries in the order of the index, the region's own included.</summary>
    public IReadOnlyList<RpmEntry> Entries => _entries;

    /// <summary>How many entries the region covers, which is what digests and signatures are of; the others were added later.</summary>
    internal int SignedEntries { get; }

    /// <summary>How many bytes of the data the region covers.</summary>
    internal int SignedData { get; }

    /// <summary>Bytes of the header in the file: its introduction, index and data.</summary>
    public int Size => RpmFormat.HeaderIntroSize + _bytes.Length;

    internal ReadOnlySpan<byte> IndexAndData => _bytes;

    internal ReadOnlySpan<byte> Data => _bytes.AsSpan(_dataStart);

    public bool Has(RpmTag tag) => Find(tag) is not null;

    /// <summary>The first entry of a tag.</summary>
    public RpmEntry? Find(RpmTag tag) => Array.IndexOf(_tags, (int)tag) is var at and >= 0 ? _entries[at] : null;

    /// <summary>How many values a tag has; 0 when it is not there.</summary>
    public int Count(RpmTag tag) => Find(tag)?.Count ?? 0;

    /// <summary>The bytes in which an entry's values are stored.</summary>
    public ReadOnlySpan<byte> BytesOf(RpmEntry entry) => _bytes.AsSpan(_dataStart + entry.Offset, entry.Length);

    /// <summary>The bytes of a binary tag; empty when it is not there.</summary>
    public ReadOnlySpan<byte> Binary(RpmTag tag) => Find(tag) is { Type: RpmType.Bin } entry ? BytesOf(entry) : default;

    /// <summary>A number; null when the tag is not there or has no numbers.</summary>
    public ulong? Number(RpmTag tag) => Find(tag) is { Count: > 0 } entry && IsNumber(entry.Type) ? NumberAt(entry, 0) : null;

    /// <summary>All numbers of a tag; none when it is not there or has no numbers.</summary>
    public ulong[] Numbers(RpmTag tag)
    {
        if (Find(tag) is not { } entry || !IsNumber(entry.Type))
            return [];
        ulong[] numbers = new ulong[entry.Count];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = NumberAt(entry, i);
        return numbers;
    }

    /// <summary>The (first) string, without its NUL; empty when the tag is not there or has no strings.</summary>
    public ReadOnlySpan<byte> String(RpmTag tag)
    {
        if (Find(tag) is not { } entry || !IsString(entry.Type))
            return default;
        ReadOnlySpan<byte> bytes = BytesOf(entry);
        return bytes[..bytes.IndexOf((byte)0)];
    }

    /// <summary>The (first) string as text: UTF-8, or Latin-1 where it is not, as in old packages. Null when there is none.</summary>
    public string? Text(RpmTag tag) => Find(tag) is { } entry && IsString(entry.Type) ? Decode(String(tag)) : null;

    /// <summary>All strings of a tag; none when it is not there or has no strings.</summary>
    public RpmStrings Strings(RpmTag tag) =>
        Find(tag) is { } entry && IsString(entry.Type) ? StringsOf(entry) : RpmStrings.None;

    /// <summary>The strings of an entry, which must have such.</summary>
    public RpmStrings StringsOf(RpmEntry entry) => new(_bytes, _dataStart + entry.Offset, entry.Count);

    public static bool IsNumber(RpmType type) => type is RpmType.Char or RpmType.Int8 or RpmType.Int16 or RpmType.Int32 or RpmType.Int64;

    public static bool IsString(RpmType type) => type is RpmType.String or RpmType.StringArray or RpmType.I18nString;

    /// <summary>One of the numbers of an entry.</summary>
    public ulong NumberAt(RpmEntry entry, int index)
    {
        ReadOnlySpan<byte> bytes = BytesOf(entry);
        return entry.Type switch
        {
            RpmType.Int16 => BinaryPrimitives.ReadUInt16BigEndian(bytes[(index * 2)..]),
            RpmType.Int32 => BinaryPrimitives.ReadUInt32BigEndian(bytes[(index * 4)..]),
            RpmType.Int64 => BinaryPrimitives.ReadUInt64BigEndian(bytes[(index * 8)..]),
            _ => bytes[index],
        };
    }

    internal static string Decode(ReadOnlySpan<byte> bytes) => (Utf8.IsValid(bytes) ? Encoding.UTF8 : Encoding.Latin1).GetString(bytes);
}

/// <summary>The strings of an entry, found one after another and kept by where they start.</summary>
public sealed class RpmStrings
{
    public static RpmStrings None { get; } = new([], 0, 0);

    private readonly byte[] _bytes;
    private readonly int[] _starts; // one more than there are strings: where the next would start

    internal RpmStrings(byte[] bytes, int start, int count)
    {
        _bytes = bytes;
        _starts = new int[count + 1];
        _starts[0] = start;
        for (int i = 0; i < count; i++)
            _starts[i + 1] = start += bytes.AsSpan(start).IndexOf((byte)0) + 1;
    }

    public int Count => _starts.Length - 1;

    /// <summary>The bytes of a string, without its NUL.</summary>
    public ReadOnlySpan<byte> this[int index] => _bytes.AsSpan(_starts[index], _starts[index + 1] - _starts[index] - 1);

    /// <summary>As <see cref="RpmHeader.Text"/>.</summary>
    public string Text(int index) => RpmHeader.Decode(this[index]);
}
