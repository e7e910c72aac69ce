using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Layerbox.SendStream;

/// <summary>
/// SipHash-2-4 (Aumasson and Bernstein, 2012): a hash of 64 bits under a secret of 128, with which nobody who does not know the secret can
/// make two inputs collide but by chance.
/// </summary>
internal readonly struct SipHash(UInt128 secret)
{
    private readonly ulong _k0 = (ulong)secret, _k1 = (ulong)(secret >> 64);

    /// <summary>Of 16 bytes, given as two words, and all others behind them.</summary>
    public ulong Of(ulong first, ulong second, ReadOnlySpan<byte> bytes)
    {
        State state = new(_k0, _k1);
        state.Add(first);
        state.Add(second);
        return state.End(bytes, 16);
    }

    /// <summary>Of bytes.</summary>
    public ulong Of(ReadOnlySpan<byte> bytes) => new State(_k0, _k1).End(bytes, 0);

    private struct State(ulong k0, ulong k1)
    {
        private ulong _v0 = k0 ^ 0x736F6D6570736575, _v1 = k1 ^ 0x646F72616E646F6D, _v2 = k0 ^ 0x6C7967656E657261, _v3 = k1 ^ 0x7465646279746573;

        public void Add(ulong word)
        {
            _v3 ^= word;
            Round();
            Round();
            _v0 ^= word;
        }

        public ulong End(ReadOnlySpan<byte> bytes, int before)
        {
            ulong last = (ulong)(bytes.Length + before) << 56;
            for (; bytes.Length >= 8; bytes = bytes[8..])
                Add(BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            for (int i = 0; i < bytes.Length; i++)
                last |= (ulong)bytes[i] << (8 * i);
            Add(last);
            _v2 ^= 0xFF;
            for (int i = 0; i < 4; i++)
                Round();
            return _v0 ^ _v1 ^ _v2 ^ _v3;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Round()
        {
            _v0 += _v1;
            _v1 = BitOperations.RotateLeft(_v1, 13) ^ _v0;
            _v0 = BitOperations.RotateLeft(_v0, 32);
            _v2 += _v3;
            _v3 = BitOperations.RotateLeft(_v3, 16) ^ _v2;
            _v0 += _v3;
            _v3 = BitOperations.RotateLeft(_v3, 21) ^ _v0;
            _v2 += _v1;
            _v1 = BitOperations.RotateLeft(_v1, 17) ^ _v2;
            _v2 = BitOperations.RotateLeft(_v2, 32);
        }
    }
}
