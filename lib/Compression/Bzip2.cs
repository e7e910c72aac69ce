using System.Runtime.InteropServices;

namespace Layerbox.Compression;

internal sealed unsafe partial class Bzip2Decoder : Decoder
{
    private const string Name = "libbz2.so.1.0";

    // bzlib.h
    private const int BZ_OK = 0;
    private const int BZ_STREAM_END = 4;
    private const int BZ_DATA_ERROR = -4;
    private const int BZ_DATA_ERROR_MAGIC = -5;

    // bzlib.h: bz_stream
    [StructLayout(LayoutKind.Sequential)]
    internal struct BzStream
    {
        public byte* NextIn;
        public uint AvailableIn;
        public uint TotalInLow;
        public uint TotalInHigh;
        public byte* NextOut;
        public uint AvailableOut;
        public uint TotalOutLow;
        public uint TotalOutHigh;
        public void* State;
        public void* Allocate;
        public void* Free;
        public void* Opaque;
    }

    [LibraryImport(Name)] private static partial int BZ2_bzDecompressInit(BzStream* stream, int verbosity, int small);
    [LibraryImport(Name)] private static partial int BZ2_bzDecompress(BzStream* stream);
    [LibraryImport(Name)] private static partial int BZ2_bzDecompressEnd(BzStream* stream);
    [LibraryImport(Name)] internal static partial byte* BZ2_bzlibVersion();

    private NativeState? _state;

    public override string Format => "bzip2";

    public override bool IsStart(ReadOnlySpan<byte> bytes) => Magic.IsBzip2(bytes);

    public override void Start()
    {
        _state?.Dispose();
        _state = new NativeState(sizeof(BzStream), static stream => _ = BZ2_bzDecompressEnd((BzStream*)stream));
        if (BZ2_bzDecompressInit((BzStream*)_state.Pointer, 0, 0) != BZ_OK)
            throw new InsufficientMemoryException("bzip2: no memory for a decoder");
    }

    public override bool Decode(ReadOnlySpan<byte> input, Span<byte> output, out int consumed, out int produced)
    {
        BzStream* stream = (BzStream*)_state!.Pointer;
        fixed (byte* from = input, to = output)
        {
            stream->NextIn = from;
            stream->AvailableIn = (uint)input.Length;
            stream->NextOut = to;
            stream->AvailableOut = (uint)output.Length;
            int result = BZ2_bzDecompress(stream);
            consumed = input.Length - (int)stream->AvailableIn;
            produced = output.Length - (int)stream->AvailableOut;
            return result switch
            {
                BZ_STREAM_END => true,
                BZ_OK => false,
                BZ_DATA_ERROR or BZ_DATA_ERROR_MAGIC => throw new InvalidDataException("the data is corrupt"),
                _ => throw new InvalidDataException($"the data is corrupt (bzip2 error {result})"),
            };
        }
    }

    public override void Dispose() => _state?.Dispose();
}
