using System.Runtime.InteropServices;

namespace Layerbox.Compression;

/// <summary>libzstd. Names are those of zstd.h (1.5.4).</summary>
internal static unsafe partial class ZstdNative
{
    private const string Name = "libzstd.so.1";

    public const int ZSTD_c_compressionLevel = 100;
    public const int ZSTD_c_windowLog = 101;
    public const int ZSTD_c_checksumFlag = 201;
    public const int ZSTD_d_windowLogMax = 100;
    public const int ZSTD_reset_session_only = 1;

    [StructLayout(LayoutKind.Sequential)]
    public struct ZSTD_inBuffer
    {
        public byte* Source;
        public nuint Size;
        public nuint Position;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct ZSTD_outBuffer
    {
        public byte* Destination;
        public nuint Size;
        public nuint Position;
    }

    [LibraryImport(Name)] public static partial uint ZSTD_versionNumber();
    [LibraryImport(Name)] public static partial uint ZSTD_isError(nuint code);
    [LibraryImport(Name)] public static partial byte* ZSTD_getErrorName(nuint code);
    [LibraryImport(Name)] public static partial int ZSTD_maxCLevel();
    [LibraryImport(Name)] public static partial nint ZSTD_createCCtx();
    [LibraryImport(Name)] public static partial nuint ZSTD_freeCCtx(nint context);
    [LibraryImport(Name)] public static partial nuint ZSTD_CCtx_setParameter(nint context, int parameter, int value);
    [LibraryImport(Name)] public static partial nuint ZSTD_compressBound(nuint size);
    [LibraryImport(Name)] public static partial nuint ZSTD_compress2(ZstdCompression context, byte* to, nuint capacity, byte* from, nuint size);
    [LibraryImport(Name)] public static partial nint ZSTD_createDCtx();
    [LibraryImport(Name)] public static partial nuint ZSTD_freeDCtx(nint context);
    [LibraryImport(Name)] public static partial nuint ZSTD_DCtx_reset(ZstdDecompression context, int reset);
    [LibraryImport(Name)] public static partial nuint ZSTD_DCtx_setParameter(nint context, int parameter, int value);
    [LibraryImport(Name)] public static partial nuint ZSTD_sizeof_DCtx(ZstdDecompression context);
    [LibraryImport(Name)] public static partial nuint ZSTD_decompressStream(ZstdDecompression context, ZSTD_outBuffer* output, ZSTD_inBuffer* input);

    public static string ErrorName(nuint code) => Marshal.PtrToStringUTF8((nint)ZSTD_getErrorName(code))!;
}

/// <summary>A ZSTD_CCtx.</summary>
internal sealed class ZstdCompression : SafeHandle
{
    /// <param name="level">One of the library's levels.</param>
    /// <param name="hasChecksum">Whether frames end with one.</param>
    /// <param name="windowLog">The largest window of a frame; null: what the level says.</param>
    public ZstdCompression(int level, bool hasChecksum = true, int? windowLog = null) : base(0, ownsHandle: true)
    {
        SetHandle(ZstdNative.ZSTD_createCCtx());
        if (IsInvalid)
            throw new InsufficientMemoryException("zstd: no memory for an encoder");
        Set(ZstdNative.ZSTD_c_compressionLevel, level);
        Set(ZstdNative.ZSTD_c_checksumFlag, hasChecksum ? 1 : 0);
        if (windowLog is { } log)
            Set(ZstdNative.ZSTD_c_windowLog, log);
    }

    public override bool IsInvalid => handle == 0;

    private void Set(int parameter, int value)
    {
        nuint result = ZstdNative.ZSTD_CCtx_setParameter(handle, parameter, value);
        if (ZstdNative.ZSTD_isError(result) != 0)
            throw new InvalidOperationException($"zstd: parameter {parameter} = {value}: {ZstdNative.ErrorName(result)}");
    }

    protected override bool ReleaseHandle() => ZstdNative.ZSTD_freeCCtx(handle) == 0;
}

/// <summary>A ZSTD_DCtx that accepts windows up to <see cref="Decompression.MaxZstdWindowLog"/>.</summary>
internal sealed class ZstdDecompression : SafeHandle
{
    // Somewhat more than the usual levels' windows. A context that is used again has its window's pages already.
    private const int MaxIdleSize = 12 << 20;

    private static ZstdDecompression? s_idle;

    public ZstdDecompression(int maxWindowLog = Decompression.MaxZstdWindowLog) : base(0, ownsHandle: true)
    {
        SetHandle(ZstdNative.ZSTD_createDCtx());
        if (IsInvalid)
            throw new InsufficientMemoryException("zstd: no memory for a decoder");
        Accept(maxWindowLog);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>One that was given back, or a new one; whoever takes it ends with <see cref="GiveBack"/>.</summary>
    public static ZstdDecompression Take(int maxWindowLog)
    {
        if (Interlocked.Exchange(ref s_idle, null) is not { } idle)
            return new ZstdDecompression(maxWindowLog);
        _ = ZstdNative.ZSTD_DCtx_reset(idle, ZstdNative.ZSTD_reset_session_only);
        idle.Accept(maxWindowLog);
        return idle;
    }

    /// <summary>Keeps it for the next who wants one; frees it when it is large, or there is one already.</summary>
    public void GiveBack()
    {
        if (ZstdNative.ZSTD_sizeof_DCtx(this) > MaxIdleSize || Interlocked.CompareExchange(ref s_idle, this, null) is not null)
            Dispose();
    }

    private void Accept(int maxWindowLog) => _ = ZstdNative.ZSTD_DCtx_setParameter(handle, ZstdNative.ZSTD_d_windowLogMax, maxWindowLog);

    protected override bool ReleaseHandle() => ZstdNative.ZSTD_freeDCtx(handle) == 0;
}
