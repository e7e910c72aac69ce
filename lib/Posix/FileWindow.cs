using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>
/// A part of a regular file in memory, by mmap, which moves along the file: reading without copying. When another process makes the
/// file shorter meanwhile, a look at what is gone ends ours by SIGBUS, which cannot be caught: so this is for files that are known to stay.
/// </summary>
/// <param name="file">The file; it is not closed.</param>
/// <param name="path">What messages call it.</param>
public sealed unsafe class FileWindow(SafeFileHandle file, string? path = null) : MemoryManager<byte>
{
    // sys/mman.h
    private const int PROT_NONE = 0, PROT_READ = 1, MAP_PRIVATE = 2, MAP_FIXED = 0x10;
    private static readonly nuint s_page = (nuint)Environment.SystemPageSize;

    // Addresses are reserved once and mapped over, so that a view which outlived its window shows wrong bytes rather than none.
    private byte* _region;
    private nuint _regionLength;
    private byte* _start;
    private int _length;

    /// <summary>Moves the window. What was shown before is not valid any more.</summary>
    /// <param name="offset">Where it begins in the file, in bytes.</param>
    /// <param name="length">Its length, at least 1; it must not reach beyond the end of the file.</param>
    /// <exception cref="PosixException">The file cannot be mapped.</exception>
    public ReadOnlyMemory<byte> Show(long offset, int length)
    {
        nuint before = (nuint)offset & (s_page - 1), mapped = before + (nuint)length;
        if (mapped > _regionLength)
        {
            Free();
            _region = Map(null, mapped + s_page, PROT_NONE, 0, 0);
            _regionLength = mapped + s_page;
        }
        Map(_region, mapped, PROT_READ, MAP_FIXED, offset - (long)before);
        _start = _region + before;
        _length = length;
        return Memory;
    }

    private byte* Map(byte* address, nuint length, int protection, int flags, long offset)
    {
        byte* mapped = Libc.mmap(address, length, protection, MAP_PRIVATE | flags, file, offset);
        return (nint)mapped != -1 ? mapped : throw new PosixException("mmap", PosixException.Last, path);
    }

    public override Span<byte> GetSpan() => new(_start, _length);

    public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex);

    public override void Unpin() { }

    private void Free()
    {
        if (_region is not null)
            Libc.munmap(_region, _regionLength);
        _region = _start = null;
        (_regionLength, _length) = (0, 0);
    }

    protected override void Dispose(bool disposing) => Free();
}
