using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Layer;

/// <summary>
/// A file or a folder of files on the host. Its digest covers names, kinds, contents, link targets and the owner's x bit:
/// what git keeps too. Owners, other mode bits, times and the order on disk do not count.
/// </summary>
public sealed class FileInput(string name, string hostPath, bool followLink, string place) : Input
{
    private Tree? _tree;

    public override string Name => name;
    public string HostPath => hostPath;

    /// <summary>The file or folder itself.</summary>
    public Inode Root => (_tree ??= new Tree(Read())).Root;

    /// <summary>The same as a tree, when it is a folder.</summary>
    public Tree Tree => Root.IsDirectory ? _tree! : throw new SpecificationException(place, $"'{name}' is no folder");

    public override long Size => new Tree(Root).Walk().Sum(entry => entry.Value.Content?.Size ?? 0);

    /// <summary>Whether the owner may execute it: the one bit of a mode that survives a checkout.</summary>
    public static bool IsProgram(Inode inode) => inode.Kind == FileKind.File && (inode.Mode & 0x40) != 0;

    /// <summary>A copy of just what the digest covers; all else is the same whatever the host has.</summary>
    /// <exception cref="InvalidDataException">There is something else than files, folders and links.</exception>
    public Inode Plain(Timestamp time) => Plain(Root, time, root: true);

    private Inode Plain(Inode inode, Timestamp time, bool root = false)
    {
        Inode plain = inode.Kind switch
        {
            FileKind.File => Inode.File(IsProgram(inode) ? InodeMode.Program : InodeMode.Data, inode.Content!),
            FileKind.Directory => Inode.Directory(InodeMode.Directory),
            FileKind.Symlink when !root => Inode.Symlink(inode.Target),
            _ => throw new InvalidDataException($"'{name}' is, or holds, a {InstallItem.Kind(inode)}; files and folders of files can be used"),
        };
        if (inode.IsDirectory)
            foreach ((FileName child, Inode below) in inode.Children)
                plain.Add(child, Plain(below, time));
        return plain.Owned(0, 0, time);
    }

    private Inode Read()
    {
        string path = followLink ? RealPath.Of(hostPath) : RealPath.Textually(hostPath);
        FileStatus status = Files.Status(path);
        if (status.IsDirectory)
            return RootfsReader.Read(path).Root;
        return status.Type switch
        {
            FileStatus.S_IFREG => Inode.File(status.Mode, DiskRoot.Shared(Path.GetDirectoryName(path)!).Content(TreePath.Parse(PathText.ToBytes(Path.GetFileName(path))), status.Size)),
            FileStatus.S_IFLNK => Inode.Symlink(Files.ReadLink(Directories.Current, PathText.ToBytes(path))),
            FileStatus.S_IFIFO => Inode.Fifo(status.Mode),
            FileStatus.S_IFSOCK => Inode.Socket(status.Mode),
            _ => Inode.Device(status.Type == FileStatus.S_IFBLK, status.Mode, status.RdevMajor, status.RdevMinor),
        };
    }

    protected override string ComputeDigest()
    {
        if (Root.Kind == FileKind.File)
            return $"sha256:{Convert.ToHexStringLower(Root.Content!.Digest)}{(IsProgram(Root) ? "+x" : "")}";
        if (!Root.IsDirectory)
            return $"{Root.Kind} {Convert.ToHexStringLower(Root.Target)}";
        ContentDigests.ComputeAll(Tree.Walk().Where(e => e.Value.Kind == FileKind.File).Select(e => e.Value.Content!));
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((TreePath path, Inode inode) in Tree.Walk())
        {
            byte[] bytes = path.ToBytes();
            hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{inode.Kind} {bytes.Length} {IsProgram(inode)} {inode.Target.Length}\n")));
            hash.AppendData(bytes);
            hash.AppendData(inode.Target);
            if (inode.Kind == FileKind.File)
                hash.AppendData(inode.Content!.Digest);
        }
        return $"tree-sha256:{Convert.ToHexStringLower(hash.GetHashAndReset())}";
    }
}
