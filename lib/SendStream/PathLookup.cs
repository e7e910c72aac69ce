using Layerbox.FileTree;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>
/// Looks up the paths of commands in the state that a stream is applied to. Paths are the sender's own: names from the root of the
/// subvolume joined by single slashes, nothing else; links are never followed. Streams speak of one path or folder many times in a
/// row, so the last ones are remembered.
/// </summary>
/// <param name="state">Where paths are looked up.</param>
internal sealed class PathLookup<TNode>(SubvolumeState<TNode> state) where TNode : notnull
{
    private Remembered _folder, _last;

    /// <summary>What is at a path; "" is the root.</summary>
    public TNode Find(SendCommand command, ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty)
            return state.Root;
        if (_last.Is(path))
            return _last.Node;
        if (_folder.Is(path))
            return _folder.Node;
        TNode found = Existing(command, path).Node;
        _last.Set(path, found);
        return found;
    }

    /// <summary>What is at a path that is not the root, and in which folder.</summary>
    public (TNode Folder, TNode Node) Existing(SendCommand command, ReadOnlySpan<byte> path)
    {
        (TNode folder, int name) = Place(command, path);
        if (TryChild(folder, path[name..], out TNode child))
            return (folder, child);
        StreamPaths.CheckName(command, path, path[name..]); // one that is impossible is told so
        throw command.Error(Fault.NotFound, $"{Show(path)}: no such file");
    }

    /// <summary>Where a name stands or would stand, and where in the path it begins.</summary>
    public (TNode Folder, int Name) Place(SendCommand command, ReadOnlySpan<byte> path)
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

    /// <summary>The same for a name that is possible and not taken.</summary>
    public (TNode Folder, int Name) FreePlace(SendCommand command, ReadOnlySpan<byte> path)
    {
        (TNode folder, int name) = Place(command, path);
        StreamPaths.CheckName(command, path, path[name..]);
        return state.TryFind(folder, path[name..], out _) ? throw command.Error(Fault.Exists, $"{Show(path)}: exists") : (folder, name);
    }

    /// <summary>Gives a name where nothing is.</summary>
    /// <param name="folder">The folder, which was looked up.</param>
    /// <param name="name">Where in the path the name begins.</param>
    /// <param name="path">The whole path.</param>
    /// <param name="node">What is given the name.</param>
    public void Add(TNode folder, int name, ReadOnlySpan<byte> path, TNode node)
    {
        state.Add(folder, path[name..], node);
        _last.Set(path, node);
    }

    /// <summary>Takes a name away that is there.</summary>
    public void Remove(TNode folder, ReadOnlySpan<byte> name, TNode node)
    {
        state.Remove(folder, name, node);
        _last.Forget();
        if (state.KindOf(node) == FileKind.Directory)
            _folder.Forget();
    }

    private TNode Folder(SendCommand command, ReadOnlySpan<byte> path, ReadOnlySpan<byte> folderPath)
    {
        if (folderPath.IsEmpty)
            return state.Root;
        if (_folder.Is(folderPath))
            return _folder.Node;
        TNode at = state.Root;
        int start = 0;
        if (_folder.IsAbove(folderPath))
            (at, start) = (_folder.Node, _folder.Length + 1);
        while (start <= folderPath.Length)
        {
            int length = folderPath[start..].IndexOf((byte)'/');
            int end = length < 0 ? folderPath.Length : start + length;
            ReadOnlySpan<byte> name = folderPath[start..end];
            if (!TryChild(at, name, out TNode child))
                throw Missing(command, path, folderPath[..end]);
            if (state.KindOf(child) != FileKind.Directory)
            {
                child = state.AsDirectory(at, name, child);
                _last.Forget(); // that may have been what stood for it before
            }
            if (state.KindOf(child) is not FileKind.Directory and var kind)
                throw command.Error(kind == FileKind.Symlink ? Fault.ThroughSymlink : Fault.NotADirectory, $"{Show(path)}: {Show(folderPath[..end])} is {StreamPaths.Describe(kind)}, expected a directory");
            at = child;
            start = end + 1;
        }
        _folder.Set(folderPath, at);
        return at;
    }

    private bool TryChild(TNode folder, ReadOnlySpan<byte> name, out TNode child) => state.TryFind(folder, name, out child) || state.TryDiscover(folder, name, out child);

    private static string Show(ReadOnlySpan<byte> path) => StreamPaths.Show(path);

    // What is no path at all is said to be that, whether or not its beginning is there.
    private static SendStreamException Missing(SendCommand command, ReadOnlySpan<byte> path, ReadOnlySpan<byte> folder)
    {
        foreach (Range range in path.Split((byte)'/'))
            StreamPaths.CheckName(command, path, path[range]);
        return command.Error(Fault.NotFound, $"{Show(path)}: no such directory: {Show(folder)}");
    }

    /// <summary>A path and what is there; the bytes are kept in one place, whatever the number of paths.</summary>
    private struct Remembered
    {
        private byte[]? _path;

        private bool _isSet;

        public TNode Node { get; private set; }

        public int Length { get; private set; }

        public readonly bool Is(ReadOnlySpan<byte> path) => _isSet && path.SequenceEqual(_path.AsSpan(0, Length));

        public readonly bool IsAbove(ReadOnlySpan<byte> path) =>
            _isSet && path.Length > Length && path[Length] == '/' && path.StartsWith(_path.AsSpan(0, Length));

        public void Forget() => _isSet = false;

        public void Set(ReadOnlySpan<byte> path, TNode node)
        {
            if (_path is null || _path.Length < path.Length)
                _path = new byte[Math.Max(path.Length * 2, 256)]; // not anew for each level of a deep tree
            path.CopyTo(_path);
            (Node, Length, _isSet) = (node, path.Length, true);
        }
    }
}
