using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>Contents by reference: where in the input the bytes of files are. Nothing of the data is kept.</summary>
internal sealed class StreamContents(SendStreamLimits limits) : ContentReceiver
{
    private readonly Dictionary<FileContent, ForeignContent> _foreign = new(ReferenceEqualityComparer.Instance);
    private readonly List<Run> _runs = [];
    private ContentOwner _owner = new(limits);
    private WrittenBytes _written = new(null);
    private StreamBytes? _bytes;
    private long _copied;

    /// <summary>Whether data is shared by any files.</summary>
    public bool HasClones { get; private set; }

    /// <summary>To be called before each input: what the commands to come refer to; null when the input cannot be read again.</summary>
    public void Begin(StreamBytes? bytes) => (_bytes, _written) = (bytes, new WrittenBytes(bytes));

    public override FileContent Unknown() => new ReceivedContent(_owner, new UnknownBytes("the file's content is not known: the subvolume that the stream builds upon was not given", isOfAbsent: true));

    public override long SizeOf(Inode file) => file.Content is ReceivedContent { IsSizeKnown: false } ? long.MaxValue : file.Content!.Size;

    public override void Write(Inode file, long offset, SendCommand command) =>
        Editable(file, command).Put(offset, command.Bytes(A.Data).Length, _written, command.OffsetOf(A.Data));

    public override void WriteEncoded(Inode file, long offset, EncodedExtent extent, SendCommand command)
    {
        if (extent.Used > 0)
            Editable(file, command).Put(offset, extent.Used, new EncodedWrite(_bytes, command, extent), extent.Skipped);
    }

    public override void Mark(Inode file, long offset, long length, SendCommand command) =>
        Editable(file, command).Put(offset, length, new UnknownBytes("the file's content is not known: the stream was made without data (send --no-data)"), 0);

    public override void Copy(Inode source, long sourceOffset, long length, Inode file, long offset, SendCommand command)
    {
        HasClones = true;
        ReceivedContent target = Editable(file, command);
        _runs.Clear();
        if (source.Content is ReceivedContent content)
            content.CopyRuns(_runs, sourceOffset, length);
        else
            AddForeign(source.Content!, sourceOffset, length);
        Count(_runs.Count, command);
        PutAll(target, sourceOffset, length, offset);
    }

    public override void SetSize(Inode file, long size, SendCommand command) => Editable(file, command).SetSize(size);

    public override void Clear(Inode file, long offset, long length, SendCommand command) => Editable(file, command).Put(offset, length, new Hole(), 0);

    public override void Complete() => _owner = new ContentOwner(limits);

    public override void Dispose() { } // what is not complete belongs to no tree

    /// <summary>Where a content's bytes are, whoever brought it.</summary>
    public IEnumerable<StreamExtent> PartsOf(FileContent content) => content switch
    {
        ReceivedContent received => received.Parts,
        { Size: > 0 } => [new StreamExtent(0, content.Size, ForeignOf(content), 0)],
        _ => [],
    };

    private ReceivedContent Editable(Inode file, SendCommand command)
    {
        if (file.Content is ReceivedContent content && content.Owner == _owner)
            return content;
        ReceivedContent own;
        if (file.Content is ReceivedContent received)
        {
            Count(received.RunCount, command);
            own = received.Copy(_owner);
        }
        else
        {
            own = new ReceivedContent(_owner);
            _runs.Clear();
            AddForeign(file.Content!, 0, file.Content!.Size);
            PutAll(own, 0, file.Content.Size, 0);
        }
        file.Content = own;
        return own;
    }

    private void PutAll(ReceivedContent content, long sourceOffset, long length, long offset)
    {
        for (int i = 0; i < _runs.Count; i++)
        {
            long start = Math.Max(_runs[i].Start, sourceOffset), end = i + 1 < _runs.Count ? _runs[i + 1].Start : sourceOffset + length;
            content.Put(offset + (start - sourceOffset), end - start, _runs[i].Source, _runs[i].SourceOffsetAt(start));
        }
    }

    private void AddForeign(FileContent content, long offset, long length)
    {
        if (length == 0)
            return;
        foreach (Extent extent in content.Extents)
            if (extent.Offset < offset + length && extent.Offset + extent.Length > offset)
                _runs.Add(extent.IsHole ? new Run(extent.Offset, new Hole(), 0) : new Run(extent.Offset, ForeignOf(content), extent.Offset));
    }

    private ForeignContent ForeignOf(FileContent content)
    {
        if (!_foreign.TryGetValue(content, out ForeignContent? foreign))
            _foreign.Add(content, foreign = new ForeignContent(content));
        return foreign;
    }

    private void Count(int runs, SendCommand command)
    {
        _copied += runs;
        if (_copied > limits.MaxCopiedRuns)
            throw command.Error(SendStreamFault.TooManyRuns, $"clones and snapshots have copied more than {limits.MaxCopiedRuns} runs of data: clones of clones?");
    }
}
