using System.Runtime.InteropServices;

namespace Layerbox.Compression;

/// <summary>
/// zlib as .NET carries it: the calls under System.IO.Compression. Its stream classes are of no use here, since they pass over
/// what follows the last member, cannot say how far they read, and write nothing at all for empty input.
/// </summary>
internal static unsafe partial class ZlibNative
{
    private const string Name = "libSystem.IO.Compression.Native";

    public const int Z_NO_FLUSH = 0;
    public const int Z_FINISH = 4;
    public const int Z_OK = 0;
    public const int Z_STREAM_END = 1;
    public const int Z_BUF_ERROR = -5;
    public const int Z_DEFLATED = 8;
    public const int Z_DEFAULT_STRATEGY = 0;

    /// <summary>The largest window, 32 KiB.</summary>
    public const int ZlibWindowBits = 15;

    /// <summary>The same, with the header and trailer of gzip.</summary>
    public const int GzipWindowBits = 15 + 16;

    // dotnet/runtime src/native/libs/System.IO.Compression.Native/pal_zlib.h: struct PAL_ZStream
    [StructLayout(LayoutKind.Sequential)]
    public struct ZStream
    {
        public byte* NextIn;
        public byte* NextOut;
        public byte* Message;
        public void* State;
        public uint AvailableIn;
        public uint AvailableOut;
    }

    [LibraryImport(Name)] public static partial int CompressionNative_InflateInit2_(ZStream* stream, int windowBits);
    [LibraryImport(Name)] public static partial int CompressionNative_Inflate(ZStream* stream, int flush);
    [LibraryImport(Name)] public static partial int CompressionNative_InflateEnd(ZStream* stream);

    [LibraryImport(Name)]
    public static partial int CompressionNative_DeflateInit2_(ZStream* stream, int level, int method, int windowBits, int memoryLevel, int strategy);

    [LibraryImport(Name)] public static partial int CompressionNative_Deflate(ZStream* stream, int flush);
    [LibraryImport(Name)] public static partial int CompressionNative_DeflateEnd(ZStream* stream);

    public static InvalidDataException Corrupt(ZStream* stream, int result) =>
        new(Marshal.PtrToStringUTF8((nint)stream->Message) is { Length: > 0 } reason ? $"the data is corrupt: {reason}" : $"the data is corrupt (zlib error {result})");
}
