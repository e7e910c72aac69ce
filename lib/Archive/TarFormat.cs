using System.Runtime.InteropServices;

namespace Layerbox.Archive;

/// <summary>Numbers of the format, shared by reader and writer. Sources: ustar(5) of POSIX.1-2017 (pax), tar.h of GNU tar.</summary>
internal static class TarFormat
{
    public const int BlockSize = 512;

    /// <summary>An extended header, with all its attributes, may be this large.</summary>
    public const int MaxExtendedHeader = 8 << 20;

    /// <summary>A GNU long name may be this large; a path that can be used has at most 4095 bytes.</summary>
    public const int MaxLongName = 64 << 10;

    /// <summary>How many runs of data a sparse file may have: they are held in memory.</summary>
    public const int MaxSparseRuns = 1 << 20;

    /// <summary>XATTR_NAME_MAX and XATTR_SIZE_MAX of linux/limits.h.</summary>
    public const int MaxXattrName = 255;

    /// <inheritdoc cref="MaxXattrName"/>
    public const int MaxXattrValue = 64 << 10;

    public const uint ModeBits = 0xFFF; // 07777

    /// <summary>Before the name of an attribute in an extended header; the convention of star, which GNU tar, bsdtar and OCI share.</summary>
    public const string XattrPrefix = "SCHILY.xattr.";

    // Offsets and lengths of the fields of a header block.
    public static readonly Range Name = 0..100;
    public static readonly Range Mode = 100..108;
    public static readonly Range Uid = 108..116;
    public static readonly Range Gid = 116..124;
    public static readonly Range Size = 124..136;
    public static readonly Range ModificationTime = 136..148;
    public static readonly Range Checksum = 148..156;
    public const int Type = 156;
    public static readonly Range LinkName = 157..257;
    public static readonly Range Magic = 257..265;
    public static readonly Range UserName = 265..297;
    public static readonly Range GroupName = 297..329;
    public static readonly Range DeviceMajor = 329..337;
    public static readonly Range DeviceMinor = 337..345;
    public static readonly Range Prefix = 345..500;

    /// <summary>Bytes that fill the last block of a content.</summary>
    public static int Padding(long size) => (int)(-size & (BlockSize - 1));

    /// <summary>The sum of a header's bytes, its checksum field counted as spaces.</summary>
    public static int Sum(ReadOnlySpan<byte> block)
    {
        // Eight bytes at a time, in four sums of 16 bits: 128 times 255 fits.
        const ulong EverySecond = 0x00FF_00FF_00FF_00FF;
        ulong sums = 0;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(block[..BlockSize]))
            sums += (word & EverySecond) + ((word >> 8) & EverySecond);
        int sum = 8 * ' ';
        for (; sums > 0; sums >>= 16)
            sum += (int)(sums & 0xFFFF);
        foreach (byte b in block[Checksum])
            sum -= b;
        return sum;
    }
}
