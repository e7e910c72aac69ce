using Layerbox.FileTree;
using static Layerbox.SendStream.FallocateModes;
using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

internal sealed partial class StreamReceiver<TNode>
{
    private (Guid Uuid, SubvolumeState<TNode>? State, PathLookup<TNode>? Paths) _cloneSource;

    private void Write(SendCommand command)
    {
        TNode file = TargetFile(command);
        ReadOnlySpan<byte> data = command.Bytes(A.Data);
        long offset = Range(command, A.FileOffset, (ulong)data.Length);
        if (!data.IsEmpty)
            State.Write(file, offset, command);
    }

    private void Mark(SendCommand command)
    {
        if (!_set.AllowNoData)
            throw command.Error(Fault.NoData, $"{Show(command)}: the stream was made without data (send --no-data)");
        TNode file = TargetFile(command);
        ulong length = command.UInt64(A.Size);
        State.Mark(file, Range(command, A.FileOffset, length), (long)length, command);
    }

    private void WriteEncoded(SendCommand command)
    {
        TNode file = TargetFile(command);
        EncodedExtent extent = EncodedExtent.Of(command, _set.Limits);
        State.WriteEncoded(file, Range(command, A.FileOffset, (ulong)extent.Used), extent, command);
    }

    private void Clone(SendCommand command)
    {
        TNode file = TargetFile(command);
        ulong length = command.UInt64(A.CloneLength);
        long offset = Range(command, A.FileOffset, length), sourceOffset = Range(command, A.CloneOffset, length);
        Guid uuid = command.Uuid(A.CloneUuid);
        ReadOnlySpan<byte> path = command.Bytes(A.ClonePath);
        (SubvolumeState<TNode> state, PathLookup<TNode> paths) = uuid == _uuid ? (State, Paths) : CloneSource(uuid) ?? throw command.Error(Fault.CloneSourceUnknown, $"{Show(command)}: the clone's source, subvolume {uuid}, is not known");
        TNode source = paths.Find(command, path);
        if (ReferenceEquals(state, State))
            State.Note(source, TreeAspects.Kind);
        if (state.KindOf(source) is not FileKind.File and var kind)
            throw command.Error(Fault.NotAFile, $"{Show(command, A.ClonePath)} is {StreamPaths.Describe(kind)}, expected a regular file");
        long size = state.SizeOf(source);
        if (length == 0 || sourceOffset + (long)length > size)
            throw command.Error(Fault.CloneRange, $"{Show(command, A.ClonePath)}: a clone of {length} bytes from {sourceOffset} on, of a file of {size}");
        if (ReferenceEquals(state, State) && EqualityComparer<TNode>.Default.Equals(source, file) && Math.Abs(offset - sourceOffset) < (long)length)
            throw command.Error(Fault.CloneOverlap, $"{Show(command)}: a clone of {length} bytes from {sourceOffset} to {offset} overlaps itself");
        State.Copy(source, sourceOffset, (long)length, file, offset, command);
    }

    // Many clones in a row are from one subvolume, and mostly from one file of it.
    private (SubvolumeState<TNode> State, PathLookup<TNode> Paths)? CloneSource(Guid uuid)
    {
        if (_cloneSource.Uuid != uuid || _cloneSource.State is null)
            _cloneSource = _set.CloneSource(uuid) is { } state ? (uuid, state, new PathLookup<TNode>(state)) : default;
        return _cloneSource.State is null ? null : (_cloneSource.State, _cloneSource.Paths!);
    }

    private void Truncate(SendCommand command)
    {
        TNode file = TargetFile(command);
        long size = Range(command, A.Size, length: 0);
        if (size != State.SizeOf(file))
            State.SetSize(file, size, command);
    }

    // Linux 6.18 sends only mode 3, a punched hole; receivers pass any mode to fallocate(2). The others here are what it means
    // to the content; preallocation as such is not part of the state.
    private void Fallocate(SendCommand command)
    {
        TNode file = TargetFile(command);
        uint mode = command.UInt32(A.FallocateMode);
        ulong length = command.UInt64(A.Size);
        long offset = Range(command, A.FileOffset, length), end = offset + (long)length, size = State.SizeOf(file);
        if (mode is not (0 or FALLOC_FL_KEEP_SIZE or (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
            or FALLOC_FL_ZERO_RANGE or (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)))
            throw command.Error(Fault.FallocateModeUnknown, $"{Show(command)}: fallocate mode {mode} is not known");
        if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0 && offset < size && length > 0)
            State.Clear(file, offset, Math.Min(end, size) - offset, command);
        if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && end > size)
            State.SetSize(file, end, command);
    }

    /// <summary>The start of a range of a file, checked to end where a file may end.</summary>
    private static long Range(SendCommand command, SendAttribute start, ulong length)
    {
        ulong offset = command.UInt64(start);
        return offset <= SendStreamFormat.MaxFileSize && length <= SendStreamFormat.MaxFileSize - offset
            ? (long)offset
            : throw command.Error(Fault.RangeTooLarge, $"{Show(command)}: {length} bytes at {SendStreamFormat.NameOf(start)} {offset} lie beyond the end of the largest file");
    }
}
