using System.Text.RegularExpressions;
using Layerbox.SendStream;
using static Layerbox.Tests.SendStream.RawStream;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.Tests.SendStream;

public partial class SendStreamCheckTests
{
    public static TheoryData<string> BadNames => [.. BadStreams.All.Select(b => b.Name)];

    [Theory]
    [MemberData(nameof(BadNames))]
    public void Finds_what_is_wrong(string name)
    {
        (_, byte[] bytes, string findings) = BadStreams.All.Single(b => b.Name == name);
        Assert.Equal(findings, Findings(bytes));
    }

    public static TheoryData<string> OddNames => [.. BadStreams.Odd.Select(b => b.Name)];

    [Theory]
    [MemberData(nameof(OddNames))]
    public void Finds_nothing_in_what_is_only_odd(string name) => Assert.Equal("", Findings(BadStreams.Odd.Single(b => b.Name == name).Bytes));

    [Fact]
    public void Depth_costs_no_stack()
    {
        const int Levels = 20_000;
        IEnumerable<string> deeper = Enumerable.Repeat("mkdir b; rename a b/a; rename b a", Levels);
        Assert.Equal("", Findings(StreamScript.Make($"subvol vol; mkdir a; {string.Join(';', deeper)}; snapshot vol2; mkdir a/b; end")));
    }

    [Fact]
    public void Extended_attributes_are_no_more_than_can_be_listed()
    {
        const int Most = 65_536 / 11; // each name has 10 bytes and a NUL
        byte[] stream = StreamScript.Make($"subvol vol; mkfile a; {string.Join(';', Enumerable.Range(0, Most + 2).Select(i => $"set_xattr a user.{i:d5} x"))}; end");
        Assert.Equal([$"xattr_too_many {Most + 3}", $"xattr_too_many {Most + 4}"], Find(stream).Select(f => $"{f.Code} {f.Index}"));
    }

    [Fact]
    public void Names_of_bad_streams_are_given_once() => Assert.Equal(BadStreams.All.Count, BadStreams.All.DistinctBy(b => b.Name).Count());

    /// <summary>LAYERBOX_BAD_STREAMS is a folder of files NAME.stream that somebody else made of the same descriptions. Run by "-explicit only".</summary>
    [Fact(Explicit = true)]
    public void Finds_the_same_in_bad_streams_of_others()
    {
        string? folder = Environment.GetEnvironmentVariable("LAYERBOX_BAD_STREAMS");
        Assert.NotNull(folder);
        Dictionary<string, string> expected = BadStreams.All.ToDictionary(b => b.Name, b => b.Findings);
        string[] files = Directory.GetFiles(folder!, "*.stream");
        Assert.NotEmpty(files);
        Assert.Multiple([.. files.Select(file => (Action)(() =>
            Assert.Equal((file, expected[System.IO.Path.GetFileNameWithoutExtension(file)]), (file, Findings(File.ReadAllBytes(file))))))]);
    }

    [Fact]
    public void Bad_streams_cost_neither_time_nor_memory()
    {
        foreach ((string name, byte[] bytes, _) in BadStreams.All)
        {
            Findings(bytes); // what is compiled and allocated once
            long before = GC.GetAllocatedBytesForCurrentThread();
            TimeSpan start = ThreadTime.Now;
            Findings(bytes);
            Assert.True(ThreadTime.Now - start < TimeSpan.FromSeconds(2), name);
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 64 << 20, name);
        }
    }

    [Theory]
    [InlineData("chmod f 4755", "setuid")]
    [InlineData("chmod f 2755", "setgid")]
    [InlineData("chmod f 6777", "setuid setgid world_writable")]
    [InlineData("chmod d 6755", "")]
    [InlineData("chmod d 1777", "")]
    [InlineData("chmod d 777", "world_writable")]
    [InlineData("chmod f 1666", "world_writable")] // the sticky bit protects what is in a directory, and no file
    [InlineData("chmod f 644", "")]
    [InlineData("mknod n 20600 259", "device_node")]
    [InlineData("mknod n 60600 259", "device_node")]
    [InlineData("set_xattr f security.capability x", "file_capability")]
    [InlineData("set_xattr f user.x x", "")]
    [InlineData("symlink l /etc/passwd", "")]
    public void Audits_what_a_stream_brings(string line, string codes)
    {
        byte[] stream = StreamScript.Make($"subvol vol; mkfile f; mkdir d; {line}; end");
        Assert.Equal(codes, string.Join(' ', Find(stream).Select(f => f.Code)));
        Assert.All(Find(stream), f => Assert.Equal((FindingSeverity.Audit, 4L), (f.Severity, f.Index)));
    }

    [Fact]
    public void Goes_on_behind_what_is_impossible_as_if_it_were_not_there()
    {
        byte[] stream = StreamScript.Make(
            "subvol vol; mkdir d; mkfile d; write d 0 x; mkfile d/f; rename d/f nowhere/f; write d/f 0 abc; clone d/f 9 4 d/f 0; clone d/f 9 3 d/f 0; unlink d; unlink d/f; rmdir d; rmdir d; end");
        Assert.Equal(["exists 3", "not_a_file 4", "not_found 6", "clone_range 8", "is_a_directory 10", "not_found 13"], Find(stream).Select(f => $"{f.Code} {f.Index}"));
    }

    [Fact]
    public void Says_where_the_whole_stream_begins_when_it_was_restarted()
    {
        byte[] whole = Stream(1, Subvol, Mkfile("a"), Write("a", 0, new byte[1000]), End);
        SendStreamFinding finding = Assert.Single(Find([.. whole[..500], .. whole]));
        Assert.Equal(("restarted", 500L), (finding.Code, finding.Restart));
    }

    [Fact]
    public void Inputs_build_upon_earlier_ones()
    {
        SendStreamCheck check = new(finding => Assert.Fail(finding.ToString()));
        check.Check(new SendStreamReader(new MemoryStream(StreamScript.Make("subvol vol; mkfile a; write a 0 abc; end"))));
        check.Check(new SendStreamReader(new MemoryStream(StreamScript.Make("snapshot vol2; clone a 3 3 a 0 11; rename a b; end"))));
        check.Check(new SendStreamReader(new MemoryStream(StreamScript.Make("snapshot vol3 33 22; truncate b 2; unlink b; end", version: 2))));
    }

    [Fact]
    public void Without_what_it_builds_upon_a_stream_is_checked_as_far_as_can_be()
    {
        byte[] stream = StreamScript.Make(
            "snapshot vol2; rename d/a b; write b 5 x; truncate b 3; clone b 3 3 b 0 22; clone b 3 9 c 0 11; clone b 3 9 c 0 44; clone b 3 9 e 0 44; rmdir gone; mkfile d/a; mkfile d/a; write gone 0 x; rmdir b; end");
        Assert.Equal(
            ["parent_unknown 1", "clone_source_unknown 7", "exists 11", "not_found 12", "not_a_directory 13"],
            Find(stream).Select(f => $"{f.Code} {f.Index}"));
        Assert.Equal([FindingSeverity.Warning, FindingSeverity.Warning, FindingSeverity.Error, FindingSeverity.Error, FindingSeverity.Error], Find(stream).Select(f => f.Severity));
    }

    [Fact]
    public void Goes_on_in_a_subvolume_with_a_wrong_name_or_uuid()
    {
        byte[] stream = StreamScript.Make("subvol ..; mkfile a; write b 0 x; end", version: 2);
        Assert.Equal(["subvolume_name 1", "not_found 3"], Find(stream).Select(f => $"{f.Code} {f.Index}"));
        Assert.Equal(["subvolume_repeated 4", "not_found 5"], Find(StreamScript.Make("subvol vol; mkfile a; mkfile b; subvol vol; write a 0 x; end")).Select(f => $"{f.Code} {f.Index}"));
    }

    [Fact]
    public void Of_frames_only_says_nothing_about_their_meaning()
    {
        List<string> codes = [];
        SendStreamCheck check = new(finding => codes.Add(finding.Code), framesOnly: true);
        check.Check(new SendStreamReader(new MemoryStream(Stream(1, Subvol, Mkfile("../x"), Command((K)99), Chmod("nope", 0x9FF), Mkfile("a")[..^1]))));
        Assert.Equal(["command_unknown", "command_cut"], codes);
    }

    [Fact]
    public void A_stream_without_data_is_said_to_be_one_once() =>
        Assert.Equal(["no_data 3"], Find(StreamScript.Make("subvol v; mkfile a; update_extent a 0 9; update_extent a 9 9; end")).Select(f => $"{f.Code} {f.Index}"));

    [Fact]
    public void Every_code_is_explained() =>
        Assert.Equal(SendStreamFinding.Codes, TableRow().Matches(File.ReadAllText(Repository.PathOf("docs", "sendstream-check.md"))).Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal));

    /// <summary>"code offset index" of all findings.</summary>
    private static string Findings(byte[] stream) => string.Join("; ", Find(stream).Select(f => $"{f.Code} {f.Offset} {f.Index}"));

    private static List<SendStreamFinding> Find(byte[] stream)
    {
        List<SendStreamFinding> findings = [];
        SendStreamCheck check = new(findings.Add);
        check.Check(new SendStreamReader(new MemoryStream(stream)));
        return findings;
    }

    [GeneratedRegex(@"^\| `([a-z0-9_]+)` \|", RegexOptions.Multiline)]
    private static partial Regex TableRow();
}
