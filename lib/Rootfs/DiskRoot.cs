using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>
/// A directory of this machine that is the root of a tree. All that lies below is reached through its handle, without following
/// links and without leaving it, however the path to it changes later. The handle stays open as long as a content refers to it.
/// </summary>
public sealed class DiskRoot
{
    private static readonly Dictionary<(ulong Inode, uint DevMajor, uint DevMinor), WeakReference<DiskRoot>> s_shared = [];

    private readonly List<DiskDirectory> _lastChain = [];

    /// <exception cref="PosixException">It cannot be opened, or is no directory.</exception>
    public DiskRoot(string path)
    {
        Path = path;
        Handle = Directories.Open(path);
        Status = Files.Status(Handle);
        Directory = new DiskDirectory(this, null, []);
        _lastChain.Add(Directory);
    }

    /// <summary>
    /// The root of a directory that others may have asked for already: thousands of single files of a few folders then hold
    /// a few handles.
    /// </summary>
    /// <exception cref="PosixException">It cannot be opened, or is no directory.</exception>
    public static DiskRoot Shared(string path)
    {
        DiskRoot root = new(path);
        lock (s_shared)
        {
            // An inode number is not given away again while a handle of the directory is open, and the known root has one.
            (ulong, uint, uint) identity = (root.Status.Inode, root.Status.DevMajor, root.Status.DevMinor);
            if (s_shared.TryGetValue(identity, out WeakReference<DiskRoot>? known) && known.TryGetTarget(out DiskRoot? first))
            {
                root.Handle.Dispose();
                return first;
            }
            s_shared[identity] = new WeakReference<DiskRoot>(root);
            return root;
        }
    }

    /// <summary>The path it was opened by; for messages.</summary>
    public string Path { get; }

    internal SafeFileHandle Handle { get; }
    internal FileStatus Status { get; }
    internal DiskDirectory Directory { get; }

    /// <summary>
    /// A content that lies at a path below this root, of which a caller knows the size and perhaps the digest: nothing is opened
    /// or asked until its bytes are wanted. Asked for in canonical order it takes memory for the file's own name only.
    /// </summary>
    public DiskContent Content(TreePath path, long size, byte[]? sha256 = null)
    {
        DiskContent content = new(DirectoryOf(path), path.Name, size);
        if (sha256 is not null)
            content.SetDigest(sha256);
        return content;
    }

    internal bool IsSameAs(DiskRoot other) =>
        ReferenceEquals(this, other)
        || (Status.Inode, Status.DevMajor, Status.DevMinor) == (other.Status.Inode, other.Status.DevMajor, other.Status.DevMinor);

    /// <summary>The directory that holds a path; those on the way to the previous one asked for are the same objects.</summary>
    private DiskDirectory DirectoryOf(TreePath path)
    {
        lock (_lastChain)
        {
            int depth = path.Depth - 1, common = 0;
            while (common < depth && common + 1 < _lastChain.Count && _lastChain[common + 1].Name.Equals(path.Names[common]))
                common++;
            _lastChain.RemoveRange(common + 1, _lastChain.Count - common - 1);
            for (int i = common; i < depth; i++)
                _lastChain.Add(_lastChain[^1].Below(path.Names[i]));
            return _lastChain[^1];
        }
    }
}
