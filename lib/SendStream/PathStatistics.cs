using System.Buffers;

namespace Layerbox.SendStream;

/// <summary>What commands bring, by the beginnings of their paths.</summary>
/// <param name="depth">How many components are told apart.</param>
internal sealed class PathStatistics(int depth)
{
    /// <summary>Once the paths take so much, in bytes, new ones are counted together, so that memory stays small.</summary>
    private const int MaxMemory = 2 << 20;

    /// <summary>What an entry takes besides its path, about.</summary>
    private const int EntryMemory = 150;

    private static readonly SearchValues<byte> s_number = SearchValues.Create("0123456789-"u8);

    private readonly Dictionary<byte[], Entry> _entries = new(new BytesComparer());
    private readonly Entry _others = new(null, "others");
    private readonly Entry _temporary = new(null, "temporary_names"); // "o257-7-0": what the kernel calls new inodes before it moves them to their places
    private Entry? _last;
    private int _memory;

    public void Add(ReadOnlySpan<byte> path, long bytes, ulong fileBytes, ulong clonedBytes)
    {
        ReadOnlySpan<byte> prefix = Prefix(path);
        // Commands for one place mostly follow each other.
        if (_last?.Path is not { } last || !prefix.SequenceEqual(last))
            _last = Find(prefix);
        _last.Count.Add(bytes, fileBytes, clonedBytes);
    }

    /// <summary>Those with most bytes, largest first.</summary>
    public IEnumerable<Entry> Largest(int count) => _entries.Values
        .Append(_others)
        .Append(_temporary)
        .Where(entry => entry.Count.Commands > 0)
        .OrderByDescending(entry => entry.Count.Bytes)
        .ThenBy(entry => entry.Path ?? [], Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)))
        .Take(count);

    private Entry Find(ReadOnlySpan<byte> prefix)
    {
        if (IsTemporary(prefix))
            return _temporary;
        Dictionary<byte[], Entry>.AlternateLookup<ReadOnlySpan<byte>> entries = _entries.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (entries.TryGetValue(prefix, out Entry? entry))
            return entry;
        if (_memory > MaxMemory)
            return _others;
        _memory += prefix.Length + EntryMemory;
        return entries[prefix] = new Entry(prefix.ToArray(), null);
    }

    private ReadOnlySpan<byte> Prefix(ReadOnlySpan<byte> path)
    {
        int end = -1;
        for (int i = 0; i < depth; i++)
        {
            int length = path[(end + 1)..].IndexOf((byte)'/');
            if (length < 0)
                return path;
            end += length + 1;
        }
        return path[..end];
    }

    // "o", the inode's number, its generation, a counter.
    private static bool IsTemporary(ReadOnlySpan<byte> path)
    {
        ReadOnlySpan<byte> name = path.IndexOf((byte)'/') is var end and >= 0 ? path[..end] : path;
        return name is [(byte)'o', >= (byte)'0' and <= (byte)'9', ..] && !name[1..].ContainsAnyExcept(s_number) && name.Count((byte)'-') == 2;
    }

    /// <summary>What is counted together: a path, or a label for what has none.</summary>
    internal sealed class Entry(byte[]? path, string? label)
    {
        public SendStreamStatistics.Count Count;

        public byte[]? Path => path;

        public string? Label => label;
    }

    private sealed class BytesComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(byte[] bytes) => GetHashCode(bytes.AsSpan());

        public bool Equals(ReadOnlySpan<byte> span, byte[] bytes) => span.SequenceEqual(bytes);

        // Seeded anew in each process, so that nobody can make names that all fall together.
        public int GetHashCode(ReadOnlySpan<byte> span)
        {
            HashCode hash = default;
            hash.AddBytes(span);
            return hash.ToHashCode();
        }

        public byte[] Create(ReadOnlySpan<byte> span) => span.ToArray();
    }
}
