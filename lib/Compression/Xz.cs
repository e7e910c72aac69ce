using System.Runtime.InteropServices;

namespace Layerbox.Compression;

/// <summary>liblzma's decoder of .xz; the one of the older format differs in how it starts.</summary>
internal unsafe partial class XzDecoder : Decoder
{
    private const string Name = "liblzma.so.5";

    // lzma/base.h: lzma_ret and lzma_action
    private const int LZMA_OK = 0;
    private const int LZMA_STREAM_END = 1;
    private const int LZMA_UNSUPPORTED_CHECK = 3;
    private const int LZMA_MEM_ERROR = 5;
    private const int LZMA_MEMLIMIT_ERROR = 6;
    private const int LZMA_FORMAT_ERROR = 7;
    private const int LZMA_OPTIONS_ERROR = 8;
    private const int LZMA_BUF_ERROR = 10;
    private const int LZMA_RUN = 0;
    private const uint LZMA_TELL_UNSUPPORTED_CHECK = 2;

    // lzma/base.h: lzma_stream
    [StructLayout(LayoutKind.Sequential)]
    internal struct LzmaStream
    {
        public byte* NextIn;
        public nuint AvailableIn;
        public ulong TotalIn;
        public byte* NextOut;
        public nuint AvailableOut;
        public ulong TotalOut;
        public void* Allocator;
        public void* Internal;
        private fixed ulong _reservedPointers[4];
        private ulong _seekPosition;
        private fixed ulong _reservedNumbers[3];
        private fixed uint _reservedEnums[2];
    }

    [LibraryImport(Name)] private static partial int lzma_stream_decoder(LzmaStream* stream, ulong memoryLimit, uint flags);
    [LibraryImport(Name)] private protected static partial int lzma_alone_decoder(LzmaStream* stream, ulong memoryLimit);
    [LibraryImport(Name)] private static partial int lzma_code(LzmaStream* stream, int action);
    [LibraryImport(Name)] private static partial void lzma_end(LzmaStream* stream);
    [LibraryImport(Name)] internal static partial byte* lzma_version_string();

    private readonly NativeState _state = new(sizeof(LzmaStream), static stream => lzma_end((LzmaStream*)stream));

    public override string Format => "xz";

    /// <summary>Stream padding of the .xz file format, section 2.2.</summary>
    public override int PaddingUnit => 4;

    public override bool IsStart(ReadOnlySpan<byte> bytes) => Magic.IsXz(bytes);

    public override void Start()
    {
        if (Start((LzmaStream*)_state.Pointer) != LZMA_OK)
            throw new InsufficientMemoryException($"{Format}: no memory for a decoder");
    }

    private protected virtual int Start(LzmaStream* stream) => lzma_stream_decoder(stream, (ulong)Decompression.MaxXzMemory, LZMA_TELL_UNSUPPORTED_CHECK);

    public override bool Decode(ReadOnlySpan<byte> input, Span<byte> output, out int consumed, out int produced)
    {
        LzmaStream* stream = (LzmaStream*)_state.Pointer;
        fixed (byte* from = input, to = output)
        {
            stream->NextIn = from;
            stream->AvailableIn = (nuint)input.Length;
            stream->NextOut = to;
            stream->AvailableOut = (nuint)output.Length;
            int result = lzma_code(stream, LZMA_RUN);
            consumed = input.Length - (int)stream->AvailableIn;
            produced = output.Length - (int)stream->AvailableOut;
            return result switch
            {
                LZMA_STREAM_END => true,
                LZMA_OK or LZMA_BUF_ERROR => false, // the latter: no progress without more input
                LZMA_UNSUPPORTED_CHECK => throw new InvalidDataException("the kind of its checksum is not supported"),
                LZMA_OPTIONS_ERROR => throw new InvalidDataException("it uses options that are not supported"),
                LZMA_MEMLIMIT_ERROR => throw new InvalidDataException($"decoding needs more than {Decompression.MaxXzMemory >> 20} MiB"),
                LZMA_MEM_ERROR => throw new InsufficientMemoryException($"{Format}: no memory for a decoder"),
                LZMA_FORMAT_ERROR => throw new InvalidDataException($"the data is corrupt: no {Format} header"),
                _ => throw new InvalidDataException("the data is corrupt"),
            };
        }
    }

    public override void Dispose() => _state.Dispose();
}

/// <summary>The format of LZMA SDK 4 and lzma-utils: one member, nothing by which it could be recognised, no checksum.</summary>
internal sealed unsafe class LzmaDecoder : XzDecoder
{
    private bool _isStarted;

    public override string Format => "lzma";

    public override int PaddingUnit => 0;

    public override bool IsStart(ReadOnlySpan<byte> bytes) => !_isStarted;

    private protected override int Start(LzmaStream* stream)
    {
        _isStarted = true;
        return lzma_alone_decoder(stream, (ulong)Decompression.MaxXzMemory);
    }
}
