using System.Globalization;
using System.Text;

namespace Layerbox.FileTree;

/// <summary>Where a run of a file's data is stored: equal addresses are the same bytes on the same disk. All in bytes.</summary>
public readonly record struct StoredRun(long Offset, long Length, ulong Address);

/// <summary>Which runs of which files of a tree share their storage with others: what reflinks made.</summary>
internal sealed class SharedStorage
{
    private readonly record struct Place(Inode Inode, StoredRun Run)
    {
        public ulong End => Run.Address + (ulong)Run.Length;
    }

    private readonly Dictionary<Inode, List<(long Offset, Place Other, long OtherOffset, long Length)>> _shared = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Inode, string> _labels = new(ReferenceEqualityComparer.Instance);

    public SharedStorage(Tree tree, Func<FileContent, IReadOnlyList<StoredRun>> storage)
    {
        List<Place> places = [];
        for (TreeCursor at = new(tree); at.MoveNext();)
        {
            if (at.Inode.Content is not { } content)
                continue;
            string name = BytesText.Escape(at.Path);
            if (_labels.TryGetValue(at.Inode, out string? known))
                _labels[at.Inode] = $"{known},{name}"; // all names of a hard-linked file, in canonical order
            else
            {
                _labels.Add(at.Inode, name);
                places.AddRange(storage(content).Select(run => new Place(at.Inode, run)));
            }
        }
        places.Sort((a, b) => a.Run.Address.CompareTo(b.Run.Address));
        List<Place> open = []; // those that may still overlap with what comes
        foreach (Place place in places)
        {
            open.RemoveAll(other => other.End <= place.Run.Address);
            foreach (Place other in open)
                Pair(other, place);
            open.Add(place);
        }
    }

    /// <summary>The runs of one data chunk that others share, as "(PATH:OFFSET+LENGTH@OFFSET IN CHUNK/…)", sorted; empty when there are none.</summary>
    public string Describe(Inode inode, long offset, long length)
    {
        if (!_shared.TryGetValue(inode, out var runs))
            return "";
        SortedSet<string> texts = new(StringComparer.Ordinal);
        foreach ((long at, Place other, long otherOffset, long count) in runs)
            if (at >= offset && at < offset + length)
                texts.Add(string.Create(CultureInfo.InvariantCulture, $"{_labels[other.Inode]}:{otherOffset}+{count}@{at - offset}"));
        return texts.Count == 0 ? "" : new StringBuilder("(").AppendJoin('/', texts).Append(')').ToString();
    }

    private void Pair(Place a, Place b)
    {
        ulong start = Math.Max(a.Run.Address, b.Run.Address);
        long length = (long)(Math.Min(a.End, b.End) - start);
        long inA = a.Run.Offset + (long)(start - a.Run.Address), inB = b.Run.Offset + (long)(start - b.Run.Address);
        Note(a, inA, b, inB, length);
        Note(b, inB, a, inA, length);
    }

    private void Note(Place place, long offset, Place other, long otherOffset, long length)
    {
        if (!_shared.TryGetValue(place.Inode, out var list))
            _shared.Add(place.Inode, list = []);
        list.Add((offset, other, otherOffset, length));
    }
}
