using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

public class TreeJsonTests
{
    private const string Root = """{"path":"","type":"directory","mode":"0755","uid":0,"gid":0,"mtime":{"sec":0,"nsec":0}}""";
    private const string Common = "\"mode\":\"0644\",\"uid\":0,\"gid\":0,\"mtime\":{\"sec\":0,\"nsec\":0}";
    private const string Digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    private static byte[] Write(Tree tree)
    {
        using MemoryStream stream = new();
        TreeJson.Write(stream, tree);
        return stream.ToArray();
    }

    private static Tree Read(byte[] lines) => TreeJson.Read(new MemoryStream(lines), (_, facts) => new Facts(facts.Size));

    private sealed class Facts(long size) : FileContent
    {
        public override long Size => size;
        public override Stream Open() => throw new InvalidOperationException("was read");
    }

    [Fact]
    public void Writes_one_line_a_path()
    {
        Tree tree = new();
        Trees.Put(tree, "a", Trees.File("")).MadeBy = "the \"item\"";
        Trees.Put(tree, "b", Trees.Get(tree, "a"));
        Trees.Put(tree, "c", Inode.Symlink([0xff])).Xattrs = XattrSet.From([new("user.x"u8.ToArray(), [1])]);
        Trees.Put(tree, "d", Inode.Device(true, 0, 8, 1)).ModificationTime = new(-5, 6);
        Assert.Equal($$$"""
            {{{Root}}}
            {"path":"a","type":"file",{{{Common}}},"size":0,"digest":"{{{Digest}}}","made_by":"the \"item\""}
            {"path":"b","link":"a"}
            {"path":"c","type":"symlink","mode":"0777","uid":0,"gid":0,"mtime":{"sec":0,"nsec":0},"target_b64":"/w==","xattrs":[{"name":"user.x","value_b64":"AQ=="}]}
            {"path":"d","type":"block_device","mode":"0000","uid":0,"gid":0,"mtime":{"sec":-5,"nsec":6},"major":8,"minor":1}

            """, Encoding.UTF8.GetString(Write(tree)));
    }

    [Fact]
    public void Reads_what_it_wrote()
    {
        Tree tree = Trees.OfEverything(), read = Read(Write(tree));
        Assert.Equal(TreeDigest.Compute(tree), TreeDigest.Compute(read));
        Assert.Empty(TreeDifference.Compare(tree, read));
        Assert.Equal(Write(tree), Write(read));
        Assert.Equal("item \"users\"", Trees.Get(read, "etc/shadow").MadeBy);
        Assert.Same(Trees.Get(read, "usr/bin/bash"), Trees.Get(read, "usr/bin/sh"));
    }

    [Fact]
    public void Notes_are_shared_and_kept_verbatim()
    {
        Tree tree = new();
        string[] notes = ["a", "ä\"\n", "a", "", "ä\"\n"];
        for (int i = 0; i < notes.Length; i++)
            Trees.Put(tree, $"{i}", Inode.Fifo(0)).MadeBy = notes[i];
        Inode[] read = [.. Read(Write(tree)).Root.Children.Select(c => c.Value)];
        Assert.Equal(notes, read.Select(i => i.MadeBy));
        Assert.Same(read[0].MadeBy, read[2].MadeBy);
        Assert.Same(read[1].MadeBy, read[4].MadeBy);
    }

    [Fact]
    public void Reads_large_and_deep_trees()
    {
        Tree tree = Trees.Large(3000);
        Inode at = tree.Root;
        for (int i = 0; i < 1000; i++)
            at.Add(new FileName("deep"), at = Inode.Directory(0));
        Assert.Equal(TreeDigest.Compute(tree), TreeDigest.Compute(Read(Write(tree))));
    }

    [Fact]
    public void Gives_each_file_to_the_caller_with_its_path()
    {
        Dictionary<string, long> asked = [];
        TreeJson.Read(Write(Trees.OfEverything()), (path, facts) =>
        {
            asked.Add(path.ToString(), facts.Size);
            Assert.Equal(32, facts.Digest.Length);
            return new Facts(facts.Size);
        });
        Assert.Equal(5, asked.Count);
        Assert.Equal((2, 7), (asked["/usr/bin/bash"], asked["/etc/shadow"]));
    }

    [Theory]
    [InlineData($$"""{"path":"a","type":"fifo",{{Common}},"new_member":{"x":[1,{}] } }""")]
    [InlineData($$"""  {"type":"fifo", "path":"\u0061", {{Common}}, "made_by":null_or_text}  """)]
    [InlineData($$"""{"p\u0061th_b64":"YQ==","type":"fifo",{{Common}}}""")]
    public void Takes_any_JSON_with_these_members(string line)
    {
        Tree tree = Read(Encoding.UTF8.GetBytes($"{Root}\n{line.Replace("null_or_text", "\"x\"")}"));
        Assert.Equal(FileKind.Fifo, Trees.Get(tree, "a").Kind);
    }

    [Theory]
    [InlineData("", "line 1: the root is missing")]
    [InlineData("[]", "line 1: a line is one JSON object")]
    [InlineData("{", "line 1: no JSON object at byte 1")]
    [InlineData("{} {}", "line 1: no JSON object at byte 3")]
    [InlineData("\n", "line 1: no JSON object at byte 0")]
    [InlineData($$"""{"path":"a","type":"fifo",{{Common}}}""", "line 1: 'a' stands before the root")]
    [InlineData("""{"path":"","link":"a"}""", "line 1: the root is not a directory")]
    [InlineData($$"""{"path":"","type":"fifo",{{Common}}}""", "line 1: the root is not a directory")]
    [InlineData($"{Root}\n{Root}", "line 2: the root is given twice")]
    [InlineData($$"""{{Root}}{{"\n"}}{"type":"fifo",{{Common}}}""", "line 2: path: missing")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"a","type":"fifo"}""", "line 2: mode, uid, gid, mtime: missing")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"a","type":"file",{{Common}},"size":0}""", "line 2: digest: missing")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"a","type":"fifo",{{Common}},"target":"x"}""", "line 2: target: not a member of a fifo")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"a","link":"b","uid":0}""", "line 2: uid: not a member of a link")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"a","path_b64":"YQ=="}""", "line 2: path_b64: given twice")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"a","link":"b"}""", "line 2: link 'b' is not the path of a file that stands before")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"a","link":""}""", "line 2: link '' is not the path of a file that stands before")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"a/b","type":"fifo",{{Common}}}""", "line 2: 'a/b' does not follow its directory")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"b","type":"fifo",{{Common}}}{{"\n"}}{"path":"a","type":"fifo",{{Common}}}""", "line 3: 'a' is out of order or given twice")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"..","type":"fifo",{{Common}}}""", "line 2: '..' cannot be the name of a file")]
    [InlineData($$"""{{Root}}{{"\n"}}{"path":"/","type":"fifo",{{Common}}}""", "line 2: '/' cannot be the name of a file")]
    [InlineData("""{"path":1}""", "line 1: path: not a string")]
    [InlineData("""{"path":"\ud800"}""", "line 1: path: an escape is half of a surrogate pair")]
    [InlineData("""{"path_b64":"?"}""", "line 1: path_b64: not base64")]
    [InlineData("""{"mode":"0888"}""", "line 1: mode: '0888' is not octal permission bits")]
    [InlineData("""{"mode":"17777"}""", "line 1: mode: '17777' is not octal permission bits")]
    [InlineData("""{"uid":-1}""", "line 1: uid: not a number from 0 to 4294967295")]
    [InlineData("""{"uid":"0"}""", "line 1: uid: not a number from 0 to 4294967295")]
    [InlineData("""{"size":-1}""", "line 1: size: -1 is no size")]
    [InlineData("""{"size":1.5}""", "line 1: size: not a whole number")]
    [InlineData("""{"type":"door"}""", "line 1: type: 'door' is no kind of file")]
    [InlineData("""{"mtime":5}""", "line 1: mtime: not an object")]
    [InlineData("""{"mtime":{"sec":5}}""", "line 1: mtime: needs sec and an nsec below 1000000000")]
    [InlineData("""{"mtime":{"sec":5,"nsec":1000000000}}""", "line 1: mtime: needs sec and an nsec below 1000000000")]
    [InlineData("""{"digest":"sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}""", "line 1: digest: 'sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' is not 'sha256:' and 64 hexadecimal digits")]
    [InlineData("""{"digest":"sha256:00"}""", "line 1: digest: 'sha256:00' is not 'sha256:' and 64 hexadecimal digits")]
    [InlineData("""{"xattrs":{}}""", "line 1: xattrs: not an array")]
    [InlineData("""{"xattrs":[1]}""", "line 1: xattrs: holds more than objects")]
    [InlineData("""{"xattrs":[{"name":"user.x"}]}""", "line 1: xattrs: each needs a name and a value_b64")]
    [InlineData("""{"xattrs":[{"name":"u","value_b64":""},{"name":"u","value_b64":""}]}""", "line 1: xattrs: extended attribute 'u' is given twice")]
    [InlineData("""{"made_by":7}""", "line 1: made_by: not a string")]
    public void Says_where_and_why_it_refuses(string lines, string reason) =>
        Assert.Equal(reason, Assert.Throws<InvalidDataException>(() => Read(Encoding.UTF8.GetBytes(lines))).Message);

    [Fact]
    public void Refuses_bytes_that_are_not_UTF8()
    {
        byte[] line = [.. "{\"path\":\""u8, 0xff, .. "\"}"u8];
        Exception refused = Assert.Throws<InvalidDataException>(() => TreeJson.Read(line, (_, facts) => new Facts(facts.Size), firstLine: 8));
        Assert.Equal("line 8: the bytes are not UTF-8", refused.Message);
    }
}
