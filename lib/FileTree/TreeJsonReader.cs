using System.Text.Json;
using System.Text.Unicode;

namespace Layerbox.FileTree;

/// <summary>
/// Builds a tree from its JSON lines. Each compile begins with this, so it walks the bytes once: a line's parent is the
/// directory that was entered last or one above it, and nothing is allocated but what stays in the tree.
/// </summary>
internal sealed class TreeJsonReader(Func<TreePath, JsonFacts, FileContent> content, int firstLine)
{
    /// <summary>The directories from the root to the one entered last, and the bytes of the latter's path.</summary>
    private readonly Stack<OpenDirectory> _open = new();
    private byte[] _path = new byte[256];

    private readonly NoteTable _notes = new();
    private Tree? _tree;

    /// <exception cref="InvalidDataException">Malformed; the message begins with the line's number.</exception>
    public Tree Read(ReadOnlySpan<byte> lines)
    {
        int number = firstLine;
        try
        {
            for (; !lines.IsEmpty; number++)
            {
                int end = lines.IndexOf((byte)'\n');
                ReadOnlySpan<byte> line = end < 0 ? lines : lines[..end];
                lines = end < 0 ? [] : lines[(end + 1)..];
                Add(line);
            }
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"line {number}: no JSON object at byte {e.BytePositionInLine}", e);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"line {number}: {e.Message}", e);
        }
        return _tree ?? throw new InvalidDataException($"line {number}: the root is missing");
    }

    private void Add(ReadOnlySpan<byte> text)
    {
        if (!Utf8.IsValid(text))
            throw new InvalidDataException("the bytes are not UTF-8");
        TreeJsonLine line = TreeJsonLine.Parse(text, _notes);
        if (line.Path.IsEmpty)
        {
            AddRoot(line);
            return;
        }
        OpenDirectory parent = Enter(line.Path);
        FileName name = new(line.Path[(parent.PathLength == 0 ? 0 : parent.PathLength + 1)..].ToArray());
        Inode inode = line.IsLink ? FindLinked(line.Link) : line.ToInode(content, parent.Path, name);
        if (!parent.Inode.TryAppend(name, inode))
            throw new InvalidDataException($"'{BytesText.Escape(line.Path)}' is out of order or given twice");
        if (inode.IsDirectory)
            Push(inode, parent.Path.Append(name), line.Path);
    }

    private void AddRoot(TreeJsonLine line)
    {
        if (_tree is not null)
            throw new InvalidDataException("the root is given twice");
        if (line.IsLink || line.Kind != FileKind.Directory)
            throw new InvalidDataException("the root is not a directory");
        _tree = new Tree(line.ToInode(content, TreePath.Root, default));
        Push(_tree.Root, TreePath.Root, []);
    }

    /// <summary>Leaves directories until the one is reached that the path lies in.</summary>
    private OpenDirectory Enter(ReadOnlySpan<byte> path)
    {
        if (_tree is null)
            throw new InvalidDataException($"'{BytesText.Escape(path)}' stands before the root");
        int length = Math.Max(path.LastIndexOf((byte)'/'), 0);
        while (_open.Peek().PathLength > length)
            _open.Pop();
        OpenDirectory parent = _open.Peek();
        if (parent.PathLength != length || !path[..length].SequenceEqual(_path.AsSpan(0, length)))
            throw new InvalidDataException($"'{BytesText.Escape(path)}' does not follow its directory");
        return parent;
    }

    private void Push(Inode directory, TreePath path, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > _path.Length)
            Array.Resize(ref _path, 2 * bytes.Length);
        bytes.CopyTo(_path);
        _open.Push(new OpenDirectory(directory, path, bytes.Length));
    }

    private Inode FindLinked(ReadOnlySpan<byte> path)
    {
        Inode? inode = _tree!.Find(TreePath.Parse(path));
        return inode is { IsDirectory: false } ? inode
            : throw new InvalidDataException($"link '{BytesText.Escape(path)}' is not the path of a file that stands before");
    }

    private readonly record struct OpenDirectory(Inode Inode, TreePath Path, int PathLength);
}
