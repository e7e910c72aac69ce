namespace Layerbox.SendStream;

/// <summary>
/// Numbers by keys that are hashes, in 14 to 16 bytes each: open addressing in the order of the keys. As places follow the keys' order, the
/// table grows by an eighth at a time and in place, and never has to be held twice.
/// </summary>
internal sealed class CheckedTable(CheckedPages pages)
{
    private const int PageLength = CheckedPages.Length, FirstCapacity = 4 * PageLength;

    /// <summary>Room behind the last place, for keys that found theirs taken: with the load below, more than a few dozen is as good as impossible.</summary>
    private const int Slack = PageLength;

    private readonly CheckedEntries _entries = new(pages);
    private long _capacity, _count;

    /// <summary>The number of a key; null when there is none.</summary>
    public uint? Find(ulong key)
    {
        key = Usable(key);
        return _capacity > 0 && _entries[Place(key)] is var entry && entry.Word == key ? entry.Half : null;
    }

    /// <summary>Gives a key a number, in place of the one that it had.</summary>
    public void Set(ulong key, uint number)
    {
        if (_count >= _capacity / 8 * 7)
            Grow();
        key = Usable(key);
        long place = Place(key);
        Span<CheckedEntry> page = _entries.PageOf(place, isChanged: true);
        int at = (int)(place % PageLength);
        CheckedEntry entry = new() { Word = key, Half = number };
        if (page[at].Word == key)
        {
            page[at] = entry;
            return;
        }
        _count++;
        while (true)
        {
            int free = at;
            while (free < PageLength && page[free].Word != 0)
                free++;
            CheckedEntry moved = free < PageLength ? default : page[--free]; // to the next page
            page[at..free].CopyTo(page[(at + 1)..]);
            page[at] = entry;
            if (moved.Word == 0)
                return;
            place += PageLength - at;
            page = _entries.PageOf(place, isChanged: true);
            (at, entry) = (0, moved);
        }
    }

    /// <summary>Takes a key out that is there.</summary>
    public void Remove(ulong key)
    {
        long place = Place(Usable(key));
        _count--;
        while (true)
        {
            Span<CheckedEntry> page = _entries.PageOf(place, isChanged: true);
            int at = (int)(place % PageLength), end = at + 1;
            while (end < PageLength && IsAway(page[end], place + (end - at)))
                end++;
            page[(at + 1)..end].CopyTo(page[at..]);
            place += end - at;
            page[end - 1] = default;
            if (end < PageLength || !IsAway(_entries[place], place))
                return;
            _entries[place - 1] = _entries[place];
        }
    }

    // 0 stands for no key.
    private static ulong Usable(ulong key) => key == 0 ? 1 : key;

    // In the order of the keys. Half of a key is enough to tell places apart, and multiplied fast on any machine.
    private long HomeOf(ulong key) => (long)((key >> 32) * (ulong)_capacity >> 32);

    /// <summary>Whether there is a key that could move nearer to its place.</summary>
    private bool IsAway(CheckedEntry entry, long place) => entry.Word != 0 && HomeOf(entry.Word) < place;

    /// <summary>Where a key is, or would be put.</summary>
    private long Place(ulong key)
    {
        long place = HomeOf(key);
        while (true)
        {
            Span<CheckedEntry> page = _entries.PageOf(place, isChanged: false);
            for (int at = (int)(place % PageLength); at < page.Length; at++, place++)
                if (page[at].Word is var other && (other == 0 || other >= key))
                    return place;
        }
    }

    // All are moved to the end, and from there, in their order, to their new places, which lie before them.
    private void Grow()
    {
        long last = _entries.Count;
        _capacity = _capacity == 0 ? FirstCapacity : _capacity + (_capacity / 8);
        _entries.Grow(_capacity + Slack - last);
        long from = _entries.Count;
        while (--last >= 0)
            if (_entries[last] is { Word: not 0 } entry)
                _entries[--from] = entry;
        long to = 0;
        for (; from < _entries.Count; from++, to++)
        {
            CheckedEntry entry = _entries[from];
            for (long home = HomeOf(entry.Word); to < home; to++)
                _entries[to] = default;
            _entries[to] = entry;
        }
        for (; to < _entries.Count; to++)
            _entries[to] = default;
    }
}
