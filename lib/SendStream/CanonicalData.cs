using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>
/// Writes the bytes of files so that the commands depend on the bytes alone. Where a filesystem keeps holes is chance, so holes
/// are found by content: an aligned block of zeros is never written, and a file that ends in one gets its size by truncate.
/// </summary>
internal sealed class CanonicalData
{
    /// <summary>The unit of holes: the smallest that filesystems keep.</summary>
    private const int BlockLength = 4096;

    /// <summary>A command of version 1 stays below 64 KiB, as the kernel's do.</summary>
    private const int Version1Chunk = 48 << 10;

    /// <summary>The longest extent of compressed files: what comes in one command can be stored as one.</summary>
    private const int Version2Chunk = 128 << 10;

    private readonly SendStreamWriter _writer;
    private readonly byte[] _chunk;

    public CanonicalData(SendStreamWriter writer)
    {
        _writer = writer;
        _chunk = new byte[writer.Version >= SendStreamFormat.FirstVersionWithOpenData ? Version2Chunk : Version1Chunk];
    }

    /// <exception cref="InvalidDataException">The content ends before its size.</exception>
    public void Write(ReadOnlySpan<byte> path, FileContent content)
    {
        long size = content.Size, written = 0;
        if (size == 0)
            return;
        using Stream stream = content.Open();
        // Asking for the extents costs system calls; it is worth them only where whole chunks may be skipped.
        IReadOnlyList<Extent> extents = size > _chunk.Length && stream.CanSeek ? content.Extents : [];
        int extent = 0;
        for (long offset = 0; offset < size; offset += _chunk.Length)
        {
            long data = NextData(extents, ref extent, offset, size);
            if (data >= offset + _chunk.Length)
            {
                offset = data / _chunk.Length * _chunk.Length;
                if (offset >= size)
                    break;
                stream.Position = offset;
            }
            Span<byte> chunk = _chunk.AsSpan(0, (int)Math.Min(_chunk.Length, size - offset));
            int read = stream.ReadAtLeast(chunk, chunk.Length, throwOnEndOfStream: false);
            if (read < chunk.Length)
                throw new InvalidDataException($"{StreamPaths.Show(path)}: the content ends at {offset + read}, expected {size} bytes");
            if (WriteRuns(path, offset, chunk) is var end and > 0)
                written = offset + end;
        }
        if (written < size)
            _writer.Begin(SendCommandKind.Truncate).Bytes(A.Path, path).UInt64(A.Size, (ulong)size).End();
    }

    /// <summary>Writes what lies between blocks of zeros; gives the end of the last run in the chunk, 0 when there is none.</summary>
    private int WriteRuns(ReadOnlySpan<byte> path, long offset, ReadOnlySpan<byte> chunk)
    {
        int end = 0;
        for (int at = 0; at < chunk.Length;)
        {
            int start = at;
            while (at < chunk.Length && !IsZero(chunk, at))
                at = Math.Min(at + BlockLength, chunk.Length);
            if (at > start)
            {
                _writer.Begin(SendCommandKind.Write).Bytes(A.Path, path).UInt64(A.FileOffset, (ulong)(offset + start));
                _writer.Bytes(A.Data, chunk[start..at]).End();
                end = at;
            }
            else
                at += BlockLength;
        }
        return end;
    }

    private static bool IsZero(ReadOnlySpan<byte> chunk, int start) =>
        !chunk[start..Math.Min(start + BlockLength, chunk.Length)].ContainsAnyExcept((byte)0);

    /// <summary>Where the first data at or after an offset begins, as far as the extents know.</summary>
    private static long NextData(IReadOnlyList<Extent> extents, ref int extent, long offset, long size)
    {
        if (extents.Count == 0)
            return offset;
        for (; extent < extents.Count; extent++)
            if (!extents[extent].IsHole && extents[extent].Offset + extents[extent].Length > offset)
                return Math.Max(offset, extents[extent].Offset);
        return size;
    }
}
