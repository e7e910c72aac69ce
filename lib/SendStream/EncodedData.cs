using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using Layerbox.Compression;

namespace Layerbox.SendStream;

/// <summary>Decodes what encoded writes carry: extents as btrfs stores them on disk (btrfs_tree.h, btrfs compression.c).</summary>
public static class EncodedData
{
    // BTRFS_ENCODED_IO_COMPRESSION_*. The five kinds of LZO differ in the size of the sectors that its segments lie in.
    internal const uint None = 0, Zlib = 1, Zstd = 2;
    private const uint FirstLzo = 3, LastLzo = 7;
    private const int SmallestLzoSector = 4096, LzoLengthLength = sizeof(uint);

    /// <summary>The highest compression number that exists.</summary>
    public const uint MaxCompression = LastLzo;

    /// <summary>Whether a compression number is one that exists: 0 none, 1 zlib, 2 zstd, 3 to 7 LZO.</summary>
    public static bool IsKnown(uint compression) => compression <= LastLzo;

    /// <summary>
    /// Fills the destination with what the data decodes to: longer output is cut, shorter is followed by zeros. Bytes after the end
    /// of the compressed data are ignored: regular extents are padded to whole sectors.
    /// </summary>
    /// <exception cref="InvalidDataException">Corrupt, or of unknown compression.</exception>
    public static void Decode(uint compression, ReadOnlySpan<byte> data, Span<byte> destination)
    {
        int length = compression switch
        {
            None => Copy(data, destination),
            Zlib => DecodeZlib(data, destination),
            Zstd => DecodeZstd(data, destination),
            >= FirstLzo and <= LastLzo => DecodeLzo(data, destination, SmallestLzoSector << (int)(compression - FirstLzo)),
            _ => throw new InvalidDataException($"compression {compression} is not known, expected 0 to {LastLzo}"),
        };
        destination[length..].Clear();
    }

    // The kernel's decoder has room for a window of one extent and refuses more.
    private static int DecodeZstd(ReadOnlySpan<byte> data, Span<byte> destination) =>
        ZstdFrame.WindowOf(data) is var window and > SendStreamFormat.MaxEncodedExtent
            ? throw new InvalidDataException($"zstd: a window of {window} bytes, expected at most {SendStreamFormat.MaxEncodedExtent}")
            : ZstdFrame.Decompress(data, destination);

    private static int Copy(ReadOnlySpan<byte> data, Span<byte> destination)
    {
        data = data[..Math.Min(data.Length, destination.Length)];
        data.CopyTo(destination);
        return data.Length;
    }

    private static unsafe int DecodeZlib(ReadOnlySpan<byte> data, Span<byte> destination)
    {
        if (data.IsEmpty)
            throw new InvalidDataException("no zlib data");
        fixed (byte* bytes = data)
        {
            using UnmanagedMemoryStream memory = new(bytes, data.Length);
            using ZLibStream stream = new(memory, CompressionMode.Decompress);
            try
            {
                return stream.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false);
            }
            catch (InvalidDataException e)
            {
                throw new InvalidDataException("the zlib data is corrupt", e); // .NET speaks of archive entries here
            }
        }
    }

    // Layout: u32 length of all, itself included; then segments of u32 length and LZO1X data, each decoding to a sector at most.
    // A segment's length never straddles two sectors: where fewer than 4 bytes are left, it stands in the next one.
    private static int DecodeLzo(ReadOnlySpan<byte> data, Span<byte> destination, int sector)
    {
        if (data.Length < LzoLengthLength)
            throw new InvalidDataException($"lzo data of {data.Length} bytes, expected at least {LzoLengthLength}");
        uint total = BinaryPrimitives.ReadUInt32LittleEndian(data);
        if (total < LzoLengthLength || total > data.Length)
            throw new InvalidDataException($"the lzo data says that it is {total} bytes long, there are {data.Length}");
        data = data[..(int)total];
        byte[] decoded = ArrayPool<byte>.Shared.Rent(sector);
        try
        {
            return DecodeSegments(data, destination, decoded.AsSpan(0, sector));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(decoded);
        }
    }

    private static int DecodeSegments(ReadOnlySpan<byte> data, Span<byte> destination, Span<byte> decoded)
    {
        int sector = decoded.Length, produced = 0;
        for (int at = LzoLengthLength; at < data.Length && produced < destination.Length;)
        {
            int leftInSector = sector - at % sector;
            if (leftInSector < LzoLengthLength)
                at += leftInSector;
            if (data.Length - at < LzoLengthLength)
                break;
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(data[at..]);
            at += LzoLengthLength;
            if (length > data.Length - at)
                throw new InvalidDataException($"an lzo segment says {length} bytes, {data.Length - at} are left");
            int count = Lzo1x.Decompress(data.Slice(at, (int)length), decoded);
            at += (int)length;
            produced += Copy(decoded[..count], destination[produced..]);
        }
        return produced;
    }
}
