using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>A file that a receiver has when it is cloned from.</summary>
/// <param name="Subvolume">The uuid of the stream's own subvolume or of its parent.</param>
/// <param name="Transid">What goes with the uuid.</param>
/// <param name="Path">The file's path there.</param>
internal sealed record CloneSource(Guid Subvolume, ulong Transid, byte[] Path);

/// <summary>A range of a file that can be cloned; in bytes, on whole blocks or up to the ends of both files.</summary>
internal readonly record struct CloneRun(long Offset, long Length, CloneSource Source, long SourceOffset)
{
    public long End => Offset + Length;
}

/// <summary>
/// Which ranges of which files of a tree are stored where bytes of the parent or of an earlier file are stored, as reflinks make them. Of
/// several files that share, the first one is the source of all others: the parent's before the tree's, then in canonical order, so the
/// source is complete when it is cloned from.
/// </summary>
internal sealed class CanonicalClones
{
    private sealed record Place(int Order, CloneSource Source, long Size, StoredRun Run)
    {
        public UInt128 End => Run.Address + (UInt128)Run.Length;
    }

    private readonly record struct Segment(UInt128 Start, UInt128 End, Place First);

    private readonly Dictionary<Inode, List<Place>> _places = new(ReferenceEqualityComparer.Instance);
    private readonly List<Segment> _segments = [];

    public CanonicalClones(Tree tree, Guid uuid, Guid parentUuid, CanonicalSendOptions options)
    {
        List<Place> places = [];
        if (options is { Parent: { } parent, ParentStorage: { } parentStorage })
            _ = Collect(places, parent, parentUuid, options.ParentTransid, parentStorage);
        foreach ((Inode file, List<Place> own) in Collect(places, tree, uuid, CanonicalSendStream.Transid, options.Storage!))
            _places.Add(file, own);
        FindFirst(places);
    }

    /// <summary>What of a file's bytes can be cloned, by rising offsets.</summary>
    public IReadOnlyList<CloneRun> Find(Inode file)
    {
        List<(CloneRun Run, long Size, long SourceSize)> shared = [];
        foreach (Place place in _places.GetValueOrDefault(file, []))
            for (int i = FirstSegment(place.Run.Address); i < _segments.Count && _segments[i].Start < place.End; i++)
            {
                if (_segments[i].First is not { } first || first.Order >= place.Order)
                    continue;
                CloneRun run = Common(place, _segments[i]);
                // Runs that follow each other in both files are one, however they are stored.
                if (shared is [.., ({ } last, _, _)] && last.Source == run.Source && last.End == run.Offset && last.SourceOffset + last.Length == run.SourceOffset)
                    shared[^1] = shared[^1] with { Run = last with { Length = last.Length + run.Length } };
                else
                    shared.Add((run, place.Size, first.Size));
            }
        return [.. shared.Select(s => Fit(s.Run, s.Size, s.SourceSize)).Where(run => run.Length > 0)];
    }

    private static List<(Inode, List<Place>)> Collect(
        List<Place> places, Tree tree, Guid uuid, ulong transid, Func<FileContent, IReadOnlyList<StoredRun>> storage)
    {
        List<(Inode, List<Place>)> files = [];
        HashSet<Inode> seen = new(ReferenceEqualityComparer.Instance);
        for (TreeCursor at = new(tree); at.MoveNext();)
        {
            if (at.Inode.Content is not { Size: >= CanonicalData.BlockLength } content || (at.Inode.Links > 1 && !seen.Add(at.Inode)))
                continue;
            CloneSource source = new(uuid, transid, at.Path.ToArray());
            List<Place> own = [.. storage(content).Select((run, i) => new Place(places.Count + i, source, content.Size, run))];
            places.AddRange(own);
            files.Add((at.Inode, own));
        }
        return files;
    }

    /// <summary>Cuts the used addresses into segments, each with the first of those that are stored there.</summary>
    private void FindFirst(List<Place> places)
    {
        UInt128[] bounds = [.. places.SelectMany(place => new[] { place.Run.Address, place.End }).Distinct().Order()];
        Place[] byAddress = [.. places.OrderBy(place => place.Run.Address)];
        PriorityQueue<Place, int> open = new();
        int next = 0;
        for (int i = 0; i + 1 < bounds.Length; i++)
        {
            for (; next < byAddress.Length && byAddress[next].Run.Address == bounds[i]; next++)
                open.Enqueue(byAddress[next], byAddress[next].Order);
            while (open.TryPeek(out Place? first, out _) && first.End <= bounds[i])
                open.Dequeue();
            if (!open.TryPeek(out Place? place, out _))
                continue;
            if (_segments is [.., var last] && last.End == bounds[i] && last.First == place)
                _segments[^1] = last with { End = bounds[i + 1] };
            else
                _segments.Add(new Segment(bounds[i], bounds[i + 1], place));
        }
    }

    /// <summary>The first segment that ends after an address.</summary>
    private int FirstSegment(UInt128 address)
    {
        int low = 0, high = _segments.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_segments[middle].End <= address)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    private static CloneRun Common(Place place, Segment segment)
    {
        UInt128 start = UInt128.Max(place.Run.Address, segment.Start), end = UInt128.Min(place.End, segment.End);
        long offset = place.Run.Offset + (long)(start - place.Run.Address), sourceOffset = segment.First.Run.Offset + (long)(start - segment.First.Run.Address);
        return new CloneRun(offset, (long)(end - start), segment.First.Source, sourceOffset);
    }

    // FICLONERANGE takes whole blocks, and part of one only where it is the last of the source and nothing follows in the destination.
    private static CloneRun Fit(CloneRun run, long size, long sourceSize)
    {
        const long Block = CanonicalData.BlockLength;
        long lead = -run.Offset & (Block - 1);
        run = run with { Offset = run.Offset + lead, SourceOffset = run.SourceOffset + lead, Length = run.Length - lead };
        if (run.SourceOffset % Block != 0)
            return default;
        return run.End == size && run.SourceOffset + run.Length == sourceSize ? run : run with { Length = run.Length - (run.Length % Block) };
    }
}
