using Layerbox.FileTree;
using static Layerbox.SendStream.FallocateModes;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>
/// Writes the bytes of files so that the commands depend on the bytes alone. Where a filesystem keeps holes is chance, so holes are found
/// by content: a file is compared with what the receiver has of it, which is zeros where it has nothing, block by block, and blocks that are
/// the same are not written.
/// </summary>
internal sealed class CanonicalData
{
    /// <summary>The unit of holes and clones: the smallest that filesystems keep.</summary>
    public const int BlockLength = 4096;

    private readonly SendStreamWriter _writer;
    private readonly bool _canPunch;
    private readonly byte[] _chunk, _chunkBefore;
    private Pending _pending;

    public CanonicalData(SendStreamWriter writer)
    {
        _writer = writer;
        _canPunch = writer.Version >= SendStreamFormat.FirstVersionOf(SendCommandKind.Fallocate);
        _chunk = new byte[SendStreamFormat.LongestWrite(writer.Version)];
        _chunkBefore = new byte[_chunk.Length];
    }

    private enum Use
    {
        Nothing,
        Data,
        Hole,
        Clone,
    }

    /// <summary>Holes and clones reach over chunks; a command is written when another run begins.</summary>
    private record struct Pending(Use Use, CloneRun Source, long Start, long End);

    /// <param name="path">The file, which is at the receiver.</param>
    /// <param name="content">The bytes that it shall have.</param>
    /// <param name="before">The bytes that it has; null for a new file.</param>
    /// <param name="clones">What of the bytes can be cloned from elsewhere, by rising offsets.</param>
    /// <exception cref="InvalidDataException">A content ends before its size.</exception>
    public void Write(ReadOnlySpan<byte> path, FileContent content, FileContent? before, IReadOnlyList<CloneRun> clones)
    {
        long size = content.Size, written = Shrink(path, size, before);
        if (size == 0)
            return;
        using ContentReading now = new(content, _chunk.Length), old = new(before ?? OpenContents.Nothing, _chunk.Length);
        int clone = 0;
        for (long offset = 0; offset < size; offset += _chunk.Length)
        {
            long data = Math.Min(now.NextData(offset), old.NextData(offset));
            if (data >= offset + _chunk.Length)
                offset = data / _chunk.Length * _chunk.Length;
            if (offset >= size)
                break;
            int length = (int)Math.Min(_chunk.Length, size - offset);
            int read = now.Read(_chunk.AsSpan(0, length), offset);
            if (read < length)
                throw EndsEarly(path, offset + read, size);
            read = old.Read(_chunkBefore.AsSpan(0, length), offset);
            if (offset + read < Math.Min(offset + length, old.Size))
                throw EndsEarly(path, offset + read, old.Size);
            _chunkBefore.AsSpan(read, length - read).Clear();
            written = Math.Max(written, WriteRuns(path, offset, length, clones, ref clone));
        }
        written = Math.Max(written, Flush(path));
        if (written < size)
            Truncate(path, size);
    }

    /// <summary>The same where all the bytes are those of another file.</summary>
    public void Clone(ReadOnlySpan<byte> path, long size, FileContent? before, CloneSource source)
    {
        Shrink(path, size, before);
        Clone(path, new CloneRun(0, size, source, 0));
    }

    /// <summary>Cuts off what is too much; gives the size that the file then has.</summary>
    private long Shrink(ReadOnlySpan<byte> path, long size, FileContent? before)
    {
        if (before?.Size > size)
            Truncate(path, size);
        return Math.Min(before?.Size ?? 0, size);
    }

    /// <summary>Writes what differs in the chunk; gives the end of the last run that was written, 0 when there is none.</summary>
    private long WriteRuns(ReadOnlySpan<byte> path, long offset, int length, IReadOnlyList<CloneRun> clones, ref int clone)
    {
        long written = 0;
        for (int at = 0, next; at < length; at = next)
        {
            (Use use, CloneRun source) = UseOf(offset, at, length, clones, ref clone);
            for (next = Next(at); next < length && UseOf(offset, next, length, clones, ref clone) == (use, source); next = Next(next)) { }
            if (use == Use.Nothing)
                continue;
            long start = offset + at, end = offset + next;
            if (use != Use.Data && _pending.Use == use && _pending.Source == source && _pending.End == start)
            {
                _pending.End = end;
                continue;
            }
            written = Math.Max(written, Flush(path));
            if (use == Use.Data)
            {
                _writer.Begin(SendCommandKind.Write, path).UInt64(A.FileOffset, (ulong)start).Bytes(A.Data, _chunk.AsSpan(at..next)).End();
                written = end;
            }
            else
                _pending = new Pending(use, source, start, end);
        }
        return written;

        int Next(int block) => Math.Min(block + BlockLength, length);
    }

    private (Use Use, CloneRun Source) UseOf(long offset, int at, int length, IReadOnlyList<CloneRun> clones, ref int clone)
    {
        ReadOnlySpan<byte> block = _chunk.AsSpan(at, Math.Min(BlockLength, length - at));
        if (block.SequenceEqual(_chunkBefore.AsSpan(at, block.Length)))
            return (Use.Nothing, default);
        long start = offset + at, end = start + block.Length;
        while (clone < clones.Count && clones[clone].End <= start)
            clone++;
        if (clone < clones.Count && clones[clone].Offset <= start && clones[clone].End >= end)
            return (Use.Clone, clones[clone]);
        return (_canPunch && !block.ContainsAnyExcept((byte)0) ? Use.Hole : Use.Data, default);
    }

    /// <summary>Writes the hole or clone that is waiting; gives the end of what was written, which a hole is not.</summary>
    private long Flush(ReadOnlySpan<byte> path)
    {
        (Use use, CloneRun source, long start, long end) = _pending;
        _pending = default;
        if (use == Use.Hole)
        {
            // In whole blocks, beyond the end of the file perhaps: part of a block would be overwritten and kept.
            long length = (end - start + BlockLength - 1) / BlockLength * BlockLength;
            _writer.Begin(SendCommandKind.Fallocate, path).UInt32(A.FallocateMode, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
            _writer.UInt64(A.FileOffset, (ulong)start).UInt64(A.Size, (ulong)length).End();
        }
        else if (use == Use.Clone)
        {
            Clone(path, source with { Offset = start, Length = end - start, SourceOffset = source.SourceOffset + (start - source.Offset) });
            return end;
        }
        return 0;
    }

    private void Clone(ReadOnlySpan<byte> path, in CloneRun run)
    {
        _writer.Begin(SendCommandKind.Clone).UInt64(A.FileOffset, (ulong)run.Offset).UInt64(A.CloneLength, (ulong)run.Length).Bytes(A.Path, path);
        _writer.Uuid(A.CloneUuid, run.Source.Subvolume).UInt64(A.CloneCtransid, run.Source.Transid);
        _writer.Bytes(A.ClonePath, run.Source.Path).UInt64(A.CloneOffset, (ulong)run.SourceOffset).End();
    }

    private void Truncate(ReadOnlySpan<byte> path, long size) =>
        _writer.Begin(SendCommandKind.Truncate, path).UInt64(A.Size, (ulong)size).End();

    private static InvalidDataException EndsEarly(ReadOnlySpan<byte> path, long end, long size) =>
        new($"{StreamPaths.Show(path)}: the content ends at {end}, expected {size} bytes");
}
