using System.Runtime.Intrinsics.X86;
using System.Text;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class Crc32CTests
{
    private static readonly byte[] s_noise = Noise(3 * 3 * 4096 + 12345);

    private static byte[] Noise(int length)
    {
        byte[] bytes = new byte[length];
        new Random(1).NextBytes(bytes);
        return bytes;
    }

    // The bits one by one, as the definition has them.
    private static uint ByDefinition(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
        }
        return crc;
    }

    // RFC 3720, appendix B.4, and the check value of the catalogue of CRCs: of the iSCSI form, which starts at ~0 and is inverted.
    [Theory]
    [InlineData("123456789", 0xE3069283)]
    [InlineData("", 0)]
    [InlineData("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0x8A9136AA)]
    public void Knows_the_published_vectors(string text, uint iscsi) =>
        Assert.Equal(iscsi, ~Crc32C.Append(uint.MaxValue, Encoding.ASCII.GetBytes(text)));

    [Fact]
    public void Starts_at_zero_and_is_not_inverted() => Assert.Equal(0x58E3FA20u, Crc32C.Append(0, "123456789"u8));

    [Fact]
    public void All_ways_give_the_same_at_every_length()
    {
        Assert.SkipUnless(Sse42.X64.IsSupported && Pclmulqdq.IsSupported, "needs SSE4.2 and PCLMULQDQ");
        // Every short length, and those around the lanes of the three chains.
        IEnumerable<int> lengths = Enumerable.Range(0, 1000).Concat([1535, 1536, 1537, 1544, 3072, 12287, 12288, 12289, 24576, s_noise.Length - 7]);
        foreach (int length in lengths)
        {
            ReadOnlySpan<byte> bytes = s_noise.AsSpan(length % 7, length);
            uint expected = ByDefinition(0xDEADBEEF, bytes);
            Assert.Equal(expected, Crc32C.Append(0xDEADBEEF, bytes));
            Assert.Equal(expected, Crc32C.AppendBySlices(0xDEADBEEF, bytes));
            Assert.Equal(expected, Crc32C.AppendByOneChain(0xDEADBEEF, bytes));
            Assert.Equal(expected, Crc32C.AppendByThreeChains(0xDEADBEEF, bytes));
        }
    }

    [Fact]
    public void May_be_fed_in_pieces()
    {
        uint whole = Crc32C.Append(0, s_noise);
        for (int cut = 0; cut < s_noise.Length; cut += 997)
            Assert.Equal(whole, Crc32C.Append(Crc32C.Append(0, s_noise.AsSpan(0, cut)), s_noise.AsSpan(cut)));
    }
}
