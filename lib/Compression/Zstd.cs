using static Layerbox.Compression.ZstdNative;

namespace Layerbox.Compression;

internal sealed unsafe class ZstdDecoder(int maxWindowLog) : Decoder
{
    private readonly ZstdDecompression _context = ZstdDecompression.Take(maxWindowLog);

    public override string Format => "zstd";

    public override bool IsStart(ReadOnlySpan<byte> bytes) => Magic.IsZstd(bytes);

    public override void Start() { } // after the end of a frame the context expects the next one

    public override bool Decode(ReadOnlySpan<byte> input, Span<byte> output, out int consumed, out int produced)
    {
        fixed (byte* from = input, to = output)
        {
            ZSTD_inBuffer source = new() { Source = from, Size = (nuint)input.Length };
            ZSTD_outBuffer destination = new() { Destination = to, Size = (nuint)output.Length };
            nuint result = ZSTD_decompressStream(_context, &destination, &source);
            consumed = (int)source.Position;
            produced = (int)destination.Position;
            return ZSTD_isError(result) == 0 ? result == 0 : throw new InvalidDataException($"the data is corrupt: {ErrorName(result)}");
        }
    }

    public override void Dispose() => _context.GiveBack();
}

/// <summary>Writes zstd frames with content size and checksum.</summary>
internal sealed unsafe class ZstdBlockEncoder(ZstdCompression context) : BlockEncoder
{
    private readonly ZstdCompression _context = context;

    public ZstdBlockEncoder(int level) : this(new ZstdCompression(level)) { }

    public override int MaxOutput(int blockSize) => checked((int)ZSTD_compressBound((nuint)blockSize));

    public override int Encode(ReadOnlySpan<byte> block, Span<byte> output)
    {
        fixed (byte* from = block, to = output)
        {
            nuint result = ZSTD_compress2(_context, to, (nuint)output.Length, from, (nuint)block.Length);
            return ZSTD_isError(result) == 0 ? (int)result : throw new InvalidOperationException($"zstd: {ErrorName(result)}");
        }
    }

    public override void Dispose() => _context.Dispose();
}

/// <summary>Zstd frames that lie whole in memory, as btrfs stores compressed extents.</summary>
public static unsafe class ZstdFrame
{
    private const int MagicLength = 4, SingleSegment = 0x20;

    [ThreadStatic]
    private static ZstdDecompression? s_context;

    /// <summary>
    /// How much of what was decoded a decoder has to keep, in bytes, as the frame's header says (RFC 8878, 3.1.1.1); 0 where there is no header.
    /// </summary>
    public static ulong WindowOf(ReadOnlySpan<byte> frame)
    {
        if (frame is not [0x28, 0xB5, 0x2F, 0xFD, _, _, ..])
            return 0;
        int descriptor = frame[MagicLength];
        frame = frame[(MagicLength + 1)..];
        if ((descriptor & SingleSegment) == 0)
        {
            ulong power = 1UL << (10 + (frame[0] >> 3));
            return power + power / 8 * (ulong)(frame[0] & 7);
        }
        // All of the content: a number of 1, 2, 4 or 8 bytes, behind the number of a dictionary of 0, 1, 2 or 4.
        int number = (1 << (descriptor & 3)) >> 1, length = 1 << (descriptor >> 6);
        if (frame.Length < number + length)
            return 0;
        ulong content = 0;
        for (int i = length - 1; i >= 0; i--)
            content = (content << 8) | frame[number + i];
        return length == sizeof(ushort) ? content + 256 : content;
    }

    /// <summary>
    /// Decodes one frame until it ends or the destination is full; bytes after its end (the padding to whole sectors) are ignored.
    /// Gives the count of bytes produced.
    /// </summary>
    /// <exception cref="InvalidDataException">Corrupt, or ends too early.</exception>
    public static int Decompress(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        ZstdDecompression context = s_context ??= new();
        _ = ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
        fixed (byte* from = source, to = destination)
        {
            ZSTD_inBuffer input = new() { Source = from, Size = (nuint)source.Length };
            ZSTD_outBuffer output = new() { Destination = to, Size = (nuint)destination.Length };
            while (output.Position < output.Size)
            {
                (nuint consumed, nuint produced) = (input.Position, output.Position);
                nuint result = ZSTD_decompressStream(context, &output, &input);
                if (ZSTD_isError(result) != 0)
                    throw new InvalidDataException($"zstd: offset {consumed}: the data is corrupt: {ErrorName(result)}");
                if (result == 0)
                    break;
                if (input.Position == consumed && output.Position == produced)
                    throw new InvalidDataException($"zstd: offset {input.Position}: the input ends too early");
            }
            return (int)output.Position;
        }
    }
}
