using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// The files of a tree whose bytes are being changed. Kernels send inode by inode, so a few open writers are enough for each content to be
/// completed once; a file that is written again later starts over from a copy of what it has.
/// </summary>
internal sealed class OpenContents(ContentStore store) : IDisposable
{
    private const int MaxOpen = 16;

    private readonly List<(Inode File, ContentWriter Writer)> _open = []; // the last used one at the end

    /// <summary>What a new file has.</summary>
    public static FileContent Nothing { get; } = new MemoryContent([]);

    /// <summary>The writer of a regular file's bytes, which are then those of the file so far.</summary>
    public ContentWriter WriterOf(Inode file)
    {
        int at = IndexOf(file);
        if (at == _open.Count - 1 && at >= 0)
            return _open[at].Writer;
        (Inode, ContentWriter Writer) entry;
        if (at >= 0)
        {
            entry = _open[at];
            _open.RemoveAt(at);
        }
        else
        {
            if (_open.Count == MaxOpen)
                Complete(0);
            entry = (file, store.Create(file.Content is { Size: > 0 } content ? content : null));
        }
        _open.Add(entry);
        return entry.Writer;
    }

    public long SizeOf(Inode file) => IndexOf(file) is var at and >= 0 ? _open[at].Writer.Size : file.Content!.Size;

    /// <summary>The bytes of a regular file as they are now.</summary>
    public FileContent ContentOf(Inode file)
    {
        if (IndexOf(file) is var at and >= 0)
            Complete(at);
        return file.Content!;
    }

    public void CompleteAll()
    {
        while (_open.Count > 0)
            Complete(_open.Count - 1);
    }

    /// <summary>Gives up what is not complete.</summary>
    public void Dispose()
    {
        foreach ((_, ContentWriter writer) in _open)
            writer.Dispose();
        _open.Clear();
    }

    private void Complete(int at)
    {
        (Inode file, ContentWriter writer) = _open[at];
        _open.RemoveAt(at);
        using (writer)
            if (file.Links > 0) // else it was unlinked, and nobody will ask for it
                file.Content = writer.Complete();
    }

    private int IndexOf(Inode file)
    {
        for (int at = _open.Count - 1; at >= 0; at--)
            if (ReferenceEquals(_open[at].File, file))
                return at;
        return -1;
    }
}
