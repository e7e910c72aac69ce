using System.Text;
using System.Text.Json;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class SendStreamStatisticsTests
{
    private static JsonElement Count(byte[] stream, int depth = 1, int top = 20)
    {
        using MemoryStream output = new();
        new SendStreamStatistics(output, depth, top).WriteAll(new SendStreamReader(new MemoryStream(stream)));
        return JsonDocument.Parse(output.ToArray()).RootElement;
    }

    private static string Text(JsonElement element) => element.GetRawText();

    [Fact]
    public void Counts_by_command_stream_and_compression()
    {
        byte[] stream =
        [
            .. StreamScript.Make("subvol a; mkfile f; write f 0 x*100; write f 100 x*50; utimes f 9 5; utimes f -9; end"),
            .. StreamScript.Make("snapshot b; clone f 0 4096 f 8192; encoded_write f 0 10 20 5 2 xyz; encoded_write f 0 1 20 5 5 xyz; end", version: 2),
        ];
        JsonElement counted = Count(stream);
        Assert.Equal((stream.Length, 12, 2), (counted.GetProperty("bytes").GetInt32(), counted.GetProperty("commands").GetInt32(), counted.GetProperty("stream_count").GetInt32()));
        Assert.Equal("""{"commands":2,"bytes":212,"file_bytes":150,"cloned_bytes":0}""", Text(counted.GetProperty("by_command").GetProperty("write")));
        Assert.Equal("""
            [{"compression":"zstd","commands":1,"encoded_bytes":3,"decoded_bytes":20,"file_bytes":10},{"compression":"lzo_16k","commands":1,"encoded_bytes":3,"decoded_bytes":20,"file_bytes":1}]
            """, Text(counted.GetProperty("encoded_writes")));
        Assert.Equal("""{"sec":-9,"nsec":0} {"sec":9,"nsec":5}""", $"{Text(counted.GetProperty("oldest_mtime"))} {Text(counted.GetProperty("newest_mtime"))}");
        JsonElement second = counted.GetProperty("streams")[1];
        Assert.Equal((2, 5, 4096), (second.GetProperty("version").GetInt32(), second.GetProperty("commands").GetInt32(), second.GetProperty("cloned_bytes").GetInt32()));
        Assert.Equal("""
            [{"path":"b","uuid":"22222222-2222-2222-2222-222222222222","ctransid":9,"parent_uuid":"11111111-1111-1111-1111-111111111111"}]
            """, Text(second.GetProperty("subvolumes")));
    }

    [Fact]
    public void Compressions_that_do_not_exist_are_not_counted_without_end_and_hide_none_that_does()
    {
        string odd = string.Join(';', Enumerable.Range(100, 50).Select(compression => $"encoded_write f 0 1 20 5 {compression} xyz"));
        JsonElement counted = Count(StreamScript.Make($"subvol b; encoded_write f 0 1 20 5 2 xyz; {odd}; encoded_write f 0 1 20 5 2 xyz; encoded_write f 0 1 20 5 1 xyz; end", version: 2));
        JsonElement[] listed = [.. counted.GetProperty("encoded_writes").EnumerateArray()];
        Assert.Equal(["zlib 1", "zstd 2"], listed[..2].Select(l => $"{l.GetProperty("compression")} {l.GetProperty("commands")}"));
        Assert.InRange(listed.Length, 3, 40);
    }

    [Fact]
    public void Counts_by_the_beginnings_of_paths()
    {
        byte[] stream = StreamScript.Make("subvol a; mkfile o257-7-0; rename o258-7-0/x usr/x; write usr/bin/x 0 x*1000; write usr/bin/y 0 x*5000; write usr/bin/x 9 x*100; write usr/lib/z 0 x*900; write \u00ff 0 x*10; chmod - 755; end");
        Assert.Equal(["usr 7000", "temporary_names 0", " 0", "/w== 10"], Paths(Count(stream), "paths").Order(StringComparer.Ordinal).Reverse().OrderBy(p => !p.StartsWith("usr", StringComparison.Ordinal)).ThenBy(p => p.StartsWith('/') ? 2 : p.StartsWith(' ') ? 1 : 0));
        Assert.Equal("usr/bin 6100", Paths(Count(stream, depth: 2), "paths")[0]);
        Assert.Equal(["usr/bin/y 5000", "usr/bin/x 1000"], Paths(Count(stream, top: 2), "largest"));
        Assert.Empty(Paths(Count(stream, top: 0), "paths"));
    }

    private static List<string> Paths(JsonElement counted, string member) =>
        [.. counted.GetProperty(member).EnumerateArray().Select(e => $"{(e.EnumerateObject().First() is { Value.ValueKind: JsonValueKind.True } label ? label.Name : e.EnumerateObject().First().Value.GetString())} {e.GetProperty("file_bytes")}")];

    [Fact]
    public void Memory_does_not_grow_with_the_number_of_paths()
    {
        StringBuilder script = new("subvol a");
        for (int i = 0; i < 30_000; i++)
            script.Append($"; unlink {i}");
        JsonElement paths = Count(StreamScript.Make($"{script}; end")).GetProperty("paths");
        Assert.True(paths[0].GetProperty("others").GetBoolean());
    }

    [Fact]
    public void Nothing_is_said_of_a_broken_stream()
    {
        using MemoryStream output = new();
        Assert.Throws<SendStreamException>(() => new SendStreamStatistics(output, 1, 1).WriteAll(new SendStreamReader(new MemoryStream(StreamScript.Make("subvol a; end")[..^1]))));
        Assert.Equal(0, output.Length);
    }
}
