using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// The tree that a container works in: refused when it could lead an engine astray, and where it is changed in place, locked meanwhile
/// and afterwards freed of what the engine put there for itself: mount points, links such as lib → usr/lib, and the times of their folders.
/// What the command made is its own: a mount point that it put something into stays.
/// </summary>
internal sealed class ContainerTree : IDisposable
{
    /// <summary>
    /// Made as links where the image has none but has such a folder in usr: programs of a distribution name their loader by the short
    /// path, and an image may hold nothing but usr.
    /// </summary>
    public static IReadOnlyList<string> LinksIntoUsr { get; } = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

    private readonly SafeFileHandle _root;
    private readonly ContainerSpec _spec;
    private readonly IReadOnlyList<string> _emptyFiles;
    private readonly List<string> _absent = [];
    private readonly List<FolderState> _folders = [];

    private ContainerTree(SafeFileHandle root, ContainerSpec spec, IReadOnlyList<string> emptyFiles) =>
        (_root, _spec, _emptyFiles) = (root, spec, emptyFiles);

    /// <summary>Looks at the tree, and where it will be changed remembers how it is; null when it will not be.</summary>
    /// <param name="spec">Which tree, and how it is used.</param>
    /// <param name="realFolders">What must be a folder wherever it exists. The engine makes those that do not.</param>
    /// <param name="emptyFiles">Empty files that the engine makes.</param>
    /// <exception cref="ContainerException">No container can be started in it.</exception>
    public static ContainerTree? Open(ContainerSpec spec, IReadOnlyList<string> realFolders, params IReadOnlyList<string> emptyFiles)
    {
        ContainerTree tree = new(Directories.Open(spec.Root), spec, emptyFiles);
        try
        {
            foreach (string name in realFolders)
            {
                if (tree.Find(name) is { IsDirectory: false } found)
                    throw new ContainerException($"{spec.Root}: /{name} is {Describe(found)}, not a folder: no container can be started in it");
            }
            if (!spec.Ephemeral)
            {
                if (!Files.Lock(tree._root, exclusive: true, wait: false, spec.Root))
                    throw new ContainerException($"{spec.Root}: another container runs in it");
                tree.Record([.. realFolders, .. LinksIntoUsr, .. emptyFiles, .. spec.Binds.Select(bind => bind.Destination), .. spec.Overlays, .. spec.Tmpfs]);
                return tree;
            }
        }
        catch
        {
            tree.Dispose();
            throw;
        }
        tree.Dispose();
        return null;
    }

    /// <summary>Makes what is missing of a path, as the container would resolve it, for an engine that does not do so itself.</summary>
    public static void MakeMountPoint(SafeFileHandle root, string path, bool isFile)
    {
        string[] names = Names(path);
        for (int depth = 0; depth < names.Length; depth++)
        {
            using SafeFileHandle parent = Directories.OpenInRoot(root, PathText.ToBytes(depth == 0 ? "." : string.Join('/', names[..depth])), OpenFlags.ReadOnly | OpenFlags.Directory);
            try
            {
                if (isFile && depth == names.Length - 1)
                    Files.Open(parent, PathText.ToBytes(names[depth]), OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, 0x1A4 /* 0644 */).Dispose();
                else
                    Directories.Make(parent, PathText.ToBytes(names[depth]), 0x1ED /* 0755 */);
            }
            catch (PosixException e) when (e.Errno == Errno.EEXIST)
            {
            }
        }
    }

    /// <summary>Makes the given folders, and all mount points where <paramref name="all"/> says so, for such an engine.</summary>
    public void MakeMountPoints(IEnumerable<string> folders, bool all)
    {
        foreach (string path in all ? _absent.Except(LinksIntoUsr).Except(_emptyFiles) : folders)
        {
            ContainerBind? bind = _spec.Binds.FirstOrDefault(bind => string.Join('/', Names(bind.Destination)) == path);
            MakeMountPoint(_root, path, bind is not null && !Files.Status(bind.Source, followLinks: true).IsDirectory);
        }
    }

    /// <summary>Removes the litter. Only what was absent before and is still empty goes.</summary>
    public void Clean()
    {
        foreach (string path in Enumerable.Reverse(_absent))
        {
            if (OpenParent(path) is not { } parent)
                continue;
            using (parent)
                CleanOne(parent, path);
        }
        foreach (FolderState folder in _folders)
            folder.RestoreTime(OpenFolder(folder.Path));
    }

    public void Dispose()
    {
        // Said, not left to the close: a program that another thread is just starting has a copy of the descriptor for a moment.
        if (!_root.IsClosed && !_spec.Ephemeral)
            Files.Unlock(_root);
        _root.Dispose();
    }

    private static void CleanOne(SafeFileHandle parent, string path)
    {
        byte[] name = NameOf(path);
        try
        {
            FileStatus found = Files.Status(parent, name);
            if (found.IsDirectory)
                Files.Remove(parent, name, isDirectory: true);
            else if (found.IsSymlink ? LinksIntoUsr.Contains(path) && Files.ReadLink(parent, name).AsSpan().StartsWith("usr/"u8) : found is { IsRegular: true, Size: 0 })
                Files.Remove(parent, name);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTEMPTY or Errno.EROFS)
        {
            // Never made, in use by the image now, or a tree that nobody could have written to.
        }
    }

    private static string[] Names(string path) => [.. path.Split('/').Where(name => name is not ("" or "."))];

    // Notes which of the paths and of the folders above them are not there, parents before children.
    private void Record(IEnumerable<string> paths)
    {
        SortedSet<string> parents = new(StringComparer.Ordinal), absent = new(StringComparer.Ordinal);
        foreach (string path in paths)
        {
            string[] names = Names(path);
            for (int depth = 1; depth <= names.Length; depth++)
            {
                string step = string.Join('/', names[..depth]);
                if (Find(step) is not null)
                    continue;
                absent.Add(step);
                parents.Add(string.Join('/', names[..(depth - 1)]));
            }
        }
        _absent.AddRange(absent.OrderBy(path => path.Count(c => c == '/')));
        foreach (string parent in parents)
        {
            if (OpenFolder(parent) is { } folder)
                _folders.Add(FolderState.Of(parent, folder));
        }
    }

    private FileStatus? Find(string path)
    {
        using SafeFileHandle? parent = OpenParent(path);
        return parent is null ? null : Files.TryStatus(parent, NameOf(path));
    }

    private SafeFileHandle? OpenParent(string path) => OpenFolder(path.LastIndexOf('/') is var slash and > 0 ? path[..slash] : "");

    // As the container would resolve it: links in the image never lead out of it.
    private SafeFileHandle? OpenFolder(string path) =>
        Directories.TryOpenInRoot(_root, PathText.ToBytes(path), OpenFlags.ReadOnly | OpenFlags.Directory);

    private static byte[] NameOf(string path) => PathText.ToBytes(path[(path.LastIndexOf('/') + 1)..]);

    private static string Describe(FileStatus status) => status.Type switch
    {
        FileStatus.S_IFLNK => "a symbolic link",
        FileStatus.S_IFREG => "a regular file",
        FileStatus.S_IFIFO => "a fifo",
        FileStatus.S_IFSOCK => "a socket",
        _ => "a device",
    };

    /// <summary>A folder's entries and time, to see whether anything but our litter changed it.</summary>
    private sealed record FolderState(string Path, string Entries, FileStatus Status)
    {
        public static FolderState Of(string path, SafeFileHandle folder)
        {
            using (folder)
                return new FolderState(path, EntriesOf(folder), Files.Status(folder));
        }

        public void RestoreTime(SafeFileHandle? folder)
        {
            if (folder is null)
                return;
            using (folder)
            {
                FileStatus now = Files.Status(folder);
                bool isTouched = (now.ModificationSeconds, now.ModificationNanoseconds) != (Status.ModificationSeconds, Status.ModificationNanoseconds);
                if (isTouched && now.Inode == Status.Inode && EntriesOf(folder) == Entries)
                    Files.SetTimes(folder, Status.ModificationSeconds, Status.ModificationNanoseconds, Path);
            }
        }

        private static string EntriesOf(SafeFileHandle folder)
        {
            StringBuilder text = new();
            foreach ((byte[] name, _) in Directories.List(folder).OrderBy(entry => PathText.FromBytes(entry.Name), StringComparer.Ordinal))
                text.Append(Files.Status(folder, name).Inode).Append(' ').Append(PathText.FromBytes(name)).Append('/');
            return text.ToString();
        }
    }
}
