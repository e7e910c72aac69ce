using System.Text;
using System.Text.Json;
using Layerbox.FileTree;
using Layerbox.SendStream;
using Layerbox.Tests.SendStream;

namespace Layerbox.Tests.Cmd;

public class SendstreamRewriteTests
{
    private static readonly byte[] s_full = StreamScript.Make("subvol one 11; mkdir d; mkfile d/a; write d/a 0 hello; utimes d/a 5; mkfile b; end");
    private static readonly byte[] s_changes = StreamScript.Make("snapshot two 22 11; rename b d/b; write d/a 5 !; utimes d/a 6; end", 2);

    private static Tools.Result Rewrite(byte[] input, params string[] args) => Tools.RunWithInput(input, ["sendstream-rewrite", .. args]);

    [Theory]
    [InlineData("--proto 3", "--proto")]
    [InlineData("--proto 1 --compress zstd", "--compress needs --proto 2")]
    [InlineData("--level 3", "--level needs --compress zlib or zstd")]
    [InlineData("--compress none --level 3", "--level needs --compress zlib or zstd")]
    [InlineData("--compress zlib --level 10", "--level: expected 1 to 9, found 10")]
    [InlineData("--compress zstd --level 0", "--level: expected 1 to 22, found 0")]
    [InlineData("--name a/b", "--name: 'a/b' cannot be the name of a file")]
    [InlineData("--map-uid 5", "--map-uid: expected OLD=NEW or OLD=NEW+COUNT, numbers below 4294967295, found '5'")]
    [InlineData("--map-gid 0=1+0", "--map-gid: expected OLD=NEW or OLD=NEW+COUNT, numbers below 4294967295, found '0=1+0'")]
    [InlineData("--map-gid 0=4294967290+9", "--map-gid: expected")]
    [InlineData("--map-uid 0=1+9 --map-uid 5=7", "--map-uid: '5=7' maps what another one maps, too")]
    [InlineData("--strict-map", "--strict-map needs --map-uid or --map-gid")]
    [InlineData("--chown 5", "--chown: expected UID:GID, two numbers, found '5'")]
    [InlineData("--chown 5:6 --map-uid 1=2", "--chown does not go with --map-uid or --map-gid")]
    [InlineData("--times yesterday", "--times: expected keep, strip or clamp=SECONDS, found 'yesterday'")]
    [InlineData("--normalise --times strip", "--normalise, --include and --exclude go with --only, --name and --proto; other changes come before or after, by a pipe")]
    [InlineData("--exclude x --repair", "--normalise, --include and --exclude go with")]
    [InlineData("--split 1M --output x", "--split: expected at least 4194304 bytes, found 1048576")]
    [InlineData("--split 1G", "--split needs --output")]
    [InlineData("--join", "--join needs the path of one list of parts")]
    [InlineData("--mapped", "standard input: no regular file, which cannot be mapped: leave --mapped and --threads out")]
    [InlineData("--mapped --repair", "--repair reads what cannot be mapped: leave --mapped and --threads out")]
    [InlineData("--max-command 9", "more than the limit of 9: --max-command accepts longer ones")]
    [InlineData("--normalise --max-command 9", "more than the limit of 9: --max-command accepts longer ones")]
    [InlineData("- -", "standard input can be read once only")]
    public void Says_what_makes_no_sense(string args, string expected)
    {
        Tools.Result result = Rewrite(s_full, args.Split(' '));
        Assert.Equal(2, result.Status);
        Assert.Contains(expected, result.FirstErrorLine, StringComparison.Ordinal);
        Assert.Empty(result.Bytes);
    }

    [Fact]
    public void Inputs_are_written_one_after_another()
    {
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "full", s_full);
        Programs.Run("gzip", "-k", folder / "full");
        Assert.Equal(s_full, Rewrite(s_full).AssertSucceeded().Bytes);
        Assert.Equal([.. s_full, .. s_changes, .. s_full], Rewrite(s_changes, folder / "full", "-", folder / "full.gz").AssertSucceeded().Bytes);
        Assert.Equal(s_changes, Rewrite([.. s_full, .. s_changes], "--only", "two").AssertSucceeded().Bytes);
        Assert.Equal(s_full, Rewrite([], "--mapped", folder / "full").AssertSucceeded().Bytes);
        Assert.Equal(s_full, Rewrite([], "--threads", "2", folder / "full").AssertSucceeded().Bytes);
        byte[] newer = SendStreamReaderTests.WithUnknown();
        Assert.EndsWith(": --allow-unknown accepts it", Rewrite(newer).FirstErrorLine, StringComparison.Ordinal);
        Assert.Equal(newer, Rewrite(newer, "--allow-unknown").AssertSucceeded().Bytes);
        Assert.Equal("sendstream-rewrite: standard input: offset 66: command 2 (mkdir): cut: 1 of 17 bytes", Rewrite(s_full[..77]).FirstErrorLine);
        Assert.Equal("sendstream-rewrite: no subvolume 'six' in the input", Rewrite(s_full, "--only", "six").FirstErrorLine);
    }

    [Fact]
    public void An_output_file_appears_when_it_is_whole()
    {
        using TempFolder folder = new();
        Assert.Equal(2, Rewrite(s_full[..^3], "--output", folder / "out").Status);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
        Assert.Empty(Rewrite(s_full, "--output", folder / "out").AssertSucceeded().Out);
        Assert.Equal(s_full, File.ReadAllBytes(folder / "out"));
    }

    [Fact]
    public void Says_what_version_1_cannot() => Assert.Equal(
        "sendstream-rewrite: left out, since the version cannot say them: 2 fileattr commands",
        Rewrite(StreamScript.Make("subvol one; mkfile a; fileattr a 1; fileattr a 2; end", 2), "--proto", "1").AssertSucceeded().FirstErrorLine);

    [Fact]
    public void A_restarted_stream_is_repaired_from_a_file_and_from_a_pipe()
    {
        using TempFolder folder = new();
        byte[] restarted = [.. s_full[..100], .. s_full, .. s_changes];
        File.WriteAllBytes(folder / "in", restarted);
        foreach (Tools.Result result in new[] { Rewrite(restarted, "--repair"), Rewrite([], "--repair", folder / "in") })
        {
            Assert.Equal([.. s_full, .. s_changes], result.AssertSucceeded().Bytes);
            Assert.EndsWith("offset 0: left out 100 bytes: the sender was stopped and started over", result.FirstErrorLine, StringComparison.Ordinal);
        }
        Assert.Equal(2, Rewrite(restarted).Status);
        Assert.Equal("", Rewrite(s_full, "--repair").AssertSucceeded().Err);
        Tools.Result cut = Rewrite(s_full[..100], "--repair");
        Assert.Equal((2, 0), (cut.Status, cut.Bytes.Length));
    }

    [Fact]
    public void Same_content_gives_the_same_bytes()
    {
        byte[] otherWay = StreamScript.Make("subvol one 33; mkfile o257-1-0; rename o257-1-0 x; write x 3 lo; write x 0 hel; mkdir y; rename y d; rename x d/a; utimes d/a 5; mkfile b; chown b 0 0; end", 2);
        Assert.Equal(Rewrite(s_full, "--normalise").AssertSucceeded().Bytes, Rewrite(otherWay, "--normalise").AssertSucceeded().Bytes);

        // Incremental streams, too, upon their normalised parents.
        byte[] chain = Rewrite([.. s_full, .. s_changes], "--normalise", "--proto", "2").AssertSucceeded().Bytes;
        IReadOnlyList<ReceivedSubvolume> expected = SendStreamTree.ApplyAll(new MemoryStream([.. s_full, .. s_changes]), null, new MemoryContentStore());
        IReadOnlyList<ReceivedSubvolume> found = SendStreamTree.ApplyAll(new MemoryStream(chain), null, new MemoryContentStore());
        Assert.Equal(expected.Select(r => (r.Name, Convert.ToHexString(TreeDigest.Compute(r.Tree)))), found.Select(r => (r.Name, Convert.ToHexString(TreeDigest.Compute(r.Tree)))));
        Assert.Equal(found[0].Uuid, found[1].ParentUuid);
        byte[] last = Rewrite([.. s_full, .. s_changes], "--normalise", "--proto", "2", "--only", "two", "--name", "new").AssertSucceeded().Bytes;
        Assert.Equal(found[1].Tree.Walk().Count(), SendStreamTree.ApplyAll(new MemoryStream(last), _ => found[0].Tree, new MemoryContentStore())[0].Tree.Walk().Count());
        Assert.StartsWith("sendstream-rewrite: standard input: offset 17: command 1 (snapshot):", Rewrite(s_changes, "--normalise").FirstErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void Paths_are_filtered()
    {
        Assert.Equal(["d", "d/a"], Paths(Rewrite(s_full, "--include", "d/*")));
        Assert.Equal(["b"], Paths(Rewrite(s_full, "--exclude", "d")));
        // What comes from an excluded path has its bytes of its own.
        byte[] clones = StreamScript.Make("subvol v; mkfile a; write a 0 x*8192; mkfile b; clone b 0 8192 a 0; link c b; end");
        Tools.Result result = Rewrite(clones, "--exclude", "a", "--exclude", "b");
        Assert.Equal(["c"], Paths(result));
        Assert.Equal(8192, SendStreamTree.Apply(new MemoryStream(result.Bytes), null, new MemoryContentStore()).Tree.Root.Child(new FileName("c"))!.Content!.Size);
        // A chain stays one.
        Assert.Equal(["d", "d/a", "d/b"], Paths(Rewrite([.. s_full, .. s_changes], "--include", "d")));

        static string[] Paths(Tools.Result result) =>
            [.. SendStreamTree.ApplyAll(new MemoryStream(result.AssertSucceeded().Bytes), null, new MemoryContentStore())[^1].Tree.Walk().Skip(1).Select(e => Encoding.UTF8.GetString(e.Key.ToBytes()))];
    }

    [Fact]
    public void Parts_are_put_together_again()
    {
        using TempFolder folder = new();
        byte[] noise = new byte[120_000];
        using MemoryStream stream = new();
        SendStreamWriter writer = new(stream, 2);
        writer.Begin(SendCommandKind.Subvol).Bytes(SendAttribute.Path, "v"u8).Uuid(SendAttribute.Uuid, StreamScript.Uuid("11")).UInt64(SendAttribute.Ctransid, 1).End();
        for (int i = 0; i < 80; i++)
        {
            new Random(i).NextBytes(noise);
            writer.Begin(SendCommandKind.Write).Bytes(SendAttribute.Path, "f"u8).UInt64(SendAttribute.FileOffset, (ulong)(i * noise.Length)).Bytes(SendAttribute.Data, noise).End();
        }
        writer.Begin(SendCommandKind.End).End();
        writer.Flush();

        Rewrite(stream.ToArray(), "--split", "4M", "--output", folder / "web").AssertSucceeded();
        Assert.Equal(["web.00001", "web.00002", "web.00003", "web.parts"], Directory.GetFiles(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(stream.ToArray(), Encoding.Latin1.GetBytes(Encoding.Latin1.GetString([.. Enumerable.Range(1, 3).SelectMany(i => File.ReadAllBytes(folder / $"web.0000{i}"))])));
        string[] list = File.ReadAllLines(folder / "web.parts");
        Assert.Equal(4, list.Length);
        foreach (string line in list[..3])
        {
            JsonElement part = JsonDocument.Parse(line).RootElement;
            Assert.Equal("sha256:" + Programs.Run("sha256sum", folder / part.GetProperty("path").GetString()!)[..64], part.GetProperty("digest").GetString());
            byte[] bytes = File.ReadAllBytes(folder / part.GetProperty("path").GetString()!);
            Assert.InRange(bytes.Length, 1, 4 << 20);
        }
        Assert.Equal(stream.ToArray(), Rewrite([], "--join", folder / "web.parts").AssertSucceeded().Bytes);

        // Nothing that is there is overwritten, and what a failure wrote is taken away.
        Assert.Contains("File exists", Rewrite(stream.ToArray(), "--split", "4M", "--output", folder / "web").FirstErrorLine, StringComparison.Ordinal);
        Assert.Equal(2, Rewrite(stream.ToArray()[..^3], "--split", "4M", "--output", folder / "other").Status);
        Assert.Equal(4, Directory.GetFiles(folder.Path).Length);

        // A part that is not what it was, and one that is gone.
        using (FileStream part = File.OpenWrite(folder / "web.00002"))
            part.Write(new byte[3]);
        Tools.Result changed = Rewrite([], "--join", folder / "web.parts", "--output", folder / "whole");
        Assert.Equal(2, changed.Status);
        Assert.Contains("web.00002: is not what it was", changed.FirstErrorLine, StringComparison.Ordinal);
        Assert.False(File.Exists(folder / "whole"));
        File.Delete(folder / "web.00001");
        Assert.Contains("web.00001: open: No such file", Rewrite([], "--join", folder / "web.parts").FirstErrorLine, StringComparison.Ordinal);
        File.WriteAllLines(folder / "web.parts", list[..2]);
        Assert.EndsWith("web.parts: the list does not end as it should", Rewrite([], "--join", folder / "web.parts").FirstErrorLine, StringComparison.Ordinal);
        Assert.EndsWith("web.00003: line 1: no list of parts, which --split writes", Rewrite([], "--join", folder / "web.00003").FirstErrorLine, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("null", "line 1: no list of parts, which --split writes")]
    [InlineData("""{"part":1,"path":"p","offset":0,"size":1}""" + "\nnull", "line 2: no list of parts, which --split writes")]
    [InlineData("""{"part":1,"path":"p","offset":0,"size":4,"digest":"sha256:88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589"}"""
        + "\n" + """{"size":4,"digest":"sha256:88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589","parts":1}""",
        "offset 0: no send stream: 'abcd', expected 'btrfs-stream' and a NUL byte: btrfs send and sendstream-make write such")]
    public void A_list_of_parts_that_is_none_is_told_with_its_path(string list, string error)
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "p", "abcd");
        File.WriteAllText(folder / "x.parts", list + "\n");
        Tools.Result result = Rewrite([], "--join", folder / "x.parts");
        Assert.Equal((2, $"sendstream-rewrite: {folder / "x.parts"}: {error}"), (result.Status, result.FirstErrorLine));
    }

    [Fact]
    public void A_list_of_parts_that_is_there_is_told_before_anything_is_read()
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "web.parts", "");
        Assert.Equal($"sendstream-rewrite: {folder / "web.parts"}: create: File exists", Rewrite([1, 2, 3], "--split", "4M", "--output", folder / "web").FirstErrorLine);
        Assert.Single(Directory.GetFiles(folder.Path));
    }
}
