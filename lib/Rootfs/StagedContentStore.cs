using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>
/// Contents staged as numbered files in a hidden folder inside the directory that <see cref="RootfsWriter"/> will write, so that
/// they get to their places by rename, which works within one subvolume only. The folder is made with the first content and
/// removed on disposal, with all that was not moved out of it; neither shows in the directory's modification time. Small
/// contents stay in memory, up to a limit: writing them once at their place costs half of making and renaming a file.
/// </summary>
public sealed class StagedContentStore : ContentStore, IDisposable
{
    /// <summary>The folder's name in the target directory.</summary>
    public const string FolderName = ".layerbox-stage";

    private const int SmallSize = 16 * 1024;
    private const long MemoryLimit = 12 << 20;

    private readonly DiskRoot _root;
    private readonly string _folderName;
    private readonly Lock _lock = new();
    private DiskDirectory? _folder;
    private SafeFileHandle? _handle;
    private long _number;
    private long _inMemory;

    public StagedContentStore(string targetDirectory) : this(new DiskRoot(targetDirectory)) { }

    public StagedContentStore(DiskRoot target) : this(target, FolderName) { }

    internal StagedContentStore(DiskRoot target, string folderName)
    {
        _root = target;
        _folderName = folderName;
    }

    /// <exception cref="PosixException">The folder or a file cannot be made; EEXIST: another store is at work in this directory.</exception>
    public override ContentWriter Create(FileContent? initial = null)
    {
        lock (_lock)
        {
            if (_folder is null)
                MakeFolder();
        }
        return new StagedContentWriter(this, initial);
    }

    internal DiskRoot Target => _root;
    internal SafeFileHandle Handle => _handle!;
    internal DiskDirectory Folder => _folder!;

    /// <summary>Whether a content of this size need not get a file; if so it is counted.</summary>
    internal bool MayKeepInMemory(int size) => size <= SmallSize && Interlocked.Add(ref _inMemory, size) <= MemoryLimit;

    internal byte[] NextName() =>
        System.Text.Encoding.ASCII.GetBytes(Interlocked.Increment(ref _number).ToString(System.Globalization.CultureInfo.InvariantCulture));

    public void Dispose()
    {
        lock (_lock)
        {
            if (_folder is null)
                return;
            _handle!.Dispose();
            KeepingTime(() => Directories.RemoveAll(_root.Handle, _folder.NameBytes));
            _folder = null;
        }
    }

    private void MakeFolder()
    {
        byte[] name = PathText.ToBytes(_folderName);
        KeepingTime(() => Directories.Make(_root.Handle, name, 0x1C0 /* 0700 */));
        _handle = Directories.Open(_root.Handle, name);
        // What a setgid bit or default ACL of the target would put on the staged files is none of theirs.
        Files.SetMode(_handle, 0x1C0);
        Entry.RemoveInheritedAcls(new Entry(_handle), isDirectory: true);
        _folder = _root.Directory.Below(name);
    }

    private void KeepingTime(Action action)
    {
        FileStatus before = Files.Status(_root.Handle);
        try
        {
            action();
        }
        catch (PosixException e)
        {
            throw new PosixException(e.Call, e.Errno, _root.Directory.Describe(PathText.ToBytes(_folderName)));
        }
        Files.SetTimes(_root.Handle, before.ModificationSeconds, before.ModificationNanoseconds, _root.Path);
    }
}

/// <summary>A content that lies in a staging folder, and from <see cref="RootfsWriter"/>'s move on at its place in the tree.</summary>
public sealed class StagedContent : DiskContent
{
    private readonly StagedContentStore _store;

    internal StagedContent(StagedContentStore store, byte[] name, long size) : base(store.Folder, name, size)
    {
        _store = store;
        IsStaged = true;
    }

    /// <summary>Whether it still waits to be moved.</summary>
    public bool IsStaged { get; private set; }

    internal SafeFileHandle StageHandle => _store.Handle;

    internal void Settle(DiskDirectory directory, ReadOnlySpan<byte> name)
    {
        IsStaged = false;
        MoveTo(directory, name);
    }
}
