using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>
/// Writes contents that share runs with each other so that they share them on disk too, where the filesystem can: the first is written,
/// what another has of it is a reflink.
/// </summary>
internal sealed class SharedRuns
{
    /// <summary>What filesystems share is a multiple of this, at offsets that are.</summary>
    private const int BlockSize = 4096;

    private readonly record struct Range(long Start, long End);

    /// <summary>Bytes of a source that were written to a file.</summary>
    private sealed record Placed(long Start, long End, DiskDirectory Directory, FileName Name, long FileOffset);

    /// <summary>A range of a file that is to become one of another.</summary>
    private readonly record struct Reflinked(DiskDirectory Directory, FileName Name, long From, long Length, long To)
    {
        public bool Continues(in Reflinked before) =>
            Directory == before.Directory && Name == before.Name && From == before.From + before.Length && To == before.To + before.Length;
    }

    private readonly Func<FileContent, IEnumerable<ContentRun>> _runsOf;
    private readonly Dictionary<object, List<Range>> _shared = new(ReferenceEqualityComparer.Instance);

    // By source, and by where in a block its byte 0 would come to lie: others cannot be shared.
    private readonly Dictionary<(object Source, long Phase), SortedList<long, Placed>> _placed = [];

    public SharedRuns(Tree tree, Func<FileContent, IEnumerable<ContentRun>> runsOf)
    {
        _runsOf = runsOf;
        Dictionary<object, List<Range>> all = new(ReferenceEqualityComparer.Instance);
        foreach (FileContent content in tree.Walk().Select(e => e.Value.Content).OfType<FileContent>().Distinct<FileContent>(ReferenceEqualityComparer.Instance))
        {
            foreach (ContentRun run in runsOf(content))
            {
                if (!all.TryGetValue(run.Source, out List<Range>? spans))
                    all.Add(run.Source, spans = []);
                spans.Add(new Range(run.SourceOffset, run.SourceOffset + run.Length));
            }
        }
        foreach ((object source, List<Range> spans) in all)
            if (Overlaps(spans) is { Count: > 0 } overlaps)
                _shared.Add(source, overlaps);
    }

    /// <summary>Whether any run of a content is another's too.</summary>
    public bool Concerns(FileContent content) => _shared.Count > 0 && _runsOf(content).Any(IsShared);

    /// <summary>All of a content into an empty file, which is to be known by a name.</summary>
    public void Write(FileContent content, SafeFileHandle file, DiskDirectory directory, FileName name)
    {
        Reflinked? pending = null;
        foreach (ContentRun run in _runsOf(content))
        {
            for (long done = 0; done < run.Length;)
            {
                (object, long) key = (run.Source, (run.Offset - run.SourceOffset) & (BlockSize - 1));
                Placed? placed = Find(key, run.SourceOffset + done, out long length);
                length = Math.Min(length, run.Length - done);
                Reflinked? next = placed is null ? null
                    : new Reflinked(placed.Directory, placed.Name, placed.FileOffset + run.SourceOffset + done - placed.Start, length, run.Offset + done);
                if (next is { } more && pending is { } before && more.Continues(before))
                    pending = before with { Length = before.Length + length };
                else
                {
                    Flush(content, file, pending);
                    pending = next;
                    if (next is null)
                        ContentCopy.WriteRange(content, run.Offset + done, length, file, run.Offset + done);
                }
                if (placed is null && IsShared(run))
                    Place(key, new Placed(run.SourceOffset + done, run.SourceOffset + done + length, directory, name, run.Offset + done));
                done += length;
            }
        }
        Flush(content, file, pending);
        Files.Truncate(file, content.Size);
    }

    private static void Flush(FileContent content, SafeFileHandle file, Reflinked? pending)
    {
        if (pending is not { } range)
            return;
        using SafeFileHandle? source = TryOpen(range);
        // What does not begin or end with a block cannot be shared.
        if (source is null || !Files.TryCloneRange(source, range.From, range.Length, file, range.To))
            ContentCopy.WriteRange(content, range.To, range.Length, file, range.To);
    }

    private static SafeFileHandle? TryOpen(Reflinked range)
    {
        try
        {
            return range.Directory.Open(range.Name.Bytes, OpenFlags.ReadOnly | OpenFlags.NonBlocking);
        }
        catch (PosixException e) when (e.Errno == Errno.EACCES)
        {
            return null; // its owner, who is no root, may not read it any more
        }
    }

    private void Place((object, long) key, Placed placed)
    {
        if (!_placed.TryGetValue(key, out SortedList<long, Placed>? list))
            _placed.Add(key, list = []);
        list.Add(placed.Start, placed);
    }

    /// <summary>Where the byte at an offset of a source was written, and how far that goes; null and how far until the next that was.</summary>
    private Placed? Find((object, long) key, long offset, out long length)
    {
        length = long.MaxValue;
        if (!_placed.TryGetValue(key, out SortedList<long, Placed>? list))
            return null;
        int at = LastAtOrBefore(list.Keys, offset);
        if (at >= 0 && list.Values[at] is var placed && placed.End > offset)
        {
            length = placed.End - offset;
            return placed;
        }
        if (at + 1 < list.Count)
            length = list.Keys[at + 1] - offset;
        return null;
    }

    private static int LastAtOrBefore(IList<long> sorted, long offset)
    {
        int low = 0, high = sorted.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (sorted[middle] <= offset)
                low = middle + 1;
            else
                high = middle - 1;
        }
        return high;
    }

    private bool IsShared(ContentRun run)
    {
        if (!_shared.TryGetValue(run.Source, out List<Range>? spans))
            return false;
        int at = spans.BinarySearch(new Range(run.SourceOffset, 0), Comparer<Range>.Create((a, b) => a.Start.CompareTo(b.Start)));
        at = at < 0 ? ~at : at;
        return (at < spans.Count && spans[at].Start < run.SourceOffset + run.Length) || (at > 0 && spans[at - 1].End > run.SourceOffset);
    }

    /// <summary>What more than one of the spans has, in order and apart.</summary>
    private static List<Range> Overlaps(List<Range> spans)
    {
        spans.Sort((a, b) => a.Start.CompareTo(b.Start));
        List<Range> overlaps = [];
        long end = long.MinValue;
        foreach (Range span in spans)
        {
            if (span.Start < end)
            {
                Range overlap = new(span.Start, Math.Min(span.End, end));
                if (overlaps.Count > 0 && overlaps[^1].End >= overlap.Start)
                    overlaps[^1] = overlaps[^1] with { End = Math.Max(overlaps[^1].End, overlap.End) };
                else
                    overlaps.Add(overlap);
            }
            end = Math.Max(end, span.End);
        }
        return overlaps;
    }
}
