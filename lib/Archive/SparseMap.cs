using System.Buffers.Text;
using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>The runs of data of a sparse file, in the four ways in which GNU tar has written them.</summary>
internal static class SparseMap
{
    private const int OldGnuEntrySize = 24;

    /// <summary>Runs from offset-length pairs of an extended header (formats 0.0 and 0.1).</summary>
    public static List<Extent> FromPairs(List<long> pairs)
    {
        if (pairs.Count % 2 != 0)
            throw new TarDefect("the sparse map ends with an offset");
        List<Extent> runs = new(pairs.Count / 2);
        for (int i = 0; i < pairs.Count; i += 2)
            runs.Add(new Extent(pairs[i], pairs[i + 1], IsHole: false));
        return runs;
    }

    /// <summary>
    /// Runs from the text before the data (format 1.0): the count, then offset and length of each, a number a line, filled up to a
    /// whole block. Tells how many bytes that took.
    /// </summary>
    public static List<Extent> FromData(TarInput input, long size, out long taken)
    {
        long start = input.Offset;
        List<Extent> runs = [];
        byte[] rest = [];
        long count = NextNumber(input, size, start, ref rest);
        if (count > TarFormat.MaxSparseRuns)
            throw new TarDefect($"the sparse map has more than {TarFormat.MaxSparseRuns} runs");
        for (long i = 0; i < count; i++)
        {
            long offset = NextNumber(input, size, start, ref rest);
            runs.Add(new Extent(offset, NextNumber(input, size, start, ref rest), IsHole: false));
        }
        taken = input.Offset - start;
        return runs;
    }

    private static long NextNumber(TarInput input, long size, long start, ref byte[] rest)
    {
        int end = rest.AsSpan().IndexOf((byte)'\n');
        if (end < 0)
        {
            if (input.Offset - start + TarFormat.BlockSize > size || rest.Length >= TarFormat.BlockSize)
                throw new TarDefect("the sparse map does not end within the data");
            rest = [.. rest, .. input.TakeArray(TarFormat.BlockSize)];
            end = rest.AsSpan().IndexOf((byte)'\n');
        }
        if (end < 0 || !Utf8Parser.TryParse(rest.AsSpan(0, end), out long number, out int length) || length != end || number < 0)
            throw new TarDefect("the sparse map has a line that is no number");
        rest = rest[(end + 1)..];
        return number;
    }

    /// <summary>
    /// Runs of the old GNU format: four in the header block, then blocks of 21 each as long as the one before says that more follow.
    /// An entry whose length field is empty ends the list.
    /// </summary>
    public static List<Extent> FromOldGnu(byte[] header, TarInput input)
    {
        List<Extent> runs = [];
        bool isComplete = !Add(runs, header, 386, 4);
        bool hasMore = header[482] != 0;
        byte[] block = new byte[TarFormat.BlockSize];
        while (hasMore)
        {
            if (!input.TryTakeBlock(block))
                throw new TarDefect("the archive ends within the sparse map", input.Offset);
            isComplete = isComplete || !Add(runs, block, 0, 21);
            hasMore = block[504] != 0;
            if (runs.Count > TarFormat.MaxSparseRuns)
                throw new TarDefect($"the sparse map has more than {TarFormat.MaxSparseRuns} runs");
        }
        return runs;
    }

    private static bool Add(List<Extent> runs, ReadOnlySpan<byte> block, int start, int count)
    {
        TarHeader fields = new(block);
        for (int at = start; at < start + (count * OldGnuEntrySize); at += OldGnuEntrySize)
        {
            if (block[at + 12] == 0)
                return false;
            runs.Add(new Extent(fields.Number(at..(at + 12), "sparse offset"), fields.Number((at + 12)..(at + 24), "sparse length"), IsHole: false));
        }
        return true;
    }

    /// <summary>Runs must be in order and apart, lie within the file, and hold exactly the bytes that the archive stores.</summary>
    public static void Check(List<Extent> runs, long realSize, long stored)
    {
        long end = 0;
        long sum = 0;
        foreach (Extent run in runs)
        {
            if (run.Offset < end || run.Length < 0 || run.Offset > realSize || run.Length > realSize - run.Offset)
                throw new TarDefect($"the sparse map has a run at {run.Offset} of {run.Length} bytes after {end} of {realSize}");
            end = run.Offset + run.Length;
            sum += run.Length;
        }
        if (sum != stored)
            throw new TarDefect($"the sparse map has {sum} bytes where the archive stores {stored}");
    }
}
