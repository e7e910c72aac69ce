using Layerbox.FileTree;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>
/// Looks up the paths of commands in the tree that a stream is applied to. Paths are the sender's own: names from the root of the
/// subvolume joined by single slashes, nothing else; links are never followed. Streams speak of one path or folder many times in a
/// row, so the last ones are remembered.
/// </summary>
/// <param name="tree">Where paths are looked up.</param>
/// <param name="placeholders">What an absent subvolume may have had; null when the whole tree is known.</param>
internal sealed class StreamPaths(Tree tree, Placeholders? placeholders = null)
{
    private const int MaxShownLength = 120;

    private Remembered _folder, _last;

    /// <summary>A path in quotes for messages, cut when it is very long.</summary>
    public static string Show(ReadOnlySpan<byte> path) =>
        path.Length <= MaxShownLength ? $"'{BytesText.Escape(path)}'" : $"'{BytesText.Escape(path[..MaxShownLength])}…' ({path.Length} bytes)";

    /// <summary>What is at a path; "" is the root.</summary>
    public Inode Find(SendCommand command, ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty)
            return tree.Root;
        if (_last.Is(path))
            return _last.Inode!;
        if (_folder.Is(path))
            return _folder.Inode!;
        Inode found = Existing(command, path).Inode;
        _last.Set(path, found);
        return found;
    }

    /// <summary>What is at a path that is not the root, and in which folder.</summary>
    public (Inode Folder, Inode Inode) Existing(SendCommand command, ReadOnlySpan<byte> path)
    {
        (Inode folder, int name) = Place(command, path);
        if (Child(folder, path[name..]) is { } child)
            return (folder, child);
        NameOf(command, path, path[name..]); // one that is impossible is told so
        throw command.Error(Fault.NotFound, $"{Show(path)}: no such file");
    }

    /// <summary>Where a name stands or would stand, and where in the path it begins.</summary>
    public (Inode Folder, int Name) Place(SendCommand command, ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty)
            throw command.Error(Fault.PathIsRoot, "'' is the root of the subvolume, expected a path below it");
        if (path.Length > SendStreamFormat.MaxPathLength)
            throw command.Error(Fault.PathTooLong, $"{Show(path)}: a path has at most {SendStreamFormat.MaxPathLength} bytes");
        if (path[0] == '/')
            throw command.Error(Fault.PathAbsolute, $"{Show(path)}: an absolute path, expected one from the root of the subvolume");
        int slash = path.LastIndexOf((byte)'/');
        return (Folder(command, path, path[..Math.Max(slash, 0)]), slash + 1);
    }

    /// <summary>Puts an inode at a path where nothing is.</summary>
    public void Add(SendCommand command, ReadOnlySpan<byte> path, Inode inode)
    {
        (Inode folder, int at) = Place(command, path);
        FileName name = NameOf(command, path, path[at..]);
        if (folder.Child(name) is not null)
            throw command.Error(Fault.Exists, $"{Show(path)}: exists");
        Add(folder, name, path, inode);
    }

    /// <summary>The same where the path was looked up before.</summary>
    public void Add(Inode folder, FileName name, ReadOnlySpan<byte> path, Inode inode)
    {
        folder.Add(name, inode);
        placeholders?.Settle(folder, name);
        _last.Set(path, inode);
    }

    /// <summary>Takes a name away that is there.</summary>
    public void Remove(Inode folder, ReadOnlySpan<byte> name, Inode inode)
    {
        folder.Remove(name);
        _last.Forget();
        if (inode.IsDirectory)
            _folder.Forget();
    }

    private Inode Folder(SendCommand command, ReadOnlySpan<byte> path, ReadOnlySpan<byte> folderPath)
    {
        if (folderPath.IsEmpty)
            return tree.Root;
        if (_folder.Is(folderPath))
            return _folder.Inode!;
        Inode at = tree.Root;
        int start = 0;
        if (_folder.IsAbove(folderPath))
            (at, start) = (_folder.Inode!, _folder.Length + 1);
        while (start <= folderPath.Length)
        {
            int length = folderPath[start..].IndexOf((byte)'/');
            int end = length < 0 ? folderPath.Length : start + length;
            ReadOnlySpan<byte> name = folderPath[start..end];
            Inode? child = Child(at, name);
            if (child is null)
                throw Missing(command, path, folderPath[..end]);
            if (!child.IsDirectory)
                child = placeholders?.AsDirectory(at, name, child) ?? child;
            at = child.IsDirectory ? child : throw command.Error(
                child.Kind == FileKind.Symlink ? Fault.ThroughSymlink : Fault.NotADirectory, $"{Show(path)}: {Show(folderPath[..end])} is {Describe(child)}, expected a directory");
            start = end + 1;
        }
        _folder.Set(folderPath, at);
        return at;
    }

    private Inode? Child(Inode folder, ReadOnlySpan<byte> name) => folder.Child(name) ?? placeholders?.Discover(folder, name);

    // What is no path at all is said to be that, whether or not its beginning is there.
    private static SendStreamException Missing(SendCommand command, ReadOnlySpan<byte> path, ReadOnlySpan<byte> folder)
    {
        foreach (Range range in path.Split((byte)'/'))
            NameOf(command, path, path[range]);
        return command.Error(Fault.NotFound, $"{Show(path)}: no such directory: {Show(folder)}");
    }

    public static FileName NameOf(SendCommand command, ReadOnlySpan<byte> path, ReadOnlySpan<byte> name)
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

    /// <summary>A path and what is there; the bytes are kept in one place, whatever the number of paths.</summary>
    private struct Remembered
    {
        private byte[]? _path;

        public Inode? Inode { get; private set; }

        public int Length { get; private set; }

        public readonly bool Is(ReadOnlySpan<byte> path) => Inode is not null && path.SequenceEqual(_path.AsSpan(0, Length));

        public readonly bool IsAbove(ReadOnlySpan<byte> path) =>
            Inode is not null && path.Length > Length && path[Length] == '/' && path.StartsWith(_path.AsSpan(0, Length));

        public void Forget() => Inode = null;

        public void Set(ReadOnlySpan<byte> path, Inode inode)
        {
            if (_path is null || _path.Length < path.Length)
                _path = new byte[Math.Max(path.Length, 256)];
            path.CopyTo(_path);
            (Inode, Length) = (inode, path.Length);
        }
    }
}
