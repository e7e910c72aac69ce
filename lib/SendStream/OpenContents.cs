using System.Buffers;
using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// Contents that are written to a store as commands come. Kernels send inode by inode, so a few open writers are enough for each content to
/// be completed once; a file that is written again later starts over from a copy of what it has.
/// </summary>
internal sealed class OpenContents(ContentStore store) : ContentReceiver
{
    private const int MaxOpen = 16;

    private readonly List<(Inode File, ContentWriter Writer)> _open = []; // the last used one at the end

    public override long SizeOf(Inode file) => IndexOf(file) is var at and >= 0 ? _open[at].Writer.Size : file.Content!.Size;

    public override void Write(Inode file, long offset, SendCommand command) => WriterOf(file).Write(offset, command.Bytes(SendAttribute.Data));

    public override void WriteEncoded(Inode file, long offset, EncodedExtent extent, SendCommand command)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(extent.DecodedLength);
        try
        {
            ReadOnlySpan<byte> bytes = extent.Decode(command, buffer);
            if (!bytes.IsEmpty)
                WriterOf(file).Write(offset, bytes);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public override FileContent Unknown() => throw new NotSupportedException("a store takes bytes only");

    public override void Mark(Inode file, long offset, long length, SendCommand command) => throw new NotSupportedException("a store takes bytes only");

    public override void Copy(Inode source, long sourceOffset, long length, Inode file, long offset, SendCommand command)
    {
        if (IndexOf(source) is var at and >= 0)
            Complete(at);
        WriterOf(file).CopyFrom(source.Content!, sourceOffset, length, offset);
    }

    public override void SetSize(Inode file, long size, SendCommand command) => WriterOf(file).SetSize(size);

    public override void Clear(Inode file, long offset, long length, SendCommand command) => WriterOf(file).Clear(offset, length);

    public override void Complete()
    {
        while (_open.Count > 0)
            Complete(_open.Count - 1);
    }

    public override void Dispose()
    {
        foreach ((_, ContentWriter writer) in _open)
            writer.Dispose();
        _open.Clear();
    }

    private ContentWriter WriterOf(Inode file)
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
