using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// The tree that systemd-nspawn is let loose on: refused when it could lead nspawn astray, locked while a container runs in it, and
/// afterwards freed of what nspawn put there for itself: mount points, links such as lib → usr/lib, and the times of their folders.
/// What the command made is its own: a mount point that it put something into stays.
/// </summary>
internal sealed class NspawnTree : IDisposable
{
    // nspawn 252 makes its device nodes and mounts through a link here, wherever on the host that leads.
    private static readonly string[] RealFolders = ["dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var"];

    // Those of its base_filesystem_create(): made as links into usr when usr has such a folder.
    private static readonly string[] Links = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

    private static readonly string[] EmptyFiles = ["etc/machine-id", "etc/os-release", "etc/resolv.conf", "usr/lib/os-release"];

    private readonly SafeFileHandle _root;
    private readonly List<string> _absent = [];
    private readonly List<FolderState> _folders = [];

    public NspawnTree(ContainerSpec spec, string root)
    {
        _root = Directories.Open(root);
        try
        {
            if (!Files.Lock(_root, exclusive: true, wait: false, root))
                throw new ContainerException($"{spec.Root}: another container runs in it");
            foreach (string name in RealFolders)
            {
                if (Find(name) is { IsDirectory: false } found)
                    throw new ContainerException($"{spec.Root}: /{name} is {Describe(found)}, not a folder: no container can be started in it");
            }
            Record([.. RealFolders, .. Links, .. EmptyFiles, .. spec.Binds.Select(bind => bind.Destination), .. spec.Tmpfs]);
            // Without usr nspawn takes this for no system at all; and it makes no mount points in a root that is to be read-only.
            foreach (string path in spec.ReadOnly ? _absent : ["usr"])
                MakeMountPoint(path, spec);
        }
        catch
        {
            _root.Dispose();
            throw;
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

    public void Dispose() => _root.Dispose();

    private static void CleanOne(SafeFileHandle parent, string path)
    {
        byte[] name = NameOf(path);
        try
        {
            FileStatus found = Files.Status(parent, name);
            if (found.IsDirectory)
                Files.Remove(parent, name, isDirectory: true);
            else if (found.IsSymlink ? Links.Contains(path) && Files.ReadLink(parent, name).AsSpan().StartsWith("usr/"u8) : found is { IsRegular: true, Size: 0 })
                Files.Remove(parent, name);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTEMPTY or Errno.EROFS)
        {
            // Never made, in use by the image now, or a tree that nobody could have written to.
        }
    }

    private void MakeMountPoint(string path, ContainerSpec spec)
    {
        if (Find(path) is not null || Links.Contains(path) || EmptyFiles.Contains(path) || OpenParent(path) is not { } parent)
            return;
        using (parent)
        {
            ContainerBind? bind = spec.Binds.FirstOrDefault(bind => string.Join('/', Names(bind.Destination)) == path);
            if (bind is not null && !Files.Status(bind.Source, followLinks: true).IsDirectory)
                Files.Open(parent, NameOf(path), OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, 0x1A4 /* 0644 */).Dispose();
            else
                Directories.Make(parent, NameOf(path), 0x1ED /* 0755 */);
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
        try
        {
            return parent is null ? null : Files.Status(parent, NameOf(path));
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return null;
        }
    }

    private SafeFileHandle? OpenParent(string path) => OpenFolder(path.LastIndexOf('/') is var slash and > 0 ? path[..slash] : "");

    // As the container would resolve it: links in the image never lead out of it.
    private SafeFileHandle? OpenFolder(string path)
    {
        try
        {
            return Directories.OpenInRoot(_root, PathText.ToBytes(path), OpenFlags.ReadOnly | OpenFlags.Directory);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP)
        {
            return null;
        }
    }

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
