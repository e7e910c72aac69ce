using Layerbox.Compression;

namespace Layerbox.Tests.SendStream;

/// <summary>sendstream-parse: what subvolumes hold and what streams did, from the outside.</summary>
public sealed class SendstreamParseStateTests : IDisposable
{
    private readonly StreamFiles _files = new();

    public void Dispose() => _files.Dispose();

    private string Out(params string[] args) => Run(args).AssertSucceeded().Out;

    private Tools.Result Run(params string[] args) => Tools.Run(["sendstream-parse", .. args.Select(arg => arg is "full" or "changes" ? _files / arg : arg)]);

    private const string FullTree = """
        ["(Dir t1970-01-01T00:01:17.000000088Z)", {
          "big": ["(File m600 h100000d50000)"],
          "d": ["(Dir m700 t1970-01-01T00:00:05.000000006Z)", {
            "a": [["(File m640 'user.k'='v' d5)", 0]],
            "a2": [["(File m640 'user.k'='v' d5)", 0]],
            "link": ["(Symlink a)"]
          }],
          "p": ["(FIFO m600)"]
        }]

        """;

    [Fact]
    public void Shows_the_tree_of_each_subvolume()
    {
        Assert.Equal(FullTree, Out("--format", "tree", "full"));
        string both = Out("--format", "tree", "full", "changes");
        Assert.StartsWith($"\"vol\"\n{FullTree}\"vol2\"\n", both, StringComparison.Ordinal);
        Assert.Equal(FullTree, Out("--format", "tree", "--subvolume", "vol", "full", "changes"));
        Assert.Equal(both[(both.IndexOf("\"vol2\"\n", StringComparison.Ordinal) + 7)..], Out("--format", "tree", "--parent", "full", "changes"));
        Assert.Contains("\"p\": [\"(FIFO m600 o0:0)\"]", Out("--format", "tree", "--defaults", "--no-times", "full"), StringComparison.Ordinal);
        Assert.Contains("\"d\": [\"(Dir m700 t1970-01-01T00:00:05.000000006Z)\"", Out("--format", "tree", "--epoch", "77", "full"), StringComparison.Ordinal);
        Assert.DoesNotContain("user.k", Out("--format", "tree", "--hide-xattr", "user.k", "full"), StringComparison.Ordinal);
        Assert.Contains("d5 sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824)", Out("--format", "tree", "--digests", "full"), StringComparison.Ordinal);
    }

    [Fact]
    public void Shows_what_is_known_without_the_parent()
    {
        Assert.Equal("""
            ["(Dir? t1970-01-01T00:01:39Z)", {
              "d": ["(Dir?)", {
                "a": ["(File? u1d1u+)"]
              }],
              "moved": ["(File? u200000)"],
              "new": ["(File m600)"]
            }]

            """, Out("--format", "tree", "changes"));
        Assert.Equal("""
            {"op":"metadata","subvolume":"vol2","path":"","type":"directory","aspects":["time"]}
            {"op":"rewritten","subvolume":"vol2","path":"d/a","type":"file","bytes":1}
            {"op":"deleted","subvolume":"vol2","path":"d/link"}
            {"op":"renamed","subvolume":"vol2","path":"moved","from":"big","type":"file"}
            {"op":"rewritten","subvolume":"vol2","path":"moved","type":"file","bytes":0,"size":200000}
            {"op":"created","subvolume":"vol2","path":"new","type":"file","size":0}

            """, Out("--format=changes", "changes"));
        Assert.Contains("""{"op":"rewritten","subvolume":"vol2","path":"moved","type":"file","bytes":50000,"size":200000}""", Out("--format=changes", "--parent", "full", "changes"), StringComparison.Ordinal);
    }

    [Fact]
    public void Writes_one_file_of_plain_or_compressed_streams()
    {
        Assert.Equal("hello", Out("--cat", "d/a", "full"));
        Assert.Equal("hello", Out("--cat", "/d/link", "full")); // links lead on inside the subvolume
        Assert.Equal("hEllo", Out("--cat", "d/a2", "full", "changes"));
        Assert.Equal("hello", Out("--cat", "d/a", "--subvolume", "vol", "full", "changes"));
        Assert.Equal("hEllo", Out("--cat", "d/a", "--parent", "full", "changes"));
        using MemoryStream packed = new();
        using (Stream zstd = Compressed.OpenWrite(packed, CompressionKind.Zstd, leaveOpen: true))
            zstd.Write(File.ReadAllBytes(_files / "full"));
        Assert.Equal("hello", Tools.RunWithInput(packed.ToArray(), "sendstream-parse", "--cat", "d/a").AssertSucceeded().Out);
        Assert.Equal("hello", Tools.RunWithInput(File.ReadAllBytes(_files / "full"), "sendstream-parse", "--cat", "d/a", "-").AssertSucceeded().Out);
    }

    [Theory]
    [InlineData("--cat", "d/a2")]
    [InlineData("--format", "tree", "--digests")]
    [InlineData("--format", "tree-json")]
    [InlineData("--format=changes")]
    public void Files_may_be_mapped(params string[] args)
    {
        string expected = Out([.. args, "full", "changes"]);
        Assert.Equal(expected, Out([.. args, "--mapped", "full", "changes"]));
        Assert.Equal(expected, Out([.. args, "--threads", "2", "full", "changes"]));
        Tools.Result piped = Tools.RunWithInput(File.ReadAllBytes(_files / "full"), ["sendstream-parse", .. args, "--mapped"]);
        Assert.Equal("sendstream-parse: standard input: no regular file, which cannot be mapped: leave --mapped and --threads out", piped.FirstErrorLine);
    }

    [Theory]
    [InlineData("--cat no full", "no: no such file in 'vol'")]
    [InlineData("--cat d full", "d: no regular file in 'vol'")]
    [InlineData("--cat d/a changes", "d/a: the size of the file is not known: the subvolume that the stream builds upon was not given")]
    [InlineData("--cat big changes", "big: no such file in 'vol2', as far as is known without its parent")]
    [InlineData("--cat d/a --subvolume x full", "x: the input describes no such subvolume, only vol")]
    [InlineData("--cat d/a --format tree full", "--cat and --format do not go together")]
    [InlineData("--cat big --max-file 100K full", "big: a file of 150000 bytes, which is more than the limit of 102400 for those that are read")]
    [InlineData("--digests full", "--digests goes with --format tree")]
    [InlineData("--format stat --parent full full", "--parent goes with --format tree, tree-json or changes, and with --cat")]
    [InlineData("full changes", "--format json reads one input: 'cat' puts several behind each other")]
    [InlineData("--format tree-json changes", "CHANGES: offset 17: command 1 (snapshot): 'vol2': the parent subvolume 11111111-1111-1111-1111-111111111111 is not known: name its streams before this one")]
    public void Says_what_is_wrong(string args, string error)
    {
        Tools.Result result = Run(args.Split(' '));
        Assert.Equal((2, $"sendstream-parse: {error.Replace("CHANGES", _files / "changes", StringComparison.Ordinal)}"), (result.Status, result.FirstErrorLine));
    }
}
