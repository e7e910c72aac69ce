using System.Text;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

/// <summary>However an input is brought in, the same is read from it, and the same is wrong with it.</summary>
public class MappedStreamsTests
{
    // Longer than two windows, with commands of all sizes and a stream behind the first.
    private static readonly byte[] s_long = MakeLong();

    private static byte[] MakeLong()
    {
        StringBuilder script = new("subvol a; mkfile f");
        for (int i = 0; i < 250; i++)
            script.Append($"; write f {i} x*{(i * 7919) % 65000}; chmod f 644; truncate f {i}");
        byte[] first = StreamScript.Make($"{script}; end");
        return [.. first, .. StreamScript.Make($"{script.Replace("subvol a", "snapshot b")}; write f 0 x*9000000; chmod f 755; end", version: 2)];
    }

    private static string Digest(SendStreamReader reader)
    {
        using MemoryStream lines = new();
        string end = "good";
        try
        {
            new SendStreamJson(lines).WriteAll(reader);
        }
        catch (SendStreamException e)
        {
            end = e.Message;
        }
        return $"{reader.Position} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(lines.ToArray()))} {end}";
    }

    /// <summary>Shows copies, so that what is used although it is not shown any more is seen.</summary>
    private static MappedStreams Map(byte[] stream, int threads)
    {
        byte[] shown = [];
        return new MappedStreams((offset, length) =>
        {
            shown.AsSpan().Fill(0xEE);
            return shown = stream.AsSpan((int)offset, length).ToArray();
        }, stream.Length, threads);
    }

    private static void AssertSameEverywhere(byte[] stream, string end, SendStreamLimits? limits = null)
    {
        string read = Digest(new SendStreamReader(new MemoryStream(stream), limits));
        Assert.EndsWith(end, read, StringComparison.Ordinal);
        for (int threads = 1; threads <= 3; threads++)
        {
            using MappedStreams mapping = Map(stream, threads);
            Assert.Equal(read, Digest(new SendStreamReader(mapping, limits)));
        }
    }

    [Fact]
    public void Good_streams_are_the_same_read_mapped_and_on_several_threads() => AssertSameEverywhere(s_long, " good");

    [Theory]
    [InlineData(0)]
    [InlineData(70)]
    [InlineData(300_000)]
    [InlineData(4_194_304)]
    [InlineData(7_000_000)]
    [InlineData(9_000_000)]
    [InlineData(24_000_000)]
    public void Faults_are_the_same_too(int at)
    {
        byte[] damaged = [.. s_long];
        damaged[at] ^= 0x10;
        AssertSameEverywhere(damaged, "");
        Assert.DoesNotContain("good", Digest(new SendStreamReader(new MemoryStream(damaged))), StringComparison.Ordinal);
        AssertSameEverywhere(s_long[..at], "");
    }

    [Fact]
    public void Damage_is_not_seen_when_nobody_looks_at_crcs()
    {
        byte[] damaged = [.. s_long];
        damaged[9_000_000] ^= 0x10;
        AssertSameEverywhere(damaged, " good", new SendStreamLimits { SkipCrc = true });
    }

    [Fact]
    public void Frames_can_be_read_without_their_attributes()
    {
        byte[] stream = StreamScript.Make("subvol v; mkfile a; end");
        SendStreamReader reader = new(new MemoryStream(stream));
        Assert.True(reader.ReadFrame());
        Assert.Equal((SendCommandKind.Subvol, 47, false), (reader.Command.Kind, reader.Frame.Length, reader.Command.Has(SendAttribute.Path)));
        reader.Command.Parse();
        Assert.Equal("v"u8, reader.Command.Bytes(SendAttribute.Path));
        Assert.True(reader.ReadFrame());
        Assert.False(reader.Command.Has(SendAttribute.Path));
        Assert.True(reader.ReadFrame());
        Assert.False(reader.ReadFrame());
    }
}
