using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Layerbox.SendStream;

/// <summary>
/// CRC32C (Castagnoli) as send streams use it: initial value 0 and no inversion at the end, unlike the iSCSI form. Continues
/// where a previous value stopped, so a frame may be fed in pieces.
/// </summary>
public static class Crc32C
{
    /// <summary>The polynomial 0x1EDC6F41, bits reflected.</summary>
    private const uint Polynomial = 0x82F63B78;

    private const int SliceCount = 8;

    // Three chains hide the three cycles that one crc32 instruction takes. Longer lanes mean fewer joins; what a lane size leaves
    // over goes to the next smaller one.
    private const int LongLane = 4096, MiddleLane = 512, ShortLane = 128;

    /// <summary>Below this three chains cost more to join than they gain.</summary>
    private const int ThreeChainMinimum = 3 * ShortLane;

    private static readonly uint[] s_slices = MakeSlices();
    private static readonly Join s_long = new(LongLane), s_middle = new(MiddleLane), s_short = new(ShortLane);

    /// <summary>The raw CRC of all bytes that <paramref name="crc"/> stands for, followed by these.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        if (!Sse42.X64.IsSupported)
            return AppendBySlices(crc, bytes);
        return bytes.Length >= ThreeChainMinimum && Pclmulqdq.IsSupported ? AppendByThreeChains(crc, bytes) : AppendByOneChain(crc, bytes);
    }

    /// <summary>
    /// The CRC that the header of a command should hold. Its own four bytes count as zeros, whatever they are.
    /// </summary>
    /// <param name="frame">The command: header and payload.</param>
    /// <param name="seed">0; another one only to recognise other forms of CRC32C.</param>
    public static uint OfFrame(ReadOnlySpan<byte> frame, uint seed = 0)
    {
        // The header is ten bytes, the CRC the last four: eight bytes of which two are masked, and two more zeros.
        ulong head = BinaryPrimitives.ReadUInt64LittleEndian(frame) & 0x0000_FFFF_FFFF_FFFF;
        ReadOnlySpan<byte> payload = frame[SendStreamFormat.CommandHeaderLength..];
        if (Sse42.X64.IsSupported)
            return Append(Sse42.Crc32((uint)Sse42.X64.Crc32(seed, head), (ushort)0), payload);
        Span<byte> header = stackalloc byte[SendStreamFormat.CommandHeaderLength];
        BinaryPrimitives.WriteUInt64LittleEndian(header, head);
        return AppendBySlices(AppendBySlices(seed, header), payload);
    }

    /// <summary>Eight bytes a step through eight tables: for processors without the instruction.</summary>
    internal static uint AppendBySlices(uint crc, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<uint> slices = s_slices;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(bytes) ^ crc;
            crc = slices[(7 << 8) + (int)(word & 0xFF)] ^ slices[(6 << 8) + (int)((word >> 8) & 0xFF)]
                ^ slices[(5 << 8) + (int)((word >> 16) & 0xFF)] ^ slices[(4 << 8) + (int)((word >> 24) & 0xFF)]
                ^ slices[(3 << 8) + (int)((word >> 32) & 0xFF)] ^ slices[(2 << 8) + (int)((word >> 40) & 0xFF)]
                ^ slices[(1 << 8) + (int)((word >> 48) & 0xFF)] ^ slices[(int)(word >> 56)];
        }
        foreach (byte b in bytes)
            crc = slices[(int)((crc ^ b) & 0xFF)] ^ (crc >> 8);
        return crc;
    }

    /// <summary>One crc32 instruction after the other. Needs SSE4.2.</summary>
    internal static uint AppendByOneChain(uint crc, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        ulong chain = crc;
        foreach (ulong word in words)
            chain = Sse42.X64.Crc32(chain, word);
        crc = (uint)chain;
        foreach (byte b in bytes[(words.Length * sizeof(ulong))..])
            crc = Sse42.Crc32(crc, b);
        return crc;
    }

    /// <summary>Three chains side by side, joined by carry-less multiplication. Needs SSE4.2 and PCLMULQDQ.</summary>
    internal static uint AppendByThreeChains(uint crc, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 3 * LongLane; bytes = bytes[(3 * LongLane)..])
            crc = AppendLanes(crc, bytes, LongLane, s_long);
        for (; bytes.Length >= 3 * MiddleLane; bytes = bytes[(3 * MiddleLane)..])
            crc = AppendLanes(crc, bytes, MiddleLane, s_middle);
        for (; bytes.Length >= 3 * ShortLane; bytes = bytes[(3 * ShortLane)..])
            crc = AppendLanes(crc, bytes, ShortLane, s_short);
        return AppendByOneChain(crc, bytes);
    }

    private static uint AppendLanes(uint crc, ReadOnlySpan<byte> bytes, int lane, Join join)
    {
        ref byte at = ref MemoryMarshal.GetReference(bytes[..(3 * lane)]);
        ref byte end = ref Unsafe.Add(ref at, lane);
        ulong first = crc, second = 0, third = 0;
        do
        {
            first = Sse42.X64.Crc32(first, Unsafe.ReadUnaligned<ulong>(ref at));
            second = Sse42.X64.Crc32(second, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, lane)));
            third = Sse42.X64.Crc32(third, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, 2 * lane)));
            at = ref Unsafe.Add(ref at, sizeof(ulong));
        } while (Unsafe.IsAddressLessThan(ref at, ref end));
        // CRCs are linear: what one lane left is moved over the lanes behind it and added to theirs. The last crc32
        // reduces the 64-bit products.
        ulong moved = Multiply(first, join.OverTwoLanes) ^ Multiply(second, join.OverOneLane);
        return (uint)(Sse42.X64.Crc32(0, moved) ^ third);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Multiply(ulong crc, ulong power) =>
        Pclmulqdq.CarrylessMultiply(Vector128.CreateScalar(crc), Vector128.CreateScalar(power), 0).ToScalar();

    private static uint[] MakeSlices()
    {
        uint[] slices = new uint[SliceCount * 256];
        for (uint i = 0; i < 256; i++)
        {
            uint crc = i;
            for (int bit = 0; bit < 8; bit++)
                crc = TimesX(crc);
            slices[i] = crc;
        }
        for (int i = 256; i < slices.Length; i++)
            slices[i] = slices[slices[i - 256] & 0xFF] ^ (slices[i - 256] >> 8);
        return slices;
    }

    private static uint TimesX(uint crc) => (crc >> 1) ^ ((crc & 1) != 0 ? Polynomial : 0);

    /// <summary>
    /// The factors that move a CRC over one and two lanes: x^(8·bytes - 33) mod P. 33, because the reflected product of two
    /// 32-bit values stands one bit too high, and the crc32 that reduces it multiplies by x^32 once more.
    /// </summary>
    private readonly struct Join(int lane)
    {
        public readonly ulong OverOneLane = PowerOfX(8 * lane - 33), OverTwoLanes = PowerOfX(16 * lane - 33);

        private static uint PowerOfX(int exponent)
        {
            uint value = 0x80000000; // x^0, bits reflected
            while (exponent-- > 0)
                value = TimesX(value);
            return value;
        }
    }
}
