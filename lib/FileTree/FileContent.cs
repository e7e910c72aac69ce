namespace Layerbox.FileTree;

/// <summary>
/// The bytes of a regular file, wherever they lie: on disk, in a stream's spool, in memory. Immutable once it is in a tree:
/// who can change the bytes makes a new content. Holes are a matter of storage, not of content: they read as zeros and
/// do not enter the digest.
/// </summary>
public abstract class FileContent
{
    private byte[]? _digest;

    /// <summary>Length in bytes.</summary>
    public abstract long Size { get; }

    /// <summary>Opens the bytes for one sequential reading. The caller disposes the stream.</summary>
    public abstract Stream Open();

    /// <summary>Writes the bytes to a stream, if there is a faster way to get them there than reading them.</summary>
    /// <param name="destination">Where to.</param>
    /// <param name="written">Told of each piece how many bytes it has.</param>
    /// <returns>False when there is no such way; nothing is written then.</returns>
    public virtual bool TryWriteTo(Stream destination, Action<long> written) => false;

    /// <summary>Where data and holes lie, in order, without gaps: together they cover 0 to <see cref="Size"/>.</summary>
    public virtual IReadOnlyList<Extent> Extents => Size == 0 ? [] : [new Extent(0, Size, IsHole: false)];

    /// <summary>SHA-256 of the bytes, 32 bytes; computed on first use if the source did not know it.</summary>
    public byte[] Digest => _digest ??= ComputeDigest();

    /// <summary>Whether asking for <see cref="Digest"/> costs nothing.</summary>
    public bool HasDigest => _digest is not null;

    /// <summary>Tells the content a digest that was computed elsewhere over the same bytes.</summary>
    public void SetDigest(byte[] sha256) => _digest = sha256;

    /// <summary>Whether the bytes are the same: by digest, but for contents that are the same object or differ in size.</summary>
    public bool HasSameBytes(FileContent other) =>
        ReferenceEquals(this, other) || (Size == other.Size && Digest.AsSpan().SequenceEqual(other.Digest));

    /// <summary>How the digest is computed when nobody knew it; sources that can read faster than through a stream override it.</summary>
    protected virtual byte[] ComputeDigest()
    {
        using Stream stream = Open();
        return System.Security.Cryptography.SHA256.HashData(stream);
    }
}

/// <summary>
/// A run of a file: data or a hole. Offset and length in bytes. One that is unknown is neither for sure; of length 0 it ends a content
/// whose size is not known.
/// </summary>
public readonly record struct Extent(long Offset, long Length, bool IsHole, bool IsUnknown = false);

/// <summary>A run of data of a content, in bytes, and what it comes from: runs with the same source and offset in it are the same bytes.</summary>
public readonly record struct ContentRun(long Offset, long Length, object Source, long SourceOffset);

/// <summary>Content that is held in memory: texts of a specification, test literals.</summary>
public sealed class MemoryContent(byte[] bytes) : FileContent
{
    public byte[] Bytes => bytes;
    public override long Size => bytes.Length;
    public override Stream Open() => new MemoryStream(bytes, writable: false);
}
