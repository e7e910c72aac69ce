using System.Globalization;
using System.Text;

namespace Layerbox.FileTree;

/// <summary>
/// Where a run of a file's data is stored: equal addresses are the same bytes, on a disk or in a stream; only their being equal and
/// following one another means anything. Offset and length in bytes.
/// </summary>
public readonly record struct StoredRun(long Offset, long Length, UInt128 Address);

/// <summary>
/// Which runs of which files share their storage with others: what reflinks and clones made. A content that several trees have, as a
/// snapshot has it from its parent, counts once.
/// </summary>
public sealed class SharedStorage
{
    /// <summary>So many others are named for one run, the rest counted: of ten thousand files with one block each would name all others.</summary>
    private const int MaxNamed = 100;

    private readonly record struct Place(FileContent Content, StoredRun Run)
    {
        public UInt128 End => Run.Address + (UInt128)Run.Length;
    }

    private readonly List<(string? Label, Tree Tree)> _trees;
    private readonly Place[] _places; // by address
    private readonly UInt128[] _ends; // of the places, sorted
    private readonly UInt128[] _lastEnds; // the highest end in the part of the places whose middle this is
    private readonly Dictionary<FileContent, List<int>> _shared = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<(Tree, FileContent), string> _names = [];
    private readonly Dictionary<FileContent, Tree> _homes = new(ReferenceEqualityComparer.Instance);

    /// <param name="trees">The filesystems, and what those are called whose name is to stand before paths.</param>
    /// <param name="storage">Says where the data of a file is stored.</param>
    public SharedStorage(IEnumerable<(string? Label, Tree Tree)> trees, Func<FileContent, IEnumerable<StoredRun>> storage)
    {
        _trees = [.. trees];
        List<Place> places = [];
        HashSet<FileContent> seen = new(ReferenceEqualityComparer.Instance);
        foreach ((_, Tree tree) in _trees)
            for (TreeCursor at = new(tree); at.MoveNext();)
                if (at.Inode.Content is { } content && seen.Add(content))
                    foreach (StoredRun run in storage(content))
                        places.Add(new Place(content, run));
        _places = [.. places.OrderBy(place => place.Run.Address)];
        _ends = [.. _places.Select(place => place.End).Order()];
        _lastEnds = new UInt128[_places.Length];
        FindLastEnds(0, _places.Length);
        FindShared();
        FindNames();
    }

    /// <summary>
    /// The runs that others share of a part of a file, as "(LABEL@PATH:OFFSET+LENGTH@OFFSET IN THE PART/…)", sorted; empty when there are none.
    /// </summary>
    internal string Describe(Tree tree, FileContent content, long offset, long length)
    {
        if (!_shared.TryGetValue(content, out List<int>? own))
            return "";
        Dictionary<(FileContent, long), (long At, long Length)> open = []; // by where the other's run ends
        List<string> texts = [];
        long unnamed = 0;
        foreach (int place in own)
        {
            StoredRun run = _places[place].Run;
            long start = Math.Max(run.Offset, offset), end = Math.Min(run.Offset + run.Length, offset + length);
            if (start >= end)
                continue;
            UInt128 from = run.Address + (UInt128)(start - run.Offset), to = from + (UInt128)(end - start);
            int named = 0;
            FindOthers(0, _places.Length, from, to, other =>
            {
                if (other == place)
                    return true;
                StoredRun theirs = _places[other].Run;
                UInt128 first = UInt128.Max(from, theirs.Address), last = UInt128.Min(to, _places[other].End);
                long at = start + (long)(first - from) - offset, count = (long)(last - first), theirOffset = theirs.Offset + (long)(first - theirs.Address);
                FileContent content = _places[other].Content;
                long theirEnd = theirOffset + count;
                // What goes on in both files is one run, however many commands or extents it was made of.
                if (open.TryGetValue((content, theirOffset), out (long At, long Length) before) && before.At + before.Length == at)
                {
                    open.Remove((content, theirOffset));
                    (at, count) = (before.At, before.Length + count);
                }
                if (open.Remove((content, theirEnd), out (long At, long Length) same))
                    texts.Add(Text(content, theirEnd, same));
                open.Add((content, theirEnd), (at, count));
                return ++named < MaxNamed;
            });
            if (named == MaxNamed)
                unnamed = Math.Max(unnamed, CountOverlaps(from, to) - 1 - named);
        }
        foreach (((FileContent other, long end), (long At, long Length) run) in open)
            texts.Add(Text(other, end, run));
        if (texts.Count == 0)
            return "";
        texts.Sort(StringComparer.Ordinal);
        if (unnamed > 0)
            texts.Add(string.Create(CultureInfo.InvariantCulture, $"+{unnamed}"));
        return new StringBuilder("(").AppendJoin('/', texts).Append(')').ToString();

        string Text(FileContent other, long theirEnd, (long At, long Length) run) =>
            string.Create(CultureInfo.InvariantCulture, $"{LabelOf(tree, other)}:{theirEnd - run.Length}+{run.Length}@{run.At}");
    }

    // A content's names in the tree that is shown, else in the first tree that has it.
    private string LabelOf(Tree tree, FileContent content)
    {
        if (!_names.TryGetValue((tree, content), out string? names))
            names = _names[(tree = _homes[content], content)];
        string? label = _trees.Find(t => ReferenceEquals(t.Tree, tree)).Label;
        return label is null ? names : $"{label}@{names}";
    }

    private void FindShared()
    {
        bool[] isNoted = new bool[_places.Length];
        int furthest = 0; // the place with the highest end so far
        for (int i = 1; i < _places.Length; i++)
        {
            if (_places[i].Run.Address < _places[furthest].End)
            {
                Note(i);
                Note(furthest);
            }
            if (_places[i].End > _places[furthest].End)
                furthest = i;
        }
        foreach (List<int> own in _shared.Values)
            own.Sort((a, b) => _places[a].Run.Offset.CompareTo(_places[b].Run.Offset));

        void Note(int place)
        {
            if (isNoted[place])
                return;
            isNoted[place] = true;
            if (!_shared.TryGetValue(_places[place].Content, out List<int>? own))
                _shared.Add(_places[place].Content, own = []);
            own.Add(place);
        }
    }

    private void FindNames()
    {
        if (_shared.Count == 0)
            return;
        foreach ((_, Tree tree) in _trees)
            for (TreeCursor at = new(tree); at.MoveNext();)
                if (at.Inode.Content is { } content && _shared.ContainsKey(content))
                {
                    string name = BytesText.Escape(at.Path);
                    // All names of a hard-linked file, in canonical order.
                    _names[(tree, content)] = _names.TryGetValue((tree, content), out string? known) ? $"{known},{name}" : name;
                    _homes.TryAdd(content, tree);
                }
    }

    private UInt128 FindLastEnds(int low, int high)
    {
        if (low >= high)
            return 0;
        int middle = (low + high) >>> 1;
        return _lastEnds[middle] = UInt128.Max(_places[middle].End, UInt128.Max(FindLastEnds(low, middle), FindLastEnds(middle + 1, high)));
    }

    /// <summary>The places that overlap with a range, by address, until the visitor has enough.</summary>
    private bool FindOthers(int low, int high, UInt128 from, UInt128 to, Func<int, bool> visit)
    {
        int middle = (low + high) >>> 1;
        if (low >= high || _lastEnds[middle] <= from)
            return true;
        if (!FindOthers(low, middle, from, to, visit))
            return false;
        if (_places[middle].Run.Address >= to)
            return true;
        return (_places[middle].End <= from || visit(middle)) && FindOthers(middle + 1, high, from, to, visit);
    }

    private long CountOverlaps(UInt128 from, UInt128 to) => CountBelow(_places.Length, i => _places[i].Run.Address < to) - CountBelow(_ends.Length, i => _ends[i] <= from);

    private static long CountBelow(int count, Func<int, bool> isBelow)
    {
        int low = 0;
        while (low < count)
        {
            int middle = (low + count) >>> 1;
            if (isBelow(middle))
                low = middle + 1;
            else
                count = middle;
        }
        return low;
    }
}
