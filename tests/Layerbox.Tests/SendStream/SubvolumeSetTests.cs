using System.Text;
using Layerbox.FileTree;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class SubvolumeSetTests
{
    private static string TextOf(Tree tree, string path)
    {
        using Stream stream = tree.Find(TreePath.Parse(path))!.Content!.Open();
        using StreamReader reader = new(stream, Encoding.Latin1);
        return reader.ReadToEnd().Replace('\0', '.');
    }

    [Fact]
    public void A_chain_of_inputs_builds_up_and_older_states_stay()
    {
        SubvolumeSet set = StreamScript.Receive(
            StreamScript.Make("subvol vol; mkfile a; write a 0 hello; mkfile b; write b 0 world; end"),
            StreamScript.Make("snapshot vol2; write a 0 J; clone b 5 5 a 0 11; end", version: 2),
            StreamScript.Make("snapshot vol3 33 22; unlink a; clone b 0 3 b 7 22; end"));
        Assert.Equal(
            ["vol hello world", "vol2 Jello worldhello", "vol3 - lloldhello"],
            set.Subvolumes.Select(s => $"{s.Name} {(s.Tree.Root.Child("a"u8) is null ? "-" : TextOf(s.Tree, "a"))} {TextOf(s.Tree, "b")}"));
        Assert.True(set.HasClones);
    }

    [Fact]
    public void What_a_snapshot_did_not_touch_is_the_very_same_content()
    {
        SubvolumeSet set = StreamScript.Receive(StreamScript.Make("subvol vol; mkfile a; write a 0 hello; mkfile b; write b 0 x; end"), StreamScript.Make("snapshot vol2; write b 0 y; end"));
        FileContent? Of(int subvolume, string name) => set.Subvolumes[subvolume].Tree.Find(TreePath.Parse(name))!.Content;
        Assert.Same(Of(0, "a"), Of(1, "a"));
        Assert.NotSame(Of(0, "b"), Of(1, "b"));
    }

    [Fact]
    public void A_state_may_be_reached_again()
    {
        SubvolumeSet set = StreamScript.Receive(
            StreamScript.Make("subvol vol; mkfile a; end"),
            StreamScript.Make("snapshot vol2; mkfile b; end"),
            StreamScript.Make("snapshot vol 11 22; unlink b; end"), // btrfs send -p new old
            StreamScript.Make("snapshot vol 11 11; end")); // btrfs send -p same same
        Assert.Equal(["/ /a", "/ /a /b", "/ /a", "/ /a"], set.Subvolumes.Select(s => string.Join(' ', s.Tree.Walk().Select(e => e.Key))));
    }

    [Theory]
    [InlineData("snapshot vol2; end", "offset 17: command 1 (snapshot): 'vol2': the parent subvolume 11111111-1111-1111-1111-111111111111 is not known")]
    [InlineData("subvol vol; mkfile a; clone a 0 5 x 0 77; end", "offset 93: command 3 (clone): 'a': the clone's source, subvolume 77777777-7777-7777-7777-777777777777, is not known")]
    [InlineData("subvol vol; mkfile a; update_extent a 0 5; end", "offset 93: command 3 (update_extent): 'a': the stream was made without data (send --no-data)")]
    public void Says_which_subvolume_is_wanted(string script, string error) =>
        Assert.Equal(error, Assert.Throws<SendStreamException>(() => StreamScript.Receive(StreamScript.Make(script))).Message);

    [Fact]
    public void Streams_build_upon_trees_that_no_stream_brought()
    {
        Tree folder = new();
        folder.Root.Add(new FileName("a"), Inode.File(420, new MemoryContent("hello"u8.ToArray())));
        folder.Root.Add(new FileName("b"), Inode.File(420, new MemoryContent("world"u8.ToArray())));
        SubvolumeSet set = new();
        set.Add(StreamScript.Uuid("11"), folder);
        byte[] stream = StreamScript.Make("snapshot vol2; write a 1 E; clone a 5 3 b 2 11; end");
        set.Receive(new MemoryStream(stream), new MemoryBytes(stream));
        Assert.Equal(("hEllorld", "world", "hello"), (TextOf(set.Subvolumes[0].Tree, "a"), TextOf(set.Subvolumes[0].Tree, "b"), TextOf(folder, "a")));
    }

    [Fact]
    public void Names_that_repeat_are_told_apart_by_the_beginning_of_the_uuid()
    {
        SubvolumeSet set = StreamScript.Receive(
            StreamScript.Make("subvol vol 11; end"), StreamScript.Make("subvol vol 12; end"), StreamScript.Make("subvol vol 22; end"), StreamScript.Make("subvol other 13; end"));
        Assert.Equal(["vol@1111", "vol@1212", "vol@2222", "other"], set.Subvolumes.Select(set.LabelOf));
    }

    [Fact]
    public void Of_an_absent_parent_is_known_what_commands_took_for_granted()
    {
        byte[] stream = StreamScript.Make(
            "snapshot vol2; mkfile o257-1-0; rename o257-1-0 etc/new; write etc/new 0 x; chmod etc/passwd 600; write var/log 4096 abc; rename usr/lib usr/lib64; "
            + "truncate usr/lib64/x 10; unlink gone; rmdir empty; link hard2 hard; remove_xattr hard user.x; utimes - 5; end");
        SubvolumeSet set = new() { AllowUnknownParent = true };
        set.Receive(new MemoryStream(stream), new MemoryBytes(stream));
        ReceivedSubvolume received = Assert.Single(set.Subvolumes);
        Assert.Equal("/ /etc /etc/new /etc/passwd /hard /hard2 /usr /usr/lib64 /usr/lib64/x /var /var/log", string.Join(' ', received.Tree.Walk().Select(e => e.Key)));
        Assert.Equal("/ /empty /etc /etc/passwd /gone /hard /usr /usr/lib /usr/lib/x /var /var/log", string.Join(' ', received.Before!.Walk().Select(e => e.Key)));
        Inode At(string path) => received.Tree.Find(TreePath.Parse(path))!;
        Assert.Null(received.PlaceholderOf(At("etc/new")));
        Assert.Equal(TreeAspects.Mode, received.PlaceholderOf(At("etc/passwd"))!.Known);
        Assert.Equal(TreeAspects.Kind | TreeAspects.Content, received.PlaceholderOf(At("var/log"))!.Known);
        Assert.Equal(TreeAspects.Kind | TreeAspects.Time, received.PlaceholderOf(At(""))!.Known);
        Assert.Same(received.Before.Find(TreePath.Parse("usr/lib/x")), received.OriginOf(At("usr/lib64/x")));
        Assert.Equal([new Extent(0, 4096, false, true), new Extent(4096, 3, false), new Extent(4099, 0, false, true)], At("var/log").Content!.Extents);
        Assert.Equal([new Extent(0, 10, false, true)], At("usr/lib64/x").Content!.Extents);
        Assert.Equal("the size of the file is not known: the subvolume that the stream builds upon was not given",
            Assert.Throws<InvalidDataException>(() => At("var/log").Content!.Open()).Message);
    }

    [Theory]
    [InlineData("unlink a; chmod a 644", "'a': no such file")]
    [InlineData("rename a b; chmod a 644", "'a': no such file")]
    [InlineData("mkdir new; chmod new/x 644", "'new/x': no such file")]
    [InlineData("mkfile a; mkfile a", "'a': exists")]
    [InlineData("write a 0 x; mkfile a/b", "'a/b': 'a' is a regular file, expected a directory")]
    [InlineData("chmod d/x 644; rmdir d", "'d': the directory is not empty")]
    [InlineData("chmod a/../b 644", "'a/../b': '..' cannot be the name of a file")]
    public void An_absent_parent_does_not_have_what_the_stream_took_away(string script, string reason)
    {
        SubvolumeSet set = new() { AllowUnknownParent = true };
        Assert.EndsWith($": {reason}", Assert.Throws<SendStreamException>(() => set.Receive(new MemoryStream(StreamScript.Make($"snapshot v; {script}; end")))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Chains_may_begin_with_an_absent_parent()
    {
        byte[][] inputs = [StreamScript.Make("snapshot v2; chmod d/a 600; unlink gone; end"), StreamScript.Make("snapshot v3 33 22; rename d e; chown e/b 1 2; utimes e/a 5; write e/c/f 0 x; end")];
        SubvolumeSet set = new() { AllowUnknownParent = true, KeepOrigins = true };
        foreach (byte[] input in inputs)
            set.Receive(new MemoryStream(input), new MemoryBytes(input));
        ReceivedSubvolume last = set.Subvolumes[1];
        Assert.Equal("/ /e /e/a /e/b /e/c /e/c/f", string.Join(' ', last.Tree.Walk().Select(e => e.Key)));
        Assert.Equal("/ /d /d/a /d/b /d/c /d/c/f", string.Join(' ', last.Before!.Walk().Select(e => e.Key)));
        Assert.Equal("/ /d /d/a", string.Join(' ', set.Subvolumes[0].Tree.Walk().Select(e => e.Key)));
        Assert.Equal(TreeAspects.Mode | TreeAspects.Time, last.PlaceholderOf(last.Tree.Find(TreePath.Parse("e/a"))!)!.Known);
        Assert.Contains("gone", Assert.Throws<SendStreamException>(() => set.Receive(new MemoryStream(StreamScript.Make("snapshot v4 44 33; chmod gone 1; end")))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Streams_without_data_say_where_data_is()
    {
        byte[] stream = StreamScript.Make("subvol vol; mkfile a; update_extent a 0 4096; update_extent a 8192 4096; truncate a 10000; end");
        SubvolumeSet set = new() { AllowNoData = true };
        set.Receive(new MemoryStream(stream), new MemoryBytes(stream));
        FileContent content = set.Subvolumes[0].Tree.Root.Child("a"u8)!.Content!;
        Assert.Equal([new Extent(0, 4096, false, true), new Extent(4096, 4096, true), new Extent(8192, 1808, false, true)], content.Extents);
        Assert.Equal("the file's content is not known: the stream was made without data (send --no-data)", Assert.Throws<InvalidDataException>(() => content.Digest).Message);
    }
}
