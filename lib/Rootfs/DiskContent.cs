using System.Buffers;
using System.Security.Cryptography;
using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>
/// The bytes of a regular file on disk, found through the root's handle and the names below it. From the moment when the file's status
/// was read, at the latest for its digest, each reading checks that it is still that file: what changes is an <see cref="InvalidDataException"/>.
/// </summary>
public class DiskContent : FileContent
{
    private const int ReadSize = 256 * 1024;

    private DiskDirectory _directory;
    private byte[] _name;
    private IReadOnlyList<Extent>? _extents;
    private Timestamp _modificationTime, _changeTime;

    internal DiskContent(DiskDirectory directory, FileName name, long size) : this(directory, name.Bytes.ToArray(), size) { }

    internal DiskContent(DiskDirectory directory, byte[] name, long size)
    {
        _directory = directory;
        _name = name;
        Size = size;
    }

    internal DiskContent(DiskDirectory directory, byte[] name, in FileStatus status) : this(directory, name, status.Size) => Refresh(status);

    public override long Size { get; }

    /// <summary>The file's inode number when its status was read; 0 when nobody has asked yet.</summary>
    public ulong InodeNumber { get; private set; }

    /// <summary>Its change time at that moment.</summary>
    public Timestamp ChangeTime => _changeTime;

    /// <summary>Its modification time at that moment.</summary>
    public Timestamp ModificationTime => _modificationTime;

    internal DiskDirectory Directory => _directory;
    internal ReadOnlySpan<byte> Name => _name;

    public override IReadOnlyList<Extent> Extents => _extents ??= FindExtents();

    /// <summary>Where the filesystem keeps the bytes: runs of two files with the same address are shared. Nothing where it cannot say.</summary>
    public IReadOnlyList<StoredRun> FindStorage()
    {
        using SafeFileHandle file = OpenFile();
        // The last block of a file is stored whole.
        return [.. Files.Map(file).Where(run => run.Offset < Size).Select(run => new StoredRun(run.Offset, Math.Min(run.Length, Size - run.Offset), run.Address))];
    }

    /// <summary>
    /// Whether a filesystem that holds both keeps their bytes in the very same place, so that one reading does for both. False also where it
    /// cannot say so of all bytes.
    /// </summary>
    public bool IsStoredAs(DiskContent other)
    {
        if (Size != other.Size || FindStorage() is not { Count: > 0 } runs || other.FindStorage() is var others && (runs.Count != others.Count || !runs.Zip(others).All(pair => pair.First.Equals(pair.Second))))
            return false;
        return IsAllIn(runs, Extents) && IsAllIn(runs, other.Extents);
    }

    public override Stream Open() => new DiskContentStream(this, OpenFile());

    /// <summary>For messages: the host's path.</summary>
    public override string ToString() => _directory.Describe(_name);

    /// <summary>A handle for reading the bytes. Who reads through it calls <see cref="EnsureUnchanged"/> afterwards.</summary>
    /// <exception cref="PosixException">It is not there, or a link is on the way to it.</exception>
    internal SafeFileHandle OpenFile() =>
        // Without O_NONBLOCK a fifo that took the file's place would make us wait for a writer. Where bytes are taken from may
        // well be spread over mounts (a host's /usr); a reader that must not meet any has looked.
        _directory.Open(_name, OpenFlags.ReadOnly | OpenFlags.NonBlocking, crossMounts: true);

    /// <summary>Reads through such a handle; 0 at the end.</summary>
    internal int ReadAt(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        try
        {
            return Files.ReadAt(file, buffer, offset);
        }
        catch (PosixException e)
        {
            throw e.Errno is Errno.ESPIPE or Errno.EISDIR ? Changed() : new PosixException(e.Call, e.Errno, ToString());
        }
    }

    /// <summary>Whether the file is still what it was when its status was read.</summary>
    /// <exception cref="InvalidDataException">It is not.</exception>
    internal void EnsureUnchanged(SafeFileHandle file)
    {
        FileStatus now = Files.Status(file);
        if (!now.IsRegular || now.Size != Size)
            throw Changed();
        if (InodeNumber == 0)
            return;
        if (now.Inode != InodeNumber || ModificationTimeOf(now) != _modificationTime)
            throw Changed();
        // A change time alone also moves with links and permissions; then the bytes decide, if they are known.
        if (ChangeTimeOf(now) != _changeTime)
        {
            if (HasDigest && !DigestOf(file).AsSpan().SequenceEqual(Digest))
                throw Changed();
            _changeTime = ChangeTimeOf(now);
        }
    }

    internal InvalidDataException Changed() => new($"{this}: changed while it was being read");

    /// <summary>The file now has another place; the bytes are the same.</summary>
    internal void MoveTo(DiskDirectory directory, ReadOnlySpan<byte> name)
    {
        _directory = directory;
        _name = name.ToArray();
    }

    /// <summary>Takes what the file's status is now as what it is to be.</summary>
    internal void Refresh(in FileStatus status)
    {
        InodeNumber = status.Inode;
        _modificationTime = ModificationTimeOf(status);
        _changeTime = ChangeTimeOf(status);
    }

    protected override byte[] ComputeDigest()
    {
        using SafeFileHandle file = OpenFile();
        if (InodeNumber == 0)
            Refresh(Files.Status(file)); // whoever takes the bytes later is to get those of the digest
        byte[] digest = DigestOf(file);
        EnsureUnchanged(file);
        return digest;
    }

    private static Timestamp ModificationTimeOf(in FileStatus status) => new(status.ModificationSeconds, status.ModificationNanoseconds);

    private static Timestamp ChangeTimeOf(in FileStatus status) => new(status.ChangeSeconds, status.ChangeNanoseconds);

    private byte[] DigestOf(SafeFileHandle file)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(Size, 1, ReadSize));
        try
        {
            if (Size <= buffer.Length)
                return SHA256.HashData(buffer.AsSpan(0, ReadFully(file, buffer.AsSpan(0, (int)Size), 0)));
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            bool hasHoles = Extents.Any(extent => extent.IsHole);
            foreach (Extent extent in hasHoles ? Extents : [new Extent(0, Size, IsHole: false)])
            {
                if (extent.IsHole)
                    Array.Clear(buffer);
                for (long done = 0; done < extent.Length;)
                {
                    Span<byte> part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, extent.Length - done));
                    int n = extent.IsHole ? part.Length : ReadFully(file, part, extent.Offset + done);
                    if (n == 0)
                        throw Changed();
                    hash.AppendData(part[..n]);
                    done += n;
                }
            }
            return hash.GetHashAndReset();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private int ReadFully(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        int done = 0;
        while (done < buffer.Length && ReadAt(file, buffer[done..], offset + done) is var n and > 0)
            done += n;
        return done;
    }

    private static bool IsAllIn(IReadOnlyList<StoredRun> runs, IReadOnlyList<Extent> extents)
    {
        int run = 0;
        foreach (Extent extent in extents)
            for (long at = extent.Offset; !extent.IsHole && at < extent.Offset + extent.Length; at = runs[run].Offset + runs[run].Length)
            {
                while (run < runs.Count && runs[run].Offset + runs[run].Length <= at)
                    run++;
                if (run == runs.Count || runs[run].Offset > at)
                    return false;
            }
        return true;
    }

    private List<Extent> FindExtents()
    {
        List<Extent> extents = [];
        if (Size == 0)
            return extents;
        using SafeFileHandle file = OpenFile();
        for (long at = 0; at < Size;)
        {
            long data = Math.Min(Files.Seek(file, at, data: true) ?? Size, Size);
            if (data > at)
                extents.Add(new Extent(at, data - at, IsHole: true));
            at = data == Size ? Size : Math.Min(Files.Seek(file, data, data: false) ?? Size, Size);
            if (at > data)
                extents.Add(new Extent(data, at - data, IsHole: false));
        }
        return extents;
    }
}
