using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Layer;

/// <summary>Programs of a layer.</summary>
internal sealed class TreeProgramSource(Tree tree) : ProgramSource
{
    public override Inode? Follow(TreePath path, out TreePath real, List<TreePath> links)
    {
        real = tree.Resolve(path, followLast: true, links.Add);
        return tree.Find(real);
    }

    public override Inode? At(TreePath path) => tree.Find(path);
    public override IEnumerable<FileName> Names(TreePath directory) => tree.Find(tree.Resolve(directory, followLast: true))?.Children.Select(c => c.Key) ?? [];
}

/// <summary>Programs below a folder of the host, which is their root. Only what is asked for is looked at.</summary>
internal sealed class HostProgramSource(string root) : ProgramSource
{
    private readonly DiskRoot _root = new(root);
    private readonly Tree _known = new();
    private readonly HashSet<TreePath> _looked = [TreePath.Root];

    public override Inode? Follow(TreePath path, out TreePath real, List<TreePath> links)
    {
        // Each round looks at what the links known so far lead to, until nothing new turns up.
        while (true)
        {
            real = _known.Resolve(path, followLast: true);
            TreePath at = TreePath.Root;
            bool news = false;
            foreach (FileName name in real.Names)
            {
                at = at.Append(name);
                if (_looked.Add(at))
                {
                    Look(at);
                    news = true;
                    break;
                }
            }
            if (!news)
                break;
        }
        real = _known.Resolve(path, followLast: true, links.Add);
        return _known.Find(real);
    }

    public override Inode? At(TreePath path) => _known.Find(path);

    public override IEnumerable<FileName> Names(TreePath directory)
    {
        if (Follow(directory, out TreePath real, []) is not { IsDirectory: true })
            return [];
        using var handle = Directories.Open(HostPath(real));
        return [.. Directories.List(handle).Select(e => new FileName(e.Name))];
    }

    private void Look(TreePath path)
    {
        if (_known.Find(path.Parent) is not { IsDirectory: true } parent)
            return;
        FileStatus status;
        try
        {
            status = Files.Status(HostPath(path));
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return;
        }
        Inode? inode = status.Type switch
        {
            FileStatus.S_IFDIR => Inode.Directory(status.Mode),
            FileStatus.S_IFLNK => Inode.Symlink(Files.ReadLink(Directories.Current, PathText.ToBytes(HostPath(path)))),
            FileStatus.S_IFREG => Inode.File(status.Mode, _root.Content(path, status.Size)),
            _ => null,
        };
        if (inode is not null)
            parent.Add(path.Name, inode);
    }

    private string HostPath(TreePath path) => Path.Combine(root, PathText.FromBytes(path.ToBytes()));
}
