namespace Layerbox.FileTree;

/// <summary>
/// Where readers of archives and streams put the bytes of the files that they meet, so that the readers stay pure: in memory
/// for tests, in a staging folder of the target filesystem for real work.
/// </summary>
public abstract class ContentStore
{
    /// <summary>Starts a new content: empty, or as a copy of an earlier one (shared extents where the store can).</summary>
    public abstract ContentWriter Create(FileContent? initial = null);
}

/// <summary>A content that is being written; at any offset, in any order. Gaps read as zeros.</summary>
public abstract class ContentWriter : IDisposable
{
    public abstract long Size { get; }

    /// <summary>Writes bytes at an offset; the content grows when needed.</summary>
    public abstract void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Cuts or grows (with a hole) to a length in bytes.</summary>
    public abstract void SetSize(long size);

    /// <summary>Copies a range of another content, by shared extents where the store can.</summary>
    public abstract void CopyFrom(FileContent source, long sourceOffset, long length, long offset);

    /// <summary>Makes a range that lies within the content read as zeros, as a hole where the store can.</summary>
    public virtual void Clear(long offset, long length)
    {
        byte[] zeros = new byte[Math.Min(length, 64 << 10)];
        for (long end = offset + length; offset < end; offset += zeros.Length)
            Write(offset, zeros.AsSpan(0, (int)Math.Min(end - offset, zeros.Length)));
    }

    /// <summary>Ends the writing. The result does not change any more.</summary>
    public abstract FileContent Complete();

    /// <summary>Gives up what was not completed.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) { }
}

/// <summary>Contents in memory, for small things and tests.</summary>
public sealed class MemoryContentStore : ContentStore
{
    public override ContentWriter Create(FileContent? initial = null) => new Writer(initial);

    private sealed class Writer : ContentWriter
    {
        private readonly MemoryStream _bytes = new();

        public Writer(FileContent? initial)
        {
            if (initial is null)
                return;
            using Stream from = initial.Open();
            from.CopyTo(_bytes);
        }

        public override long Size => _bytes.Length;

        public override void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            Check(offset + bytes.Length);
            _bytes.Position = offset;
            _bytes.Write(bytes);
        }

        public override void SetSize(long size) => _bytes.SetLength(Check(size));

        public override void CopyFrom(FileContent source, long sourceOffset, long length, long offset)
        {
            if (source is MemoryContent memory)
            {
                Write(offset, memory.Bytes.AsSpan(checked((int)sourceOffset), checked((int)length)));
                return;
            }
            byte[] range = new byte[checked((int)length)];
            using Stream from = source.Open();
            Skip(from, sourceOffset);
            from.ReadExactly(range);
            Write(offset, range);
        }

        private static void Skip(Stream stream, long length)
        {
            if (stream.CanSeek)
            {
                stream.Position += length;
                return;
            }
            byte[] skipped = new byte[Math.Min(length, 64 * 1024)];
            for (int part; length > 0; length -= part)
            {
                part = (int)Math.Min(length, skipped.Length);
                stream.ReadExactly(skipped, 0, part);
            }
        }

        public override FileContent Complete() => new MemoryContent(_bytes.ToArray());

        private static long Check(long size) =>
            size <= Array.MaxLength ? size : throw new IOException($"a file of {size} bytes cannot be held in memory");
    }
}
