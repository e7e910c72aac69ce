using System.Text;
using Layerbox.FileTree;
using Layerbox.SendStream;
using A = Layerbox.SendStream.SendAttribute;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.Tests.SendStream;

public class RewriteTests
{
    private static readonly Guid s_new = StreamScript.Uuid("aa"), s_newParent = StreamScript.Uuid("bb");

    private static byte[] Rewrite(byte[] stream, RewriteOptions options, RewriteNotes? notes = null)
    {
        using MemoryStream output = new();
        using SendStreamRewriter rewriter = new(output, options);
        rewriter.Rewrite(new SendStreamReader(new MemoryStream(stream), options.Limits));
        rewriter.Complete();
        foreach ((string what, long count) in rewriter.Notes.LeftOut)
            for (long i = 0; i < count; i++)
                notes?.Count(what);
        return output.ToArray();
    }

    private static void AssertRewritten(string script, uint version, RewriteOptions options, string expected, uint expectedVersion) => Assert.Equal(
        Lines(StreamScript.Make($"subvol vol; {expected}; end", expectedVersion)),
        Lines(Rewrite(StreamScript.Make($"subvol vol; {script}; end", version), options)));

    /// <summary>The commands of a stream, one a line: easier to compare than bytes, and as exact.</summary>
    private static List<string> Lines(byte[] stream)
    {
        SendStreamReader reader = new(new MemoryStream(stream));
        List<string> lines = [];
        while (reader.Read())
            lines.Add($"v{reader.Version} {reader.Command.Kind} {Convert.ToHexString(reader.Command.Payload)}");
        return lines;
    }

    private static List<K> Kinds(byte[] stream)
    {
        SendStreamReader reader = new(new MemoryStream(stream));
        List<K> kinds = [];
        while (reader.Read())
            kinds.Add(reader.Command.Kind);
        return kinds;
    }

    private static Tree Apply(byte[] stream) => SendStreamTree.Apply(new MemoryStream(stream), null, new MemoryContentStore()).Tree;

    [Theory]
    [InlineData(1u, "subvol vol; mkfile a; write a 0 hello; clone a 4096 1 a 0; utimes a 7 8; end")]
    [InlineData(2u, "subvol vol; mkfile a; write a 0 x*200000; encoded_write a 0 3 3 0 0 abc; fallocate a 3 0 4096; fileattr a 2; end")]
    [InlineData(3u, "subvol vol; mkfile a; enable_verity a; end")]
    [InlineData(1u, "subvol one; mkdir d; snapshot two 22 11; rmdir d; end")]
    [InlineData(1u, "end")]
    public void With_no_option_the_bytes_stay(uint version, string script)
    {
        byte[] stream = StreamScript.Make(script, version);
        Assert.Equal(stream, Rewrite(stream, new RewriteOptions()));
        byte[] several = [.. stream, .. StreamScript.Make("subvol x 33; end", 0), .. StreamScript.Make("subvol x 33; end", 2)];
        Assert.Equal(several, Rewrite(several, new RewriteOptions()));
    }

    [Fact]
    public void The_order_of_attributes_stays()
    {
        using MemoryStream output = new();
        SendStreamWriter writer = new(output, 1);
        writer.Begin(K.Subvol).UInt64(A.Ctransid, 7).Uuid(A.Uuid, s_new).Bytes(A.Path, "vol"u8).End();
        writer.Begin(K.Write).Bytes(A.Data, "x"u8).UInt64(A.FileOffset, 0).Bytes(A.Path, "a"u8).End();
        writer.Begin(K.End).End();
        writer.Flush();
        Assert.Equal(output.ToArray(), Rewrite(output.ToArray(), new RewriteOptions()));

        // Data, which came first here, must come last in version 2.
        Assert.Equal(Lines(Rewrite(output.ToArray(), new RewriteOptions { Version = 2 }))[1], Lines(Rewrite(Reordered(), new RewriteOptions()))[1]);

        static byte[] Reordered()
        {
            using MemoryStream output = new();
            SendStreamWriter writer = new(output, 2);
            writer.Begin(K.Subvol).UInt64(A.Ctransid, 7).Uuid(A.Uuid, s_new).Bytes(A.Path, "vol"u8).End();
            writer.Begin(K.Write).UInt64(A.FileOffset, 0).Bytes(A.Path, "a"u8).Bytes(A.Data, "x"u8).End();
            writer.Begin(K.End).End();
            writer.Flush();
            return output.ToArray();
        }
    }

    [Theory]
    [InlineData("mkfile a; write a 0 x*50000; write a 50000 y", 1u, "mkfile a; write a 0 x*50000; write a 50000 y", 2u)]
    [InlineData("mkfile a; write a 0 x*131072", 2u, "mkfile a; write a 0 x*49152; write a 49152 x*49152; write a 98304 x*32768", 1u)]
    [InlineData("mkfile a; encoded_write a 4096 60000 60004 4 0 x*60004", 2u, "mkfile a; write a 4096 x*49152; write a 53248 x*10848", 1u)]
    [InlineData("mkfile a; fallocate a 3 4096 50000", 2u, "mkfile a; write a 4096 \0*49152; write a 53248 \0*848", 1u)]
    [InlineData("mkfile a; fallocate a 16 0 10", 2u, "mkfile a; write a 0 \0*10", 1u)]
    [InlineData("mkfile a; fallocate a 1 0 4096; fileattr a 4; chmod a 600", 2u, "mkfile a; chmod a 600", 1u)]
    [InlineData("mkfile a; enable_verity a; fileattr a 1", 3u, "mkfile a; fileattr a 1", 2u)]
    [InlineData("mkfile a; write a 0 x*60000", 1u, "mkfile a; write a 0 x*60000", 1u)]
    public void Versions_say_the_same(string script, uint version, string expected, uint newVersion) =>
        AssertRewritten(script, version, new RewriteOptions { Version = newVersion }, expected, newVersion);

    [Fact]
    public void What_a_version_cannot_say_is_counted()
    {
        RewriteNotes notes = new();
        using MemoryStream output = new();
        SendStreamWriter writer = new(output, 2);
        writer.Begin(K.Subvol).Bytes(A.Path, "vol"u8).Uuid(A.Uuid, s_new).UInt64(A.Ctransid, 7).End();
        Timestamp time = new(5);
        writer.Begin(K.Utimes).Bytes(A.Path, []).Time(A.Atime, time).Time(A.Mtime, time).Time(A.Ctime, time).Time(A.Otime, time).End();
        writer.Begin(K.FileAttr).Bytes(A.Path, []).UInt64(A.FileAttr, 0).End();
        writer.Begin(K.End).End();
        writer.Flush();
        byte[] old = Rewrite(output.ToArray(), new RewriteOptions { Version = 1 }, notes);
        Assert.Equal(new Dictionary<string, long> { ["creation times"] = 1, ["fileattr commands"] = 1 }, notes.LeftOut);
        Assert.Equal(Lines(Rewrite(StreamScript.Make("subvol vol aa; utimes - 5; end"), new RewriteOptions())), Lines(old));
        Assert.Equal(
            "offset 93: command 3 (fallocate): 'a': version 1 cannot say fallocate mode 0",
            Assert.Throws<SendStreamException>(() => Rewrite(StreamScript.Make("subvol vol; mkfile a; fallocate a 0 0 4096; end", 2), new RewriteOptions { Version = 1 })).Message);
        Assert.Equal(
            "offset 93: command 3 (fallocate): 'a': a hole of 1099511627777 bytes, which version 1 can only write as zeros; the limit is 1099511627776",
            Assert.Throws<SendStreamException>(() => Rewrite(StreamScript.Make("subvol vol; mkfile a; fallocate a 3 0 1099511627777; end", 2), new RewriteOptions { Version = 1 })).Message);
    }

    [Theory]
    [InlineData("mkfile a; write a 0 x*100; write a 100 y*100; write a 300 z", 2u, "mkfile a; write a 0 x*100,y*100; write a 300 z")]
    [InlineData("mkfile a; mkfile b; write a 0 x; write b 1 y; write a 1 z", 2u, "mkfile a; mkfile b; write a 0 x; write b 1 y; write a 1 z")]
    [InlineData("mkfile a; write a 0 x; chmod a 600; write a 1 y", 2u, "mkfile a; write a 0 x; chmod a 600; write a 1 y")]
    [InlineData("mkfile a; write a 10 x*5000; write a 5010 y*3182", 2u, "mkfile a; write a 10 x*4086; write a 4096 x*914,y*3182")]
    [InlineData("mkfile a; write a 0 x*49152; write a 49152 y*49152; write a 98304 z*49152; write a 147456 w", 2u,
        "mkfile a; write a 0 x*49152,y*49152,z*32768; write a 131072 z*16384,w")]
    [InlineData("mkfile a; write a 0 x*30000; write a 30000 y*30000", 1u, "mkfile a; write a 0 x*30000,y*19152; write a 49152 y*10848")]
    public void Writes_are_joined(string script, uint version, string expected) => AssertRewritten(script, version, new RewriteOptions { JoinWrites = true }, expected, version);

    [Theory]
    [InlineData(WriteCompression.Zlib, 1u, 1)]
    [InlineData(WriteCompression.Zstd, 2u, 1)]
    [InlineData(WriteCompression.Zstd, 2u, 19)]
    public void Compressed_writes_decode_to_the_same_tree(WriteCompression compression, uint number, int level)
    {
        byte[] text = Compression.Samples.Text(1_000_003), noise = new byte[300_000];
        new Random(1).NextBytes(noise);
        using MemoryStream plain = new();
        SendStreamWriter writer = new(plain, 1);
        writer.Begin(K.Subvol).Bytes(A.Path, "vol"u8).Uuid(A.Uuid, s_new).UInt64(A.Ctransid, 7).End();
        foreach ((string name, byte[] bytes) in new[] { ("text", text), ("noise", noise), ("small", text[..700]), ("tiny", text[..9]) })
        {
            writer.Begin(K.Mkfile).Bytes(A.Path, StreamScript.Bytes(name)).UInt64(A.Ino, 257).End();
            for (int at = 0; at < bytes.Length; at += 49152)
                writer.Begin(K.Write).Bytes(A.Path, StreamScript.Bytes(name)).UInt64(A.FileOffset, (ulong)at).Bytes(A.Data, bytes.AsSpan(at, Math.Min(49152, bytes.Length - at))).End();
        }
        writer.Begin(K.End).End();
        writer.Flush();
        byte[] stream = plain.ToArray();
        Tree tree = Apply(stream);

        RewriteOptions options = new() { Compression = compression, Level = level };
        byte[] compressed = Rewrite(stream, options);
        Assert.Equal(compressed, Rewrite(stream, options with { Threads = 1 }));
        Assert.Equal(TreeDigest.Compute(tree), TreeDigest.Compute(Apply(compressed)));
        SendStreamReader reader = new(new MemoryStream(compressed));
        int encoded = 0;
        while (reader.Read())
        {
            if (reader.Command.Kind != K.EncodedWrite)
                continue;
            encoded++;
            Assert.Equal(number, reader.Command.UInt32(A.Compression));
            Assert.InRange(reader.Command.UInt64(A.UnencodedLength), (ulong)reader.Command.Bytes(A.Data).Length + 1, 128ul << 10);
            Assert.Equal(0UL, reader.Command.UInt64(A.FileOffset) % 4096);
        }
        Assert.Equal(9, encoded); // eight extents of the text, and the small one; noise and nine bytes do not pay
        Assert.Equal(2u, reader.Version);

        Assert.Equal(TreeDigest.Compute(tree), TreeDigest.Compute(Apply(Rewrite(compressed, new RewriteOptions { Version = 1 }))));
        byte[] none = Rewrite(compressed, new RewriteOptions { Compression = WriteCompression.None });
        Assert.DoesNotContain(K.EncodedWrite, Kinds(none));
        Assert.Equal(TreeDigest.Compute(tree), TreeDigest.Compute(Apply(none)));
        Assert.Equal(Lines(compressed), Lines(Rewrite(none, options)));
    }

    [Fact]
    public void Batches_keep_the_order_of_many_commands()
    {
        string script = "subvol vol; " + string.Join("; ", Enumerable.Range(0, 60_000).Select(i => $"mkfile f{i}")) + "; end";
        byte[] stream = StreamScript.Make(script);
        byte[] twice = [.. stream, .. StreamScript.Make("subvol b 44; end", 2)];
        byte[] compressed = Rewrite(twice, new RewriteOptions { Compression = WriteCompression.Zstd });
        Assert.Equal([.. StreamScript.Make(script, 2), .. StreamScript.Make("subvol b 44; end", 2)], compressed);
    }

    [Fact]
    public void A_subvolume_gets_another_identity()
    {
        SubvolumeIdentity identity = new(new FileName("new"), s_new, s_newParent, 77);
        List<string> expected = Lines(StreamScript.Make("snapshot new aa bb; mkfile a; clone a 0 1 b 0 aa; clone a 0 1 b 0 bb; clone a 0 1 b 0 55; end"));
        List<string> actual = Lines(Rewrite(StreamScript.Make("snapshot vol 22 11; mkfile a; clone a 0 1 b 0 22; clone a 0 1 b 0 11; clone a 0 1 b 0 55; end"), new RewriteOptions { Identity = identity with { ParentTransid = null } }));
        Assert.Equal(expected, actual);

        SendStreamReader reader = new(new MemoryStream(Rewrite(StreamScript.Make("snapshot vol 22 11; clone a 0 1 b 0 11; clone a 0 1 b 0 22; end"), new RewriteOptions { Identity = identity })));
        List<ulong> transids = [];
        while (reader.Read())
            if (reader.Command.Has(A.CloneCtransid))
                transids.Add(reader.Command.UInt64(A.CloneCtransid));
        Assert.Equal([77, 77, 7], transids);

        Assert.EndsWith("a full stream has no parent that could be named anew", Assert.Throws<SendStreamException>(() => Rewrite(StreamScript.Make("subvol v; end"), new RewriteOptions { Identity = identity })).Message, StringComparison.Ordinal);
        Assert.EndsWith("which --only picks", Assert.Throws<SendStreamException>(() =>
            Rewrite(StreamScript.Make("subvol v; snapshot w; end"), new RewriteOptions { Identity = new(new FileName("new")) })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Owners_are_mapped_in_lists_and_capabilities_too()
    {
        IdMap users = new([new(0, 100_000, 65_536)]), groups = new([new(5, 50, 1)]);
        AssertRewritten("mkfile a; chown a 1000 5; chown a 65536 6", 1, new RewriteOptions { Users = users, Groups = groups }, "mkfile a; chown a 101000 50; chown a 65536 6", 1);
        AssertRewritten("mkfile a; chown a 1000 5", 1, new RewriteOptions { Owner = (7, 8) }, "mkfile a; chown a 7 8", 1);
        AssertRewritten(
            "mkfile a; set_xattr a system.posix_acl_access \u0002\0\0\0\u0001\0\a\0\u00ff\u00ff\u00ff\u00ff\u0002\0\u0006\0\u0001\0\0\0\u0008\0\u0006\0\u0005\0\0\0; set_xattr a user.x \u0001", 1,
            new RewriteOptions { Users = users, Groups = groups },
            "mkfile a; set_xattr a system.posix_acl_access \u0002\0\0\0\u0001\0\a\0\u00ff\u00ff\u00ff\u00ff\u0002\0\u0006\0\u00a1\u0086\u0001\0\u0008\0\u0006\0\u0032\0\0\0; set_xattr a user.x \u0001", 1);
        AssertRewritten(
            $"mkfile a; set_xattr a security.capability \u0001\0\0\u0003{new string('\0', 16)}\u0002\0\0\0; set_xattr a security.capability \u0001\0\0\u0002{new string('\0', 16)}", 1,
            new RewriteOptions { Users = users },
            $"mkfile a; set_xattr a security.capability \u0001\0\0\u0003{new string('\0', 16)}\u00a2\u0086\u0001\0; set_xattr a security.capability \u0001\0\0\u0002{new string('\0', 16)}", 1);
        Assert.Equal(
            "offset 93: command 3 (chown): 'a': gid 6 is not in the map",
            Assert.Throws<SendStreamException>(() => Rewrite(StreamScript.Make("subvol vol; mkfile a; chown a 1 6; end"), new RewriteOptions { Groups = new([new(5, 50, 1)], isStrict: true) })).Message);
    }

    [Fact]
    public void Times_are_left_out_or_clamped()
    {
        AssertRewritten("mkfile a; utimes a 9 5; chmod a 600", 1, new RewriteOptions { StripTimes = true }, "mkfile a; chmod a 600", 1);
        AssertRewritten("utimes - 9 5; utimes - 10 0; utimes - 10 1", 1, new RewriteOptions { LatestTime = new(10) }, "utimes - 9 5; utimes - 10 0; utimes - 10 0", 1);
    }

    [Fact]
    public void Subvolumes_are_picked_by_name_or_uuid()
    {
        byte[] a = StreamScript.Make("subvol a 11; mkfile x; end"), b = StreamScript.Make("snapshot b 22; unlink x; end", 2);
        byte[] e = StreamScript.Make("subvol c 33; mkdir d; snapshot f 44 33; rmdir d; end"), input = [.. a, .. b, .. e];
        Assert.Equal(b, Rewrite(input, new RewriteOptions { Only = [[.. "b"u8]] }));
        Assert.Equal([.. a, .. StreamScript.Make("snapshot f 44 33; rmdir d; end")], Rewrite(input, new RewriteOptions { Only = [Encoding.UTF8.GetBytes(StreamScript.Uuid("44").ToString()), [.. "a"u8]] }));
        Assert.Equal("no subvolume 'z' in the input", Assert.Throws<InvalidDataException>(() => Rewrite(input, new RewriteOptions { Only = [[.. "a"u8], [.. "z"u8]] })).Message);
    }
}
