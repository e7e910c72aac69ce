using System.Globalization;
using System.Text;
using Layerbox.FileTree;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class SendStreamTreeTests
{
    private static byte[] ContentOf(Tree tree, string path)
    {
        using Stream stream = tree.Find(TreePath.Parse(path))!.Content!.Open();
        using MemoryStream bytes = new();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static string TextOf(Tree tree, string path) => Encoding.Latin1.GetString(ContentOf(tree, path)).Replace('\0', '.');

    private static string PathsOf(Tree tree) => string.Join(' ', tree.Walk().Skip(1).Select(e => e.Key.ToString()));

    // Both ways of receiving refuse the same; only what data decodes to is not looked at by the one that keeps references.
    private static SendStreamException Fails(byte[] stream, Tree? parent = null)
    {
        Tree? Known(Guid uuid) => uuid == StreamScript.Uuid("11") ? parent : null;
        SendStreamException e = Assert.Throws<SendStreamException>(() => SendStreamTree.Apply(new MemoryStream(stream), Known, new MemoryContentStore()));
        if (e.Fault is not (SendStreamFault.EncodedCorrupt or SendStreamFault.SubvolumeCount))
            Assert.Equal(e.Message, Assert.Throws<SendStreamException>(() => new SubvolumeSet { Known = Known }.Receive(new MemoryStream(stream))).Message);
        return e;
    }

    // What no filesystem would do. The last command of each script is the impossible one.
    [Theory]
    // paths
    [InlineData("mkfile ../../etc/passwd", "'../../etc/passwd': '..' cannot be the name of a file")]
    [InlineData("mkfile /etc/passwd", "'/etc/passwd': an absolute path, expected one from the root of the subvolume")]
    [InlineData("mkfile -", "'' is the root of the subvolume, expected a path below it")]
    [InlineData("mkfile .", "'.': '.' cannot be the name of a file")]
    [InlineData("mkdir a; mkfile a//b", "'a//b': '' cannot be the name of a file")]
    [InlineData("mkdir a; mkfile a/", "'a/': '' cannot be the name of a file")]
    [InlineData("mkdir a; mkfile a/../b", "'a/../b': '..' cannot be the name of a file")]
    [InlineData("mkfile x*256", "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…' (256 bytes): a name of 256 bytes, expected at most 255")]
    [InlineData("mkfile /*4096", "'////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////…' (4096 bytes): a path has at most 4095 bytes")]
    [InlineData("symlink l /etc; write l/passwd 0 x", "'l/passwd': 'l' is a symlink, which is not followed, expected a directory")]
    [InlineData("chmod \u00ff\n 644", @"'\xff\x0a': no such file")]
    // names
    [InlineData("mkfile a; mkfile a", "'a': exists")]
    [InlineData("mkfile a; mkdir a/b", "'a/b': 'a' is a regular file, expected a directory")]
    [InlineData("mkdir a/b", "'a/b': no such directory: 'a'")]
    [InlineData("mkdir d; mkdir d/e; rename d d/e/f", "'d': a directory cannot be moved into itself, to 'd/e/f'")]
    [InlineData("mkdir d; rename d d/e", "'d': a directory cannot be moved into itself, to 'd/e'")]
    [InlineData("rename no x", "'no': no such file")]
    [InlineData("rename - x", "'' is the root of the subvolume, expected a path below it")]
    [InlineData("mkfile a; rename a no/x", "'no/x': no such directory: 'no'")]
    [InlineData("mkdir d; mkfile a; rename d a", "'a' is a regular file, which no directory can replace")]
    [InlineData("mkdir d; mkfile a; rename a d", "'d' is a directory, which only a directory can replace")]
    [InlineData("mkdir d; mkdir e; mkfile e/x; rename d e", "'e': the directory is not empty")]
    [InlineData("link new no", "'no': no such file")]
    [InlineData("mkdir d; link new d", "'d' is a directory, which has one name only")]
    [InlineData("mkfile a; mkfile b; link b a", "'b': exists")]
    [InlineData("mkdir d; unlink d", "'d' is a directory")]
    [InlineData("unlink no", "'no': no such file")]
    [InlineData("mkdir d; mkfile d/a; rmdir d", "'d': the directory is not empty")]
    [InlineData("mkfile a; rmdir a", "'a' is a regular file, expected a directory")]
    [InlineData("rmdir -", "'' is the root of the subvolume, expected a path below it")]
    [InlineData("mknod n 100644 259", "'n': mode 0100644 is that of no device")]
    [InlineData("mknod n 20644 4294967296", "'n': 4294967296 is no device number")]
    [InlineData("symlink l -", "'l': a target of 0 bytes, expected 1 to 4095")]
    [InlineData("symlink l x*4096", "'l': a target of 4096 bytes, expected 1 to 4095")]
    // attributes
    [InlineData("symlink l t; chmod l 755", "'l' is a symlink, which has no mode")]
    [InlineData("mkfile a; chmod a 100644", "'a': mode 0100644 has more than permission bits")]
    [InlineData("mkfile a; chown a 4294967295 0", "'a': 4294967295 cannot be a uid")]
    [InlineData("mkfile a; chown a 0 4294967296", "'a': 4294967296 cannot be a gid")]
    [InlineData("mkfile a; set_xattr a - v", "'a': '' cannot be the name of an extended attribute")]
    [InlineData("mkfile a; remove_xattr a user.x", "'a': it has no extended attribute 'user.x'")]
    [InlineData("utimes no 1 2", "'no': no such file")]
    [InlineData("fileattr no 1", "'no': no such file")]
    // data
    [InlineData("write no 0 x", "'no': no such file")]
    [InlineData("mkdir d; write d 0 x", "'d' is a directory, expected a regular file")]
    [InlineData("write - 0 x", "'' is a directory, expected a regular file")]
    [InlineData("symlink l t; write l 0 x", "'l' is a symlink, which is not followed, expected a regular file")]
    [InlineData("mkfifo p; truncate p 0", "'p' is a fifo, expected a regular file")]
    [InlineData("mkfile a; write a 18446744073709551615 xx", "'a': 2 bytes at file_offset 18446744073709551615 lie beyond the end of the largest file")]
    [InlineData("mkfile a; write a 9223372036854775806 xx", "'a': 2 bytes at file_offset 9223372036854775806 lie beyond the end of the largest file")]
    [InlineData("mkfile a; truncate a 18446744073709551615", "'a': 0 bytes at size 18446744073709551615 lie beyond the end of the largest file")]
    [InlineData("mkfile a; update_extent a 0 5", "'a': the stream was made without data (send --no-data)")]
    [InlineData("mkfile a; fallocate a 8 0 5", "'a': fallocate mode 8 is not known")]
    [InlineData("mkdir d; enable_verity d", "'d' is a directory, expected a regular file")]
    // clones
    [InlineData("mkfile a; clone a 0 5 no 0", "'no': no such file")]
    [InlineData("mkfile a; mkdir d; clone a 0 5 d 0", "'d' is a directory, expected a regular file")]
    [InlineData("mkfile a; mkfile b; clone b 0 5 a 0 ee", "'b': the clone's source, subvolume eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee, is not known")]
    [InlineData("mkfile a; write a 0 x*9; mkfile b; clone b 0 5 a 5", "'a': a clone of 5 bytes from 5 on, of a file of 9")]
    [InlineData("mkfile a; mkfile b; clone b 0 3221225472 a 0", "'a': a clone of 3221225472 bytes from 0 on, of a file of 0")]
    [InlineData("mkfile a; write a 0 x*9; clone a 4 5 a 0", "'a': a clone of 5 bytes from 0 to 4 overlaps itself")]
    [InlineData("mkfile a; write a 0 x*9; mkfile b; clone b 0 0 a 0", "'a': a clone of 0 bytes from 0 on, of a file of 9")]
    [InlineData("mkfile a; mkfile b; clone b 0 8192 a 18446744073709551615", "'b': 8192 bytes at clone_offset 18446744073709551615 lie beyond the end of the largest file")]
    // encoded data
    [InlineData("mkfile a; encoded_write a 0 4096 4096 0 99 x", "'a': compression 99 is not known, expected 0 to 7")]
    [InlineData("mkfile a; encoded_write a 0 4 4 0 0 abcd 1", "'a': encryption 1 is not known, expected 0")]
    [InlineData("mkfile a; encoded_write a 0 4096 4096 0 1 x*100", "'a': the zlib data is corrupt")]
    [InlineData("mkfile a; encoded_write a 0 4096 4096 0 1 -", "'a': no zlib data")]
    [InlineData("mkfile a; encoded_write a 0 4096 4096 0 2 x*100", "'a': zstd: offset 0: the data is corrupt: Unknown frame descriptor")]
    [InlineData("mkfile a; encoded_write a 0 4096 4096 0 3 \u00ff*100", "'a': the lzo data says that it is 4294967295 bytes long, there are 100")]
    [InlineData("mkfile a; encoded_write a 0 4096 4096 0 3 \u0001", "'a': lzo data of 1 bytes, expected at least 4")]
    [InlineData("mkfile a; encoded_write a 0 4096 4096 0 3 \u000c\0\0\0\u0009\0\0\0abcd", "'a': an lzo segment says 9 bytes, 4 are left")]
    [InlineData("mkfile a; encoded_write a 0 4096 4096 0 3 \u000b\0\0\0\u0003\0\0\0\u0012a\u0051", "'a': the lzo data ends too early")]
    [InlineData("mkfile a; encoded_write a 0 4096 4096 0 3 \u000c\0\0\0\u0004\0\0\0\u0012a\u0051\u0001", "'a': the lzo data refers 13 bytes back where only 1 were decoded")]
    [InlineData("mkfile a; encoded_write a 0 4096 1152921504606846976 0 2 x", "'a': says that it decodes to 1152921504606846976 bytes, more than the limit of 131072")]
    [InlineData("mkfile a; encoded_write a 0 8192 8192 4096 1 x", "'a': 8192 bytes from 4096 on, of only 8192 that it decodes to")]
    [InlineData("mkfile a; encoded_write a 0 4096 4096 1099511627776 1 x", "'a': 4096 bytes from 1099511627776 on, of only 4096 that it decodes to")]
    public void Refuses_what_is_impossible(string script, string reason)
    {
        byte[] stream = StreamScript.Make($"subvol vol; {script}; end", version: 3);
        string[] lines = script.Split("; ");
        long offset = StreamScript.Make($"subvol vol; {string.Join("; ", lines[..^1])}", version: 3).Length;
        Assert.Equal($"offset {offset}: command {lines.Length + 1} ({lines[^1].Split(' ')[0]}): {reason}", Fails(stream).Message);
    }

    [Theory]
    [InlineData("mkfile a; end", "offset 17: command 1 (mkfile): the first command of a stream must be subvol or snapshot")]
    [InlineData("end", "offset 17: command 1 (end): the first command of a stream must be subvol or snapshot")]
    [InlineData("subvol vol; subvol vol; end", "offset 66: command 2 (subvol): subvolume 11111111-1111-1111-1111-111111111111 is described twice")]
    [InlineData("subvol a/b; end", "offset 17: command 1 (subvol): the subvolume's name: 'a/b' cannot be the name of a file")]
    [InlineData("subvol ..; end", "offset 17: command 1 (subvol): the subvolume's name: '..' cannot be the name of a file")]
    [InlineData("snapshot vol; end", "offset 17: command 1 (snapshot): 'vol': the parent subvolume 11111111-1111-1111-1111-111111111111 is not known")]
    [InlineData("subvol a; subvol b 12; end", "offset 0: the input describes 2 subvolumes, expected one")]
    [InlineData("subvol vol", "offset 66: the stream ends without an end command after 1 commands")]
    public void Refuses_streams_that_are_not_one_subvolume(string script, string error) => Assert.Equal(error, Fails(StreamScript.Make(script)).Message);

    [Theory]
    [InlineData("mkfile a; link b a; rename a b", "/a /b")] // two names of one inode: rename(2) does nothing
    [InlineData("mkdir d; rename d d", "/d")]
    [InlineData("mkfile o257-1-0; mkdir d; rename o257-1-0 d/f", "/d /d/f")]
    [InlineData("mkfile a; mkfile b; rename a b", "/b")]
    [InlineData("mkdir d; mkdir e; mkfile d/x; rename d e", "/e /e/x")]
    [InlineData("mkdir d; mkdir d/e; mkfile d/e/x; rename d f; mkfile f/e/y; mkdir d; mkfile d/z", "/d /d/z /f /f/e /f/e/x /f/e/y")]
    [InlineData("mkdir d; mkdir de; mkfile d/x; mkfile de/y; rename d de2", "/de /de/y /de2 /de2/x")]
    [InlineData("mkfile a; link b a; unlink a", "/b")]
    [InlineData("mkdir d; mkfile d/a; unlink d/a; rmdir d; mkfile d", "/d")]
    [InlineData("mkfile \n\u00ff", @"/\x0a\xff")]
    public void Names_move_as_the_stream_says(string script, string paths) => Assert.Equal(paths, PathsOf(StreamScript.Apply(script)));

    [Theory]
    [InlineData("write a 3 x; write a 0 y", "y..x")]
    [InlineData("write a 0 hello; truncate a 3", "hel")]
    [InlineData("write a 0 hello; truncate a 3; truncate a 5", "hel..")]
    [InlineData("write a 0 hello; truncate a 7", "hello..")]
    [InlineData("write a 4 -", "")]
    [InlineData("write a 0 hello; clone a 5 2 a 1", "helloel")]
    [InlineData("write a 0 hello; clone a 7 5 a 0; write a 0 H", "Hello..hello")]
    [InlineData("write a 0 hello; mkfile b; write b 0 world; clone a 1 3 b 2; truncate b 0", "hrldo")]
    [InlineData("write a 0 hello; fallocate a 3 1 3", "h...o")]
    [InlineData("write a 0 hello; fallocate a 3 3 100", "hel..")]
    [InlineData("write a 0 hello; fallocate a 3 9 100", "hello")]
    [InlineData("write a 0 hello; fallocate a 1 3 100", "hello")]
    [InlineData("write a 0 hello; fallocate a 0 3 5", "hello...")]
    [InlineData("write a 0 hello; fallocate a 16 3 5", "hel.....")]
    [InlineData("write a 0 hello; fileattr a 2; enable_verity a", "hello")]
    [InlineData("encoded_write a 2 3 9 1 0 abcdefghi", "..bcd")]
    [InlineData("encoded_write a 0 4 5 1 0 abc", "bc..")] // decodes to less: zeros
    [InlineData("encoded_write a 0 2 2 0 0 abcdef", "ab")] // decodes to more: cut
    [InlineData("encoded_write a 0 7 7 0 3 \u0011\0\0\0\u0009\0\0\0\u0013ab\u0024\u0000\u0000\u0011\u0000\u0000", "abbbbbb")] // lzo: "ab", 6 times the last byte
    public void Data_lands_where_the_stream_says(string script, string text) =>
        Assert.Equal(text, TextOf(StreamScript.Apply($"mkfile a; {script}", version: 3), "a"));

    [Fact]
    public void Attributes_are_those_of_the_last_commands()
    {
        Tree tree = StreamScript.Apply(
            "mkdir d; set_xattr d user.a 1; set_xattr d user.b 2; set_xattr d user.a 3; remove_xattr d user.b; chown d 1 4294967294; chmod d 7777; "
            + "utimes d -5 999999999; chmod - 1700; utimes - 9 8; mknod n 60600 4294967295; mknod c 20600 259; mkfifo p; mksock s; symlink l /x");
        Inode d = tree.Root.Child(new FileName("d"))!, n = tree.Root.Child(new FileName("n"))!, c = tree.Root.Child(new FileName("c"))!;
        Assert.Equal((0xFFFU, 1U, 4294967294U, new Timestamp(-5, 999999999)), (d.Mode, d.Uid, d.Gid, d.ModificationTime));
        Assert.Equal(["user.a=3"], d.Xattrs.Items.Select(x => $"{Encoding.ASCII.GetString(x.Name)}={Encoding.ASCII.GetString(x.Value)}"));
        Assert.Equal((0x3C0U, new Timestamp(9, 8)), (tree.Root.Mode, tree.Root.ModificationTime));
        Assert.Equal((FileKind.BlockDevice, 4095U, 1048575U), (n.Kind, n.DeviceMajor, n.DeviceMinor));
        Assert.Equal((FileKind.CharDevice, 1U, 3U), (c.Kind, c.DeviceMajor, c.DeviceMinor));
        Assert.Equal("/x"u8.ToArray(), tree.Root.Child(new FileName("l"))!.Target);
        Assert.Equal((FileKind.Fifo, FileKind.Socket), (tree.Root.Child(new FileName("p"))!.Kind, tree.Root.Child(new FileName("s"))!.Kind));
    }

    [Fact]
    public void A_snapshot_starts_from_its_parent_and_leaves_it_alone()
    {
        Tree parent = StreamScript.Apply("mkfile a; write a 0 old; mkfile b; write b 0 BBB; link c a");
        byte[] stream = StreamScript.Make("snapshot vol2; write a 0 new; clone a 3 3 a 0 11; clone a 6 3 a 0 22; unlink b; end");
        ReceivedSubvolume received = SendStreamTree.Apply(new MemoryStream(stream), _ => parent, new MemoryContentStore());
        Assert.Equal(("vol2", StreamScript.Uuid("22"), 9UL, StreamScript.Uuid("11")), (received.Name.ToString(), received.Uuid, received.Ctransid, received.ParentUuid!.Value));
        Assert.Equal(("/a /c", "newoldnew", "newoldnew"), (PathsOf(received.Tree), TextOf(received.Tree, "a"), TextOf(received.Tree, "c")));
        Assert.Equal(("/a /b /c", "old"), (PathsOf(parent), TextOf(parent, "a")));
    }

    [Theory]
    [InlineData("subvol a; mkfile f; write f 0 one; end|snapshot b; write f 0 two; end|snapshot c 33 22; clone f 3 3 f 0 11; end")] // send a b c
    [InlineData("subvol a; mkfile f; write f 0 one; snapshot b; write f 0 two; snapshot c 33 22; clone f 3 3 f 0 11; end")] // send -e a b c
    public void Later_streams_build_upon_earlier_ones(string scripts)
    {
        byte[] input = [.. scripts.Split('|').SelectMany(script => StreamScript.Make(script))];
        IReadOnlyList<ReceivedSubvolume> received = SendStreamTree.ApplyAll(new MemoryStream(input), known: null, new MemoryContentStore());
        Assert.Equal(["a one", "b two", "c twoone"], received.Select(r => $"{r.Name} {TextOf(r.Tree, "f")}"));
    }

    [Fact]
    public void Asks_for_subvolumes_that_the_input_does_not_have()
    {
        Tree parent = StreamScript.Apply("mkfile a; write a 0 old"), other = StreamScript.Apply("mkdir d; mkfile d/x; write d/x 0 other");
        byte[] stream = StreamScript.Make("snapshot vol2; clone a 0 5 d/x 0 77; end");
        Tree? Known(Guid uuid) => uuid == StreamScript.Uuid("11") ? parent : uuid == StreamScript.Uuid("77") ? other : null;
        Assert.Equal("other", TextOf(Assert.Single(SendStreamTree.ApplyAll(new MemoryStream(stream), Known, new MemoryContentStore())).Tree, "a"));
        Assert.EndsWith("subvolume 77777777-7777-7777-7777-777777777777, is not known", Fails(stream, parent).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Completes_each_content_once_and_gives_up_those_of_a_broken_stream()
    {
        CountingStore store = new();
        string files = string.Join("; ", Enumerable.Range(0, 100).Select(i => string.Create(CultureInfo.InvariantCulture, $"mkfile f{i}; write f{i} 0 x; write f{i} 1 y; truncate f{i} 2")));
        SendStreamTree.Apply(new MemoryStream(StreamScript.Make($"subvol vol; mkfile empty; truncate empty 0; {files}; mkfile gone; write gone 0 x; unlink gone; end")), null, store);
        Assert.Equal((101, 100, 0), (store.Created, store.Completed, store.Open));
        Assert.Throws<SendStreamException>(() => SendStreamTree.Apply(new MemoryStream(StreamScript.Make("subvol vol; mkfile a; write a 0 x; unlink b; end")), null, store));
        Assert.Equal((102, 100, 0), (store.Created, store.Completed, store.Open));
    }

    [Fact]
    public void Deep_paths_cost_no_stack_and_no_quadratic_time()
    {
        string path = "d";
        List<string> lines = [];
        for (int depth = 1; depth <= 2047; depth++, path += "/d")
            lines.Add($"mkdir {path}");
        Assert.Equal(2048, StreamScript.Apply(string.Join("; ", lines)).Walk().Count());
    }

    private sealed class CountingStore : ContentStore
    {
        private readonly MemoryContentStore _store = new();
        public int Created, Completed, Open;

        public override ContentWriter Create(FileContent? initial = null)
        {
            Created++;
            Open++;
            return new Writer(this, _store.Create(initial));
        }

        private sealed class Writer(CountingStore counts, ContentWriter inner) : ContentWriter
        {
            public override long Size => inner.Size;
            public override void Write(long offset, ReadOnlySpan<byte> bytes) => inner.Write(offset, bytes);
            public override void SetSize(long size) => inner.SetSize(size);
            public override void CopyFrom(FileContent source, long sourceOffset, long length, long offset) => inner.CopyFrom(source, sourceOffset, length, offset);

            public override FileContent Complete()
            {
                counts.Completed++;
                return inner.Complete();
            }

            protected override void Dispose(bool disposing)
            {
                counts.Open--;
                inner.Dispose();
                base.Dispose(disposing);
            }
        }
    }
}
