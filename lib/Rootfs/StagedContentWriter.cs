using System.Buffers;
using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>
/// Writes one staged content. Small writes are gathered, so that most files take one write(2). Nothing is digested on the way: later,
/// from the page cache and by all processors, that takes less time than it would here in line.
/// </summary>
internal sealed class StagedContentWriter : ContentWriter
{
    private const int BufferSize = 128 * 1024;

    // From this size on a write(2) takes less time than the copy that could spare it.
    private const int DirectSize = 32 * 1024;

    private readonly StagedContentStore _store;
    private readonly byte[] _name;
    private readonly FileContent? _unchanged;
    private SafeFileHandle? _file;
    private byte[]? _buffer;
    private int _buffered;
    private long _bufferOffset;
    private long _size;
    private long _sizeOnDisk;
    private bool _isWritten;
    private bool _isDone;

    public StagedContentWriter(StagedContentStore store, FileContent? initial)
    {
        _store = store;
        _name = store.NextName();
        if (initial is null)
            return;
        _unchanged = initial;
        ContentCopy.Write(initial, OpenFile(), Reflink.Auto);
        _size = _sizeOnDisk = initial.Size;
    }

    public override long Size => _size;

    public override void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        _isWritten = true;
        if (_buffered > 0 && (offset != _bufferOffset + _buffered || _buffered + bytes.Length > BufferSize))
            Flush();
        if (bytes.Length >= DirectSize && _buffered == 0)
            WriteOut(offset, bytes);
        else if (!bytes.IsEmpty)
        {
            if (_buffered == 0)
                _bufferOffset = offset;
            _buffer ??= ArrayPool<byte>.Shared.Rent(BufferSize);
            bytes.CopyTo(_buffer.AsSpan(_buffered));
            _buffered += bytes.Length;
        }
        _size = Math.Max(_size, offset + bytes.Length);
    }

    public override void SetSize(long size)
    {
        Flush();
        _isWritten |= size != _size;
        _size = size;
        // What was cut off must read as zeros when the file grows again.
        if (size < _sizeOnDisk)
        {
            Files.Truncate(OpenFile(), size, _store.Target.Path);
            _sizeOnDisk = size;
        }
    }

    public override void CopyFrom(FileContent source, long sourceOffset, long length, long offset)
    {
        if (sourceOffset < 0 || length < 0 || sourceOffset + length > source.Size)
            throw new InvalidDataException($"bytes {sourceOffset} to {sourceOffset + length} are to be copied of a file of {source.Size}");
        Flush();
        _isWritten = true;
        ContentCopy.WriteRange(source, sourceOffset, length, OpenFile(), offset);
        _sizeOnDisk = Math.Max(_sizeOnDisk, offset + length);
        _size = Math.Max(_size, offset + length);
    }

    public override void Clear(long offset, long length)
    {
        Flush();
        _isWritten = true;
        long onDisk = Math.Min(offset + length, _sizeOnDisk) - offset;
        if (onDisk <= 0)
            return; // what was never written reads as zeros already
        if (!Files.TryPunchHole(OpenFile(), offset, onDisk, _store.Target.Path))
            base.Clear(offset, onDisk);
    }

    public override FileContent Complete()
    {
        bool isWhole = _file is null && _bufferOffset == 0 && _buffered == _size;
        if (isWhole && _store.MayKeepInMemory(_buffered))
        {
            MemoryContent small = new(_buffer.AsSpan(0, _buffered).ToArray());
            Close();
            return small;
        }
        Flush();
        SafeFileHandle file = OpenFile();
        if (_sizeOnDisk != _size)
            Files.Truncate(file, _size, _store.Target.Path);
        StagedContent content = new(_store, _name, _size);
        if (!_isWritten && _unchanged is { HasDigest: true })
            content.SetDigest(_unchanged.Digest);
        Close();
        return content;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isDone)
        {
            bool wasMade = _file is not null;
            Close();
            if (wasMade)
                Files.Remove(_store.Handle, _name);
        }
        base.Dispose(disposing);
    }

    private SafeFileHandle OpenFile() => _file ??= Files.Open(
        _store.Handle, _name, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow, 0x180 /* 0600 */);

    private void Flush()
    {
        if (_buffered == 0)
            return;
        WriteOut(_bufferOffset, _buffer.AsSpan(0, _buffered));
        _buffered = 0;
    }

    private void WriteOut(long offset, ReadOnlySpan<byte> bytes)
    {
        Files.WriteAt(OpenFile(), bytes, offset, _store.Target.Path);
        _sizeOnDisk = Math.Max(_sizeOnDisk, offset + bytes.Length);
    }

    private void Close()
    {
        _isDone = true;
        _file?.Dispose();
        if (_buffer is not null)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = null;
    }
}
