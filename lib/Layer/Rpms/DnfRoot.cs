using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer.Rpms;

/// <summary>
/// What scriptlets need to find in the image they run in, while they do: a few devices and /proc. Devices are mounted file by file, so that a package that brings the
/// folder /dev finds a folder of the image; /proc is covered, and gets afterwards what the package that owns it says.
/// </summary>
internal sealed class DnfRoot : IDisposable
{
    private static readonly string[] Devices = ["null", "zero", "full", "random", "urandom", "tty"];

    private readonly SafeFileHandle _root;
    private readonly string _path;
    private readonly FileStatus? _oldDev, _oldProc;
    private readonly List<byte[]> _madeNodes = [];
    private bool _isDone;

    /// <param name="path">The image, of which nobody else knows.</param>
    /// <exception cref="LayerException">/dev or /proc are something else than folders.</exception>
    public DnfRoot(string path)
    {
        _path = path;
        _root = Directories.Open(path);
        _oldDev = FindOrMake("dev");
        _oldProc = FindOrMake("proc");
        using SafeFileHandle dev = Directories.Open(_root, "dev"u8);
        List<ContainerBind> binds = [new ContainerBind("/proc", $"{DnfRequest.Root}/proc", ReadOnly: false) { IsInner = true }];
        foreach (string name in Devices)
        {
            byte[] bytes = PathText.ToBytes(name);
            if (Files.TryStatus(dev, bytes) is not { } node)
            {
                Files.Open(dev, bytes, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow, 0x1A4 /* 0644 */).Dispose();
                _madeNodes.Add(bytes);
            }
            else if (node.IsDirectory || node.Type == FileStatus.S_IFLNK)
                continue;
            binds.Add(new ContainerBind($"/dev/{name}", $"{DnfRequest.Root}/dev/{name}", ReadOnly: false) { IsInner = true });
        }
        Binds = binds;
    }

    public IReadOnlyList<ContainerBind> Binds { get; }

    /// <summary>Takes the mount points away again, but for what a package has brought.</summary>
    /// <param name="owned">The folders and files of packages, by their absolute paths.</param>
    public void Finish(Func<string, RpmPath?> owned)
    {
        _isDone = true;
        using (SafeFileHandle dev = Directories.Open(_root, "dev"u8))
        {
            foreach (byte[] name in _madeNodes)
                if (Files.TryStatus(dev, name) is { IsRegular: true, Size: 0 })
                    Files.Remove(dev, name);
        }
        Settle("dev", _oldDev, owned("/dev"));
        Settle("proc", _oldProc, owned("/proc"));
    }

    public void Dispose()
    {
        if (!_isDone)
            Finish(_ => null);
        _root.Dispose();
    }

    private FileStatus? FindOrMake(string name)
    {
        byte[] bytes = PathText.ToBytes(name);
        if (Files.TryStatus(_root, bytes) is { } found)
            return found.IsDirectory ? found : throw new LayerException($"{_path}: /{name} is not a folder: no package can be installed");
        Directories.Make(_root, bytes, InodeMode.Directory);
        return null;
    }

    private void Settle(string name, FileStatus? old, RpmPath? owner)
    {
        byte[] bytes = PathText.ToBytes(name);
        using SafeFileHandle folder = Directories.Open(_root, bytes);
        if (owner is { } said)
        {
            Files.SetMode(folder, said.Mode & InodeMode.All);
            Files.SetTimes(folder, said.Time, 0);
        }
        else if (old is { } was)
            Files.SetTimes(folder, was.ModificationSeconds, was.ModificationNanoseconds);
        else if (Directories.List(folder).Count == 0)
            Files.Remove(_root, bytes, isDirectory: true);
    }
}
