using Entry = System.Collections.Generic.KeyValuePair<Layerbox.FileTree.FileName, Layerbox.FileTree.Inode?>;

namespace Layerbox.FileTree;

/// <summary>
/// The names of one directory: an array sorted by name, which costs a fifth of a balanced tree's memory and is walked at
/// the speed of memory. Names that arrive in order are appended; others go through a short sorted tail, so that a large
/// directory in any order is filled in n·√n-like time; removed ones stay as gaps until the next walk.
/// </summary>
internal sealed class ChildTable
{
    /// <summary>Up to here a name is put straight into its place: moving a few entries is cheaper than a second array.</summary>
    private const int DirectInsertLimit = 64;

    private const int TailLimit = 1024;

    private Entry[] _sorted;
    private int _sortedCount;
    private int _gaps;
    private Entry[] _tail = [];
    private int _tailCount;

    public ChildTable() : this([], 0) { }

    private ChildTable(Entry[] sorted, int count) => (_sorted, _sortedCount) = (sorted, count);

    public int Count => _sortedCount - _gaps + _tailCount;

    /// <summary>Grows with every change: how an enumerator notices that its directory changed under it.</summary>
    public int Version { get; private set; }

    /// <summary>Whether <see cref="this"/> may be used: no gaps, no tail.</summary>
    public bool IsPlain => _gaps == 0 && _tailCount == 0;

    /// <summary>The same names as a plain table. A new object, so that several threads may walk one unchanging tree.</summary>
    public ChildTable ToPlain() => new(Merge(), Count);

    /// <summary>The entry at a position in canonical order; of a plain table only.</summary>
    public KeyValuePair<FileName, Inode> this[int index]
    {
        get
        {
            ref readonly Entry entry = ref _sorted.AsSpan(0, _sortedCount)[index];
            return new(entry.Key, entry.Value!);
        }
    }

    public Inode? Find(ReadOnlySpan<byte> name)
    {
        int at = Search(_sorted, _sortedCount, name);
        if (at >= 0)
            return _sorted[at].Value;
        return _tailCount > 0 && (at = Search(_tail, _tailCount, name)) >= 0 ? _tail[at].Value : null;
    }

    /// <summary>Says false when the name is taken.</summary>
    public bool TryAdd(FileName name, Inode child)
    {
        if (TryAppend(name, child))
            return true;
        int at = Search(_sorted, _sortedCount, name.Bytes);
        if (at >= 0)
        {
            if (_sorted[at].Value is not null)
                return false;
            _sorted[at] = new(name, child);
            _gaps--;
        }
        else if (_tailCount == 0 && _sortedCount < DirectInsertLimit)
        {
            Insert(ref _sorted, ref _sortedCount, ~at, new(name, child));
        }
        else
        {
            int place = Search(_tail, _tailCount, name.Bytes);
            if (place >= 0)
                return false;
            Insert(ref _tail, ref _tailCount, ~place, new(name, child));
            if (_tailCount == TailLimit)
            {
                int count = Count;
                _sorted = Merge();
                (_sortedCount, _gaps, _tail, _tailCount) = (count, 0, [], 0);
            }
        }
        Version++;
        return true;
    }

    /// <summary>Adds a name that comes after all others; says false when it does not.</summary>
    public bool TryAppend(FileName name, Inode child)
    {
        if (_tailCount > 0 || (_sortedCount > 0 && _sorted[_sortedCount - 1].Key.CompareTo(name) >= 0))
            return false;
        Insert(ref _sorted, ref _sortedCount, _sortedCount, new(name, child));
        Version++;
        return true;
    }

    public bool Remove(ReadOnlySpan<byte> name, out Inode? child)
    {
        int at = Search(_sorted, _sortedCount, name);
        if (at >= 0)
        {
            child = _sorted[at].Value;
            if (child is null)
                return false;
            _sorted[at] = new(_sorted[at].Key, null);
            _gaps++;
            DropGapsAtEnd();
        }
        else if (_tailCount > 0 && (at = Search(_tail, _tailCount, name)) >= 0)
        {
            child = _tail[at].Value;
            _tailCount--;
            Array.Copy(_tail, at + 1, _tail, at, _tailCount - at);
            _tail[_tailCount] = default;
        }
        else
        {
            child = null;
            return false;
        }
        Version++;
        return true;
    }

    // Senders make each inode under a name of its own in the root, and rename it at once: without this the root would be all gaps.
    private void DropGapsAtEnd()
    {
        for (; _sortedCount > 0 && _sorted[_sortedCount - 1].Value is null; _gaps--)
            _sorted[--_sortedCount] = default;
    }

    private Entry[] Merge()
    {
        Entry[] merged = new Entry[Count];
        int to = 0, tail = 0;
        for (int from = 0; from < _sortedCount; from++)
        {
            if (_sorted[from].Value is null)
                continue;
            while (tail < _tailCount && _tail[tail].Key.CompareTo(_sorted[from].Key) < 0)
                merged[to++] = _tail[tail++];
            merged[to++] = _sorted[from];
        }
        while (tail < _tailCount)
            merged[to++] = _tail[tail++];
        return merged;
    }

    private static void Insert(ref Entry[] entries, ref int count, int at, Entry entry)
    {
        if (count == entries.Length)
            Array.Resize(ref entries, count < 4 ? 4 : count + (count >> 1));
        Array.Copy(entries, at, entries, at + 1, count - at);
        entries[at] = entry;
        count++;
    }

    /// <summary>Where the name is, or the complement of where it would be.</summary>
    private static int Search(Entry[] entries, int count, ReadOnlySpan<byte> name)
    {
        int low = 0, high = count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            int order = entries[middle].Key.Bytes.SequenceCompareTo(name);
            if (order == 0)
                return middle;
            if (order < 0)
                low = middle + 1;
            else
                high = middle - 1;
        }
        return ~low;
    }
}
