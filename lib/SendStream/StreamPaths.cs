using Layerbox.FileTree;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>
/// Looks up the paths of commands in the tree that a stream is applied to. Paths are the sender's own: names from the root of the
/// subvolume joined by single slashes, nothing else; links are never followed. Streams speak of one path or folder many times in a
/// row, so the last ones are remembered.
/// </summary>
internal sealed class StreamPaths(Tree tree)
{
    private const int MaxShownLength = 120;

    private byte[] _folderPath = [];
    private Inode? _folder;
    private byte[] _path = [];
    private Inode? _inode;

    /// <summary>A path in quotes for messages, cut when it is very long.</summary>
    public static string Show(ReadOnlySpan<byte> path) =>
        path.Length <= MaxShownLength ? $"'{BytesText.Escape(path)}'" : $"'{BytesText.Escape(path[..MaxShownLength])}…' ({path.Length} bytes)";

    /// <summary>What is at a path; "" is the root.</summary>
    public Inode Find(SendCommand command, ReadOnlySpan<byte> path)
    {
        if (_inode is not null && path.SequenceEqual(_path))
            return _inode;
        Inode found = path.IsEmpty ? tree.Root : Existing(command, path).Inode;
        (_path, _inode) = (path.ToArray(), found);
        return found;
    }

    /// <summary>What is at a path that is not the root, and where its name stands.</summary>
    public (Inode Folder, FileName Name, Inode Inode) Existing(SendCommand command, ReadOnlySpan<byte> path)
    {
        (Inode folder, FileName name) = Place(command, path);
        return (folder, name, folder.Child(name) ?? throw command.Error(Fault.NotFound, $"{Show(path)}: no such file"));
    }

    /// <summary>Where a name that is not taken would stand.</summary>
    public (Inode Folder, FileName Name) Free(SendCommand command, ReadOnlySpan<byte> path)
    {
        (Inode folder, FileName name) = Place(command, path);
        return folder.Child(name) is null ? (folder, name) : throw command.Error(Fault.Exists, $"{Show(path)}: exists");
    }

    /// <summary>Where a name stands or would stand.</summary>
    public (Inode Folder, FileName Name) Place(SendCommand command, ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty)
            throw command.Error(Fault.PathIsRoot, "'' is the root of the subvolume, expected a path below it");
        if (path.Length > SendStreamFormat.MaxPathLength)
            throw command.Error(Fault.PathTooLong, $"{Show(path)}: a path has at most {SendStreamFormat.MaxPathLength} bytes");
        if (path[0] == '/')
            throw command.Error(Fault.PathAbsolute, $"{Show(path)}: an absolute path, expected one from the root of the subvolume");
        int slash = path.LastIndexOf((byte)'/');
        Inode folder = Folder(command, path, path[..Math.Max(slash, 0)]);
        return (folder, NameOf(command, path, path[(slash + 1)..]));
    }

    /// <summary>To be called when names change: what is remembered may be wrong then.</summary>
    public void Forget() => (_folder, _inode) = (null, null);

    private Inode Folder(SendCommand command, ReadOnlySpan<byte> path, ReadOnlySpan<byte> folderPath)
    {
        if (folderPath.IsEmpty)
            return tree.Root;
        if (_folder is not null && folderPath.SequenceEqual(_folderPath))
            return _folder;
        Inode at = tree.Root;
        int known = 0;
        if (_folder is not null && folderPath.Length > _folderPath.Length && folderPath.StartsWith(_folderPath) && folderPath[_folderPath.Length] == '/')
            (at, known) = (_folder, _folderPath.Length + 1);
        foreach (Range range in folderPath[known..].Split((byte)'/'))
        {
            ReadOnlySpan<byte> upToHere = folderPath[..(known + range.End.GetOffset(folderPath.Length))];
            at = at.Child(NameOf(command, path, folderPath[known..][range])) ?? throw command.Error(Fault.NotFound, $"{Show(path)}: no such directory: {Show(upToHere)}");
            if (!at.IsDirectory)
                throw command.Error(at.Kind == FileKind.Symlink ? Fault.ThroughSymlink : Fault.NotADirectory, $"{Show(path)}: {Show(upToHere)} is {Describe(at)}, expected a directory");
        }
        (_folderPath, _folder) = (folderPath.ToArray(), at);
        return at;
    }

    private static FileName NameOf(SendCommand command, ReadOnlySpan<byte> path, ReadOnlySpan<byte> name)
    {
        if (name.Length > FileName.MaxLength)
            throw command.Error(Fault.NameTooLong, $"{Show(path)}: a name of {name.Length} bytes, expected at most {FileName.MaxLength}");
        try
        {
            return new FileName(name.ToArray());
        }
        catch (InvalidDataException e)
        {
            throw command.Error(name.SequenceEqual("."u8) || name.SequenceEqual(".."u8) ? Fault.PathDots : Fault.PathInvalid, $"{Show(path)}: {e.Message}", e);
        }
    }

    public static string Describe(Inode inode) => inode.Kind switch
    {
        FileKind.Directory => "a directory",
        FileKind.File => "a regular file",
        FileKind.Symlink => "a symlink, which is not followed",
        FileKind.CharDevice or FileKind.BlockDevice => "a device",
        FileKind.Fifo => "a fifo",
        _ => "a socket",
    };
}
