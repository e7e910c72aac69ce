using static Layerbox.Compression.ZlibNative;

namespace Layerbox.Compression;

internal sealed unsafe class GzipDecoder : Decoder
{
    private NativeState? _state;

    public override string Format => "gzip";

    public override bool IsStart(ReadOnlySpan<byte> bytes) => Magic.IsGzip(bytes);

    public override void Start()
    {
        _state?.Dispose();
        _state = new NativeState(sizeof(ZStream), static stream => _ = CompressionNative_InflateEnd((ZStream*)stream));
        if (CompressionNative_InflateInit2_((ZStream*)_state.Pointer, GzipWindowBits) != Z_OK)
            throw new InsufficientMemoryException("zlib: no memory for a decoder");
    }

    public override bool Decode(ReadOnlySpan<byte> input, Span<byte> output, out int consumed, out int produced)
    {
        ZStream* stream = (ZStream*)_state!.Pointer;
        fixed (byte* from = input, to = output)
        {
            stream->NextIn = from;
            stream->AvailableIn = (uint)input.Length;
            stream->NextOut = to;
            stream->AvailableOut = (uint)output.Length;
            int result = CompressionNative_Inflate(stream, Z_NO_FLUSH);
            consumed = input.Length - (int)stream->AvailableIn;
            produced = output.Length - (int)stream->AvailableOut;
            return result switch
            {
                Z_STREAM_END => true,
                Z_OK or Z_BUF_ERROR => false, // the latter: no progress without more input
                _ => throw Corrupt(stream, result),
            };
        }
    }

    public override void Dispose() => _state?.Dispose();
}

/// <summary>Writes gzip members with no name and no time in their headers, or zlib streams.</summary>
internal sealed unsafe class GzipBlockEncoder(int level, int windowBits = GzipWindowBits) : BlockEncoder
{
    private const int MemoryLevel = 8; // zlib's default; part of what decides the bytes

    // zlib-ng's level 1 spends up to nine bits on a byte; header, trailer and block headers come on top.
    public override int MaxOutput(int blockSize) => blockSize + (blockSize / 8) + 1024;

    public override int Encode(ReadOnlySpan<byte> block, Span<byte> output)
    {
        using NativeState state = new(sizeof(ZStream), static stream => _ = CompressionNative_DeflateEnd((ZStream*)stream));
        ZStream* stream = (ZStream*)state.Pointer;
        if (CompressionNative_DeflateInit2_(stream, level, Z_DEFLATED, windowBits, MemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK)
            throw new InsufficientMemoryException("zlib: no memory for an encoder");
        fixed (byte* from = block, to = output)
        {
            stream->NextIn = from;
            stream->AvailableIn = (uint)block.Length;
            stream->NextOut = to;
            stream->AvailableOut = (uint)output.Length;
            int result = CompressionNative_Deflate(stream, Z_FINISH);
            return result == Z_STREAM_END ? output.Length - (int)stream->AvailableOut : throw new InvalidOperationException($"zlib error {result}");
        }
    }

    public override void Dispose() { }
}

/// <summary>zlib streams (RFC 1950) that lie whole in memory, as btrfs stores compressed extents.</summary>
public static unsafe class ZlibBlock
{
    /// <summary>
    /// Decodes one zlib stream until it ends or the destination is full; bytes after its end are ignored. Gives the count of bytes produced.
    /// </summary>
    /// <exception cref="InvalidDataException">Corrupt, or ends too early.</exception>
    public static int Decompress(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        if (destination.IsEmpty)
            return 0;
        using NativeState state = new(sizeof(ZStream), static stream => _ = CompressionNative_InflateEnd((ZStream*)stream));
        ZStream* stream = (ZStream*)state.Pointer;
        if (CompressionNative_InflateInit2_(stream, ZlibWindowBits) != Z_OK)
            throw new InsufficientMemoryException("zlib: no memory for a decoder");
        fixed (byte* from = source, to = destination)
        {
            stream->NextIn = from;
            stream->AvailableIn = (uint)source.Length;
            stream->NextOut = to;
            stream->AvailableOut = (uint)destination.Length;
            int result = CompressionNative_Inflate(stream, Z_NO_FLUSH);
            if (result is not (Z_OK or Z_STREAM_END or Z_BUF_ERROR))
                throw new InvalidDataException($"zlib: offset {source.Length - stream->AvailableIn}: {Corrupt(stream, result).Message}");
            if (result != Z_STREAM_END && stream->AvailableOut > 0)
                throw new InvalidDataException($"zlib: offset {source.Length}: the input ends too early");
            return destination.Length - (int)stream->AvailableOut;
        }
    }
}
