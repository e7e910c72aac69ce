using System.Globalization;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

/// <summary>What a check of send-streams remembers with: the table, its pages, and the hash.</summary>
public sealed class CheckedTableTests
{
    // The vectors of the reference implementation: key 00 01 … 0f, inputs of the bytes 0, 1, 2, …
    [Theory]
    [InlineData(0, "726fdb47dd0e0e31")]
    [InlineData(1, "74f839c593dc67fd")]
    [InlineData(7, "ab0200f58b01d137")]
    [InlineData(8, "93f5f5799a932462")]
    [InlineData(15, "a129ca6149be45e5")]
    public void SipHash_is_as_published(int length, string expected)
    {
        SipHash hash = new(new UInt128(0x0F0E0D0C0B0A0908, 0x0706050403020100));
        byte[] input = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
        Assert.Equal(expected, hash.Of(input).ToString("x16", CultureInfo.InvariantCulture));
    }

    [Fact]
    public void Two_words_are_the_bytes_before_the_others()
    {
        SipHash hash = new(new UInt128(1, 2));
        Assert.Equal(hash.Of([3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, .. "name"u8]), hash.Of(3, 4, "name"u8));
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(2)]
    public void Keeps_what_a_dictionary_keeps(int maxHeld)
    {
        const int Steps = 30_000, Keys = 10_000;
        using MemorySpool spool = new();
        using CheckedPages pages = new(maxHeld, () => spool);
        CheckedTable table = new(pages);
        Dictionary<ulong, uint> expected = [];
        Random random = new(1);
        ulong[] keys = [0, ulong.MaxValue, .. Enumerable.Range(0, Keys).Select(_ => (ulong)random.NextInt64() * 2)];
        for (int step = 0; step < Steps; step++)
        {
            ulong key = keys[random.Next(keys.Length)];
            key = key == 0 ? 1 : key;
            Assert.Equal(expected.TryGetValue(key, out uint known) ? known : null, table.Find(key));
            if (expected.ContainsKey(key) && random.Next(3) == 0)
            {
                table.Remove(key);
                expected.Remove(key);
            }
            else
            {
                table.Set(key, (uint)step);
                expected[key] = (uint)step;
            }
        }
        foreach (ulong key in keys)
            Assert.Equal(expected.TryGetValue(key == 0 ? 1 : key, out uint known) ? known : null, table.Find(key));
        Assert.Equal(maxHeld < int.MaxValue, spool.Bytes.Length > 0);
    }

    private sealed class MemorySpool : CheckSpool
    {
        public MemoryStream Bytes { get; } = new();

        public override void WriteAt(long offset, ReadOnlySpan<byte> bytes)
        {
            Bytes.Position = offset;
            Bytes.Write(bytes);
        }

        public override void ReadAt(long offset, Span<byte> bytes)
        {
            Bytes.Position = offset;
            Bytes.ReadExactly(bytes);
        }

        public override void Dispose() { }
    }
}
