using System.Collections;

namespace Layerbox.FileTree;

/// <summary>Names and inodes in one directory, in canonical order; a view, valid until the directory changes.</summary>
public readonly struct ChildList : IReadOnlyList<KeyValuePair<FileName, Inode>>
{
    private readonly ChildTable? _table;
    private readonly int _version;

    internal ChildList(ChildTable table) => (_table, _version, Count) = (table, table.Version, table.Count);

    public int Count { get; }

    /// <exception cref="ArgumentOutOfRangeException">There is no such position.</exception>
    /// <exception cref="InvalidOperationException">The directory has changed since the list was asked for.</exception>
    public KeyValuePair<FileName, Inode> this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
            CheckUnchanged();
            return _table![index];
        }
    }

    public Enumerator GetEnumerator() => new(this);
    IEnumerator<KeyValuePair<FileName, Inode>> IEnumerable<KeyValuePair<FileName, Inode>>.GetEnumerator() => GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private void CheckUnchanged()
    {
        if (_table is not null && _table.Version != _version)
            throw new InvalidOperationException("the directory changed while it was walked");
    }

    public struct Enumerator : IEnumerator<KeyValuePair<FileName, Inode>>
    {
        private readonly ChildList _list;
        private int _index;

        internal Enumerator(ChildList list) => (_list, _index) = (list, -1);

        public readonly KeyValuePair<FileName, Inode> Current => _list[_index];
        readonly object IEnumerator.Current => Current;

        /// <exception cref="InvalidOperationException">The directory changed meanwhile.</exception>
        public bool MoveNext()
        {
            _list.CheckUnchanged();
            return ++_index < _list.Count;
        }

        public void Reset() => _index = -1;
        public readonly void Dispose() { }
    }
}
