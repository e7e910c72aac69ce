using System.Globalization;
using System.Text;
using Layerbox.FileTree;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class ReceivedContentTests
{
    private static ReceivedContent ContentOf(Tree tree, string path) => Assert.IsType<ReceivedContent>(tree.Find(TreePath.Parse(path))!.Content);

    private static string TextOf(FileContent content)
    {
        using Stream stream = content.Open();
        using StreamReader reader = new(stream, Encoding.Latin1);
        return reader.ReadToEnd().Replace('\0', '.');
    }

    // Files of a few hundred bytes, hundreds of commands: runs are cut, overwritten and cloned in every way. StreamScript.Apply compares with
    // the other way of receiving, which holds bytes.
    [Theory]
    [InlineData(1, 60)]
    [InlineData(2, 900)]
    [InlineData(3, 900)]
    public void Any_order_of_commands_gives_the_same_bytes_as_writing_them(int seed, int commands)
    {
        Random random = new(seed);
        long[] sizes = new long[3];
        List<string> lines = [];
        while (lines.Count < commands)
        {
            int file = random.Next(3), other = random.Next(3);
            long offset = random.Next(2000), length = random.Next(1, 60);
            string letter = ((char)random.Next('a', 'z' + 1)).ToString();
            switch (random.Next(12))
            {
                case 0 when sizes[other] > 100:
                    long from = random.NextInt64(sizes[other] - length);
                    if (file == other && Math.Abs(from - offset) < length)
                        continue;
                    lines.Add(string.Create(CultureInfo.InvariantCulture, $"clone f{file} {offset} {length} f{other} {from}"));
                    break;
                case 1 when random.Next(4) == 0:
                    lines.Add(string.Create(CultureInfo.InvariantCulture, $"truncate f{file} {offset}"));
                    sizes[file] = offset;
                    continue;
                case 2:
                    lines.Add(string.Create(CultureInfo.InvariantCulture, $"fallocate f{file} 3 {offset} {length}"));
                    continue;
                case 3:
                    lines.Add(string.Create(CultureInfo.InvariantCulture, $"encoded_write f{file} {offset} {length} 100 7 0 {letter}*100"));
                    break;
                default:
                    lines.Add(string.Create(CultureInfo.InvariantCulture, $"write f{file} {offset} {letter}*{length}"));
                    break;
            }
            sizes[file] = Math.Max(sizes[file], offset + length);
        }
        Tree tree = StreamScript.Apply($"mkfile f0; mkfile f1; mkfile f2; {string.Join("; ", lines)}");
        for (int file = 0; file < 3; file++)
        {
            ReceivedContent content = ContentOf(tree, $"f{file}");
            long end = 0;
            foreach (StreamExtent part in content.Parts)
            {
                Assert.Equal(end, part.Offset);
                end += part.Length;
            }
            Assert.Equal((sizes[file], sizes[file]), (content.Size, end));
            Assert.Equal(content.Size, content.Extents.Sum(e => e.Length));
        }
    }

    [Theory]
    [InlineData("truncate a 90000")]
    [InlineData("write a 100000 x; truncate a 90000")]
    [InlineData("write a 0 x; write a 100000 y; fallocate a 3 0 1; truncate a 90000")]
    public void What_is_all_hole_is_written_whole_however_it_became_so(string script)
    {
        ReceivedContent content = ContentOf(StreamScript.Apply($"mkfile a; {script}"), "a");
        using MemoryStream written = new();
        int parts = 0;
        Assert.True(content.TryWriteTo(written, _ => Assert.True(++parts < 100, "it does not come to an end")));
        Assert.Equal(new byte[content.Size], written.ToArray());
    }

    [Theory]
    [InlineData("write a 0 hello; write a 5 world", "d0+5 d5+5")]
    [InlineData("write a 3 x", "h0+3 d3+1")]
    [InlineData("write a 0 hello; truncate a 9", "d0+5 h5+4")]
    [InlineData("write a 0 hello; write a 1 LL", "d0+1 d1+2 d3+2")]
    [InlineData("write a 0 hello; write a 0 HELLO", "d0+5")]
    [InlineData("write a 0 hello; truncate a 2; truncate a 4", "d0+2 h2+2")]
    [InlineData("write a 0 hello; fallocate a 3 1 2", "d0+1 h1+2 d3+2")]
    [InlineData("write a 0 hello; mkfile b; clone b 0 5 a 0; write a 0 JELLO; truncate a 0; clone a 0 2 b 0; clone a 2 3 b 2", "d0+5")] // the second goes on where the first ends
    public void Keeps_where_runs_lie(string script, string parts) =>
        Assert.Equal(parts, string.Join(' ', ContentOf(StreamScript.Apply($"mkfile a; {script}"), "a").Parts.Select(p => $"{(p.Source is Hole ? 'h' : 'd')}{p.Offset}+{p.Length}")));

    [Fact]
    public void A_clone_is_the_same_data_in_the_same_place()
    {
        Tree tree = StreamScript.Apply("mkfile a; write a 0 hello; truncate a 10; mkfile b; clone b 3 6 a 2; write a 0 HELLO; truncate a 0");
        StreamExtent[] parts = [.. ContentOf(tree, "b").Parts];
        Assert.Equal([(0L, 3L), (3, 3), (6, 3)], parts.Select(p => (p.Offset, p.Length)));
        Assert.IsType<WrittenBytes>(parts[1].Source);
        Assert.IsType<Hole>(parts[2].Source);
        Assert.NotSame(parts[0].Source, parts[2].Source);
        Assert.Equal(0, parts[2].SourceOffset);
        Assert.Equal("...llo...", TextOf(ContentOf(tree, "b")));
    }

    [Fact]
    public void Holes_of_exabytes_cost_nothing_until_they_are_read()
    {
        byte[] stream = StreamScript.Make("subvol vol; mkfile a; truncate a 9223372036854775807; mkfile b; clone b 1 4611686018427387904 a 9; write b 4611686018427387000 x; end");
        Tree tree = StreamScript.Receive(stream).Subvolumes[0].Tree;
        Assert.Equal(long.MaxValue, ContentOf(tree, "a").Size);
        Assert.Equal(4611686018427387905, ContentOf(tree, "b").Extents.Sum(e => e.Length));
        Assert.Equal("a file of 9223372036854775807 bytes, which is more than the limit of 1099511627776 for those that are read",
            Assert.Throws<InvalidDataException>(() => ContentOf(tree, "a").Digest).Message);
        Assert.Throws<InvalidDataException>(() => ContentOf(tree, "b").Open());
    }

    [Fact]
    public void Clones_of_clones_are_limited()
    {
        StringBuilder script = new("subvol vol; mkfile a; write a 0 x; mkfile b; write b 0 y; clone a 1 1 b 0");
        for (int power = 1; power < 60; power++)
            script.Append(CultureInfo.InvariantCulture, $"; clone a {1L << power} {1L << power} a 0");
        byte[] stream = StreamScript.Make($"{script}; end");
        SubvolumeSet set = new(new SendStreamLimits { MaxCopiedRuns = 100_000 });
        SendStreamException e = Assert.Throws<SendStreamException>(() => set.Receive(new MemoryStream(stream)));
        Assert.Equal(SendStreamFault.TooManyRuns, e.Fault);
        Assert.Matches("^offset [0-9]+: command 22 \\(clone\\): clones and snapshots have copied more than 100000 runs of data", e.Message);
    }

    [Fact]
    public void A_hundred_thousand_writes_in_any_order_take_no_quadratic_time()
    {
        const int Writes = 100_000;
        int[] order = [.. Enumerable.Range(0, Writes)];
        new Random(1).Shuffle(order);
        using MemoryStream output = new();
        SendStreamWriter writer = new(output, 1);
        writer.Begin(SendCommandKind.Subvol).Bytes(SendAttribute.Path, "vol"u8).Uuid(SendAttribute.Uuid, StreamScript.Uuid("11")).UInt64(SendAttribute.Ctransid, 7).End();
        writer.Begin(SendCommandKind.Mkfile).Bytes(SendAttribute.Path, "a"u8).End();
        foreach (int at in order)
            writer.Begin(SendCommandKind.Write).Bytes(SendAttribute.Path, "a"u8).UInt64(SendAttribute.FileOffset, (ulong)at * 2).Bytes(SendAttribute.Data, "x"u8).End();
        writer.Begin(SendCommandKind.End).End();
        writer.Flush();
        TimeSpan start = ThreadTime.Now;
        Tree tree = StreamScript.Receive(output.ToArray()).Subvolumes[0].Tree;
        Assert.Equal(2 * Writes - 1, ContentOf(tree, "a").Parts.Count());
        TimeSpan taken = ThreadTime.Now - start;
        Assert.True(taken < TimeSpan.FromSeconds(5), $"{taken}"); // 0.3 s; with a plain array 10
    }

    [Fact]
    public void Contents_of_an_input_that_was_not_kept_cannot_be_read()
    {
        SubvolumeSet set = new();
        set.Receive(new MemoryStream(StreamScript.Make("subvol vol; mkfile a; write a 0 x; mkfile e; end")));
        Assert.Equal("the bytes of the input cannot be read again: contents can only be told from a file, or from an input that was kept",
            Assert.Throws<InvalidDataException>(() => ContentOf(set.Subvolumes[0].Tree, "a").Digest).Message);
    }

    [Fact]
    public void Corrupt_data_is_found_when_it_is_read_and_says_which_command()
    {
        byte[] stream = StreamScript.Make("subvol vol; mkfile a; encoded_write a 0 4096 4096 0 1 x*100; end", version: 2);
        Tree tree = StreamScript.Receive(stream).Subvolumes[0].Tree;
        SendStreamException e = Assert.Throws<SendStreamException>(() => ContentOf(tree, "a").Digest);
        Assert.Equal((SendStreamFault.EncodedCorrupt, 3L), (e.Fault, e.Index));
    }
}
