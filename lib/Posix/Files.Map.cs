using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

public static unsafe partial class Files
{
    // linux/fs.h: FS_IOC_FIEMAP = _IOWR('f', 11, struct fiemap)
    private const nuint FS_IOC_FIEMAP = 0xC020660B;

    /// <summary>
    /// Where a file's data is on the filesystem's disks (FIEMAP): runs of logical offset, physical address and length, in order. Data that has no
    /// address of its own (inline, compressed, not yet written) is left out; so is everything where the filesystem cannot say.
    /// </summary>
    public static List<(long Offset, ulong Address, long Length)> Map(SafeFileHandle file)
    {
        // struct fiemap { u64 start, length; u32 flags, mapped_extents, extent_count, reserved; struct fiemap_extent extents[]; }
        // struct fiemap_extent { u64 logical, physical, length, reserved64[2]; u32 flags, reserved[3]; }
        const int HeaderSize = 32, ExtentSize = 56, Count = 256;
        const uint FIEMAP_FLAG_SYNC = 1; // else btrfs names the old place of what was overwritten and not yet written back
        const uint FIEMAP_EXTENT_LAST = 1, WithoutAddress = 0x2 | 0x4 | 0x8 | 0x80 | 0x200 | 0x400; // UNKNOWN, DELALLOC, ENCODED, DATA_ENCRYPTED, DATA_INLINE, DATA_TAIL
        List<(long, ulong, long)> runs = [];
        byte[] buffer = new byte[HeaderSize + Count * ExtentSize];
        for (ulong start = 0; ;)
        {
            Array.Clear(buffer);
            BinaryPrimitives.WriteUInt64LittleEndian(buffer, start);
            BinaryPrimitives.WriteUInt64LittleEndian(buffer.AsSpan(8), ulong.MaxValue - start);
            BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(16), FIEMAP_FLAG_SYNC);
            BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(24), Count);
            fixed (byte* p = buffer)
                if (Libc.ioctl(file, FS_IOC_FIEMAP, p) < 0)
                    return PosixException.Last is Errno.EOPNOTSUPP or Errno.ENOTTY ? [] : throw new PosixException("fiemap", PosixException.Last);
            int mapped = (int)BinaryPrimitives.ReadUInt32LittleEndian(buffer.AsSpan(20));
            for (int i = 0; i < mapped; i++)
            {
                ReadOnlySpan<byte> extent = buffer.AsSpan(HeaderSize + i * ExtentSize, ExtentSize);
                ulong logical = BinaryPrimitives.ReadUInt64LittleEndian(extent), length = BinaryPrimitives.ReadUInt64LittleEndian(extent[16..]);
                uint flags = BinaryPrimitives.ReadUInt32LittleEndian(extent[40..]);
                if ((flags & WithoutAddress) == 0)
                    runs.Add(((long)logical, BinaryPrimitives.ReadUInt64LittleEndian(extent[8..]), (long)length));
                start = logical + length;
                if ((flags & FIEMAP_EXTENT_LAST) != 0)
                    return runs;
            }
            if (mapped == 0)
                return runs;
        }
    }
}
