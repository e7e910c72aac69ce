namespace Layerbox.SendStream;

/// <summary>A run of a content, which goes on to where the next one starts.</summary>
internal readonly record struct Run(long Start, StreamSource Source, long SourceOffset)
{
    /// <summary>Where in the source the byte at an offset of the content is.</summary>
    public long SourceOffsetAt(long offset) => SourceOffset + (offset - Start);

    /// <summary>Whether another run is only the continuation of this one.</summary>
    public bool GoesOnAs(Run next) => ReferenceEquals(Source, next.Source) && SourceOffsetAt(next.Start) == next.SourceOffset;
}

/// <summary>
/// The runs of a content, sorted by where they start, in chunks: a file that is written in any order costs n·log n, one that is written
/// from its beginning to its end costs nothing but appending.
/// </summary>
internal sealed class RunTable
{
    private const int ChunkLength = 256, FirstChunkLength = 4;

    private readonly List<Chunk> _chunks = [];

    public int Count { get; private set; }

    /// <summary>All runs in order.</summary>
    public IEnumerable<Run> Runs
    {
        get
        {
            foreach (Chunk chunk in _chunks)
                for (int i = 0; i < chunk.Count; i++)
                    yield return chunk.Runs[i];
        }
    }

    public RunTable Copy()
    {
        RunTable copy = new() { Count = Count };
        foreach (Chunk chunk in _chunks)
            copy._chunks.Add(new Chunk { Runs = chunk.Runs.AsSpan(0, chunk.Count).ToArray(), Count = chunk.Count });
        return copy;
    }

    /// <summary>The run that an offset lies in; there must be one that starts at or before it.</summary>
    /// <param name="offset">Where to look.</param>
    /// <param name="end">Is set to where the run ends, unless that is the end of the content.</param>
    public Run At(long offset, ref long end)
    {
        (int chunk, int index) = Before(offset + 1);
        if (index + 1 < _chunks[chunk].Count)
            end = _chunks[chunk].Runs[index + 1].Start;
        else if (chunk + 1 < _chunks.Count)
            end = _chunks[chunk + 1].Runs[0].Start;
        return _chunks[chunk].Runs[index];
    }

    /// <summary>The runs from that of an offset on up to an end, in order.</summary>
    public void CopyTo(List<Run> runs, long offset, long end)
    {
        (int chunk, int index) = Before(offset + 1);
        for (; chunk < _chunks.Count; chunk++, index = 0)
            for (; index < _chunks[chunk].Count; index++)
            {
                Run run = _chunks[chunk].Runs[index];
                if (run.Start >= end)
                    return;
                runs.Add(run);
            }
    }

    /// <summary>Makes a run start at an offset, by cutting the one that it lies in.</summary>
    public void Cut(long offset)
    {
        (int chunk, int index) = Before(offset + 1);
        Run run = _chunks[chunk].Runs[index];
        if (run.Start < offset)
            Insert(chunk, index + 1, new Run(offset, run.Source, run.SourceOffsetAt(offset)));
    }

    /// <summary>Adds a run where none starts yet; one that is only the continuation of what stands before it is left out.</summary>
    public void Add(Run run)
    {
        (int chunk, int index) = Before(run.Start);
        if (chunk < 0)
            Insert(0, 0, run);
        else if (!_chunks[chunk].Runs[index].GoesOnAs(run))
            Insert(chunk, index + 1, run);
    }

    /// <summary>Takes all runs away that start in a range.</summary>
    public void Remove(long start, long end)
    {
        (int first, int from) = After(start);
        (int last, int to) = After(end);
        if (first == last)
        {
            if (from < to)
                Remove(_chunks[first], from, to);
        }
        else
        {
            if (last < _chunks.Count)
                Remove(_chunks[last], 0, to);
            Remove(_chunks[first], from, _chunks[first].Count);
            for (int chunk = first + 1; chunk < last; chunk++)
                Count -= _chunks[chunk].Count;
            _chunks.RemoveRange(first + 1, last - first - 1);
        }
        if (first < _chunks.Count && _chunks[first].Count == 0)
            _chunks.RemoveAt(first);
    }

    /// <summary>The last run that starts before an offset; (-1, 0) when there is none.</summary>
    private (int Chunk, int Index) Before(long offset)
    {
        int chunk = _chunks.Count - 1;
        if (chunk >= 0 && _chunks[chunk] is var end && end.Runs[end.Count - 1].Start < offset)
            return (chunk, end.Count - 1); // written in order
        for (int low = 0; low <= chunk;)
        {
            int middle = (low + chunk) >>> 1;
            if (_chunks[middle].Runs[0].Start < offset)
                low = middle + 1;
            else
                chunk = middle - 1;
        }
        if (chunk < 0)
            return (-1, 0);
        int index = _chunks[chunk].Count - 1;
        for (int low = 0; low <= index;)
        {
            int middle = (low + index) >>> 1;
            if (_chunks[chunk].Runs[middle].Start < offset)
                low = middle + 1;
            else
                index = middle - 1;
        }
        return (chunk, index);
    }

    /// <summary>The first run that does not start before an offset; past the last chunk when there is none.</summary>
    private (int Chunk, int Index) After(long offset)
    {
        (int chunk, int index) = Before(offset);
        if (chunk < 0)
            return (0, 0);
        return index + 1 < _chunks[chunk].Count ? (chunk, index + 1) : (chunk + 1, 0);
    }

    private void Insert(int chunk, int index, Run run)
    {
        Count++;
        if (_chunks.Count == 0)
            _chunks.Add(new Chunk { Runs = new Run[FirstChunkLength] });
        Chunk into = _chunks[chunk];
        if (into.Count == ChunkLength)
        {
            // At the end a new chunk, so that those of a file that is written in order are full; else two halves.
            int kept = chunk == _chunks.Count - 1 && index == ChunkLength ? ChunkLength : ChunkLength / 2;
            Chunk next = new() { Runs = new Run[ChunkLength], Count = ChunkLength - kept };
            into.Runs.AsSpan(kept).CopyTo(next.Runs);
            into.Runs.AsSpan(kept).Clear();
            into.Count = kept;
            _chunks.Insert(chunk + 1, next);
            if (index >= kept)
                (into, index) = (next, index - kept);
        }
        if (into.Count == into.Runs.Length)
            Array.Resize(ref into.Runs, Math.Min(2 * Math.Max(into.Count, FirstChunkLength), ChunkLength));
        Array.Copy(into.Runs, index, into.Runs, index + 1, into.Count - index);
        into.Runs[index] = run;
        into.Count++;
    }

    private void Remove(Chunk chunk, int from, int to)
    {
        Count -= to - from;
        Array.Copy(chunk.Runs, to, chunk.Runs, from, chunk.Count - to);
        chunk.Runs.AsSpan(chunk.Count - (to - from), to - from).Clear();
        chunk.Count -= to - from;
    }

    private sealed class Chunk
    {
        public Run[] Runs = [];
        public int Count;
    }
}
