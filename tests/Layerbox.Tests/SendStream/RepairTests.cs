using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class RepairTests
{
    private const int Header = SendStreamFormat.HeaderLength;

    private static readonly byte[] s_whole = StreamScript.Make("subvol vol; mkfile a; write a 0 x*9000; write a 9000 y*9000; end");

    private static (byte[] Kept, StreamRepair Repair) Repair(byte[] bytes)
    {
        StreamRepair repair = StreamRepair.Of(new MemoryBytes(bytes), bytes.Length);
        using Stream stream = repair.Open();
        using MemoryStream kept = new();
        stream.CopyTo(kept);
        return (kept.ToArray(), repair);
    }

    [Fact]
    public void What_is_whole_stays()
    {
        byte[] several = [.. s_whole, .. StreamScript.Make("subvol w 33; end", 2)];
        (byte[] kept, StreamRepair repair) = Repair(several);
        Assert.Equal(several, kept);
        Assert.Empty(repair.Dropped);
    }

    [Fact]
    public void Wherever_it_was_cut_the_complete_stream_is_found()
    {
        byte[] before = StreamScript.Make("subvol b 33; mkdir d; end", 2), behind = StreamScript.Make("snapshot s 44; mkdir e; end");
        for (int cut = Header; cut < s_whole.Length; cut += cut < 200 || s_whole.Length - cut < 20 ? 1 : 97)
        {
            (byte[] kept, StreamRepair repair) = Repair([.. before, .. s_whole[..cut], .. s_whole, .. behind]);
            Assert.Equal([.. before, .. s_whole, .. behind], kept);
            Assert.Equal([new StreamRange(before.Length, cut)], repair.Dropped);
        }
    }

    [Fact]
    public void It_may_have_happened_more_than_once()
    {
        (byte[] kept, StreamRepair repair) = Repair([.. s_whole[..5000], .. s_whole[..12000], .. s_whole[..90], .. s_whole]);
        Assert.Equal(s_whole, kept);
        Assert.Equal([new(0, 5000), new(5000, 12000), new(17000, 90)], repair.Dropped);
    }

    [Fact]
    public void Streams_in_the_data_of_files_are_not_believed()
    {
        // A file that holds a whole stream, and the beginning of one, in the midst of which the sender was stopped.
        byte[] embedded = StreamScript.Make("subvol vol 55; mkfile z; end"), stream = Stream([.. new byte[100], .. embedded, .. s_whole[..100], .. embedded, .. new byte[5000]]);
        foreach (int cut in new[] { stream.Length - 4000, stream.Length - 5100, stream.Length - 30 })
        {
            (byte[] kept, _) = Repair([.. stream[..cut], .. stream]);
            Assert.Equal(stream, kept);
        }

        static byte[] Stream(byte[] data)
        {
            using MemoryStream output = new();
            SendStreamWriter writer = new(output, 2);
            writer.Begin(SendCommandKind.Subvol).Bytes(SendAttribute.Path, "vol"u8).Uuid(SendAttribute.Uuid, StreamScript.Uuid("11")).UInt64(SendAttribute.Ctransid, 7).End();
            writer.Begin(SendCommandKind.Write).Bytes(SendAttribute.Path, "f"u8).UInt64(SendAttribute.FileOffset, 0).Bytes(SendAttribute.Data, data).End();
            writer.Begin(SendCommandKind.End).End();
            writer.Flush();
            return output.ToArray();
        }
    }

    [Fact]
    public void Further_subvolumes_that_share_a_header_begin_anew_without_one()
    {
        byte[] shared = StreamScript.Make("subvol a 11; mkdir d; snapshot b 22; mkfile f; write f 0 x*5000; mkfile g; end");
        int second = 91; // where the snapshot command begins
        Assert.Equal((byte)SendCommandKind.Snapshot, shared[second + 4]);
        for (int cut = second + 120; cut < shared.Length; cut += 11)
        {
            (byte[] kept, StreamRepair repair) = Repair([.. shared[..cut], .. shared[second..]]);
            Assert.Equal(shared, kept);
            Assert.Equal([new StreamRange(second, cut - second)], repair.Dropped);
        }
        (byte[] first, _) = Repair([.. shared[..100], .. shared]);
        Assert.Equal(shared, first);
    }

    [Theory]
    [InlineData(5000, 0, "offset 93: command 3 (write): cut: 4897 of 9021 bytes; nothing behind it begins the subvolume anew, so it cannot be repaired")]
    [InlineData(9130, 0, "offset 9124: command 4: its header is cut: 6 bytes")]
    [InlineData(18000, 17, "the subvolume anew, so it cannot be repaired")]
    [InlineData(18000, 18000, "the subvolume anew, so it cannot be repaired")]
    public void Other_damage_is_an_error(int cut, int second, string expected)
    {
        Exception thrown = Assert.ThrowsAny<Exception>(() => Repair([.. s_whole[..cut], .. s_whole[..second]]));
        Assert.Contains(expected, thrown.Message, StringComparison.Ordinal);
    }
}
