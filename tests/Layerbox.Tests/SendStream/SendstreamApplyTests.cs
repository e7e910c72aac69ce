using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Layerbox.Tests.Rootfs;

namespace Layerbox.Tests.SendStream;

/// <summary>sendstream-apply, from the outside.</summary>
public sealed class SendstreamApplyTests : IDisposable
{
    private readonly StreamFiles _files = new();

    public void Dispose() => _files.Dispose();

    private static Tree Full => StreamFiles.State(StreamFiles.Full);
    private static Tree Changed => StreamFiles.State(StreamFiles.Full, StreamFiles.Changes);

    [Theory]
    [InlineData("nothing is there yet", "true")]
    [InlineData("an empty directory is there", "mkdir -m 700 $O")]
    public void Makes_what_the_stream_describes(string what, string before)
    {
        Assert.NotEmpty(what);
        Programs.Shell($"O={_files.Out}; {before}");
        Apply("full").AssertSucceeded();
        AssertState(Full);
        Assert.Equal(["dir"], Names(_files / "out"));
        Assert.Equal((2, $"sendstream-apply: {_files.Out}: apply: not empty, and a full stream makes a new directory: name one that is empty or not there"), Said(Apply("full")));
        AssertState(Full);
    }

    [Fact]
    public void Says_what_to_do_instead()
    {
        string Error(params string[] args) => Said(Tools.Run(["sendstream-apply", .. args])).Line;
        Assert.Equal($"sendstream-apply: {_files / "full"}: not a directory: the one to write comes first, then the streams", Error(_files / "full", _files.Out));
        Assert.EndsWith($"is not known: {_files.Out} is not there to be taken for it: name its streams before this one", Error("--parent-unchecked", _files.Out, _files / "changes"), StringComparison.Ordinal);
        Directory.CreateDirectory(_files.Out);
        Assert.EndsWith($"(write): 'd/a': no such directory: 'd': is {_files.Out} in the state that the stream builds upon?", Error("--parent-unchecked", _files.Out, _files / "changes"), StringComparison.Ordinal);
        Assert.Equal($"sendstream-apply: {_files.Out}: subvolume create: exists: a new subvolume needs a path where nothing is", Error("--as-subvolume", _files.Out, _files / "full"));
        Assert.EndsWith("and a NUL byte: btrfs send and sendstream-make write such", Error(_files.Out, _files / "outside/canary"), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_files.Out));
    }

    [Fact]
    public void Keeps_holes()
    {
        Apply("full", "changes").AssertSucceeded();
        Assert.True(RootfsReader.Read(_files.Out).Find(TreePath.Parse("moved"))!.Content!.Extents is [{ IsHole: true }, { IsHole: false }, { IsHole: true }]);
    }

    [Fact]
    public void Several_streams_go_all_the_way_or_from_where_the_directory_is()
    {
        Apply("full", "changes").AssertSucceeded();
        AssertState(Changed);
        Apply("full", "changes").AssertSucceeded(); // it is there already
        Programs.Run("rm", "-r", _files.Out);
        Apply("full").AssertSucceeded();
        ulong inode = Files.Status(_files.Out + "/d/a").Inode;
        Apply("full", "changes").AssertSucceeded();
        AssertState(Changed);
        Assert.Equal(inode, Files.Status(_files.Out + "/d/a").Inode);
    }

    [Fact]
    public void A_directory_that_is_not_the_parent_is_left_alone()
    {
        Apply("full").AssertSucceeded();
        Programs.Shell($"echo more >> {_files.Out}/big; touch -d @3 {_files.Out}/big");
        List<string> before = TreeLines.Of(RootfsReader.Read(_files.Out));
        Tools.Result result = Apply("full", "changes");
        Assert.Equal((2, $"sendstream-apply: {_files.Out}: is in none of the states that the streams lead through; from the parent it differs so: M /big time 0.000000000 -> 3.000000000, content"), Said(result));
        Assert.Equal(before, TreeLines.Of(RootfsReader.Read(_files.Out)));
    }

    [Fact]
    public void A_parent_can_be_taken_on_trust()
    {
        Apply("full").AssertSucceeded();
        Assert.Equal(2, Apply("changes").Status);
        Assert.EndsWith($"the parent subvolume 11111111-1111-1111-1111-111111111111 is not known: name its streams before this one, or say --parent-unchecked if {_files.Out} is in its state", Apply("changes").FirstErrorLine, StringComparison.Ordinal);
        Tools.Run("sendstream-apply", "--parent-unchecked", _files.Out, _files / "changes").AssertSucceeded();
        AssertState(Changed);
        // It is not the parent any more, and what a command asks for is not there.
        List<string> before = TreeLines.Of(RootfsReader.Read(_files.Out));
        Assert.Contains("(unlink): 'd/link': no such file", Said(Tools.Run("sendstream-apply", "--parent-unchecked", _files.Out, _files / "changes")).Line, StringComparison.Ordinal);
        Assert.Equal(before, TreeLines.Of(RootfsReader.Read(_files.Out)));
    }

    [Fact]
    public void A_dry_run_says_what_would_be_done()
    {
        Tools.Result result = Tools.Run("sendstream-apply", "--dry-run", _files.Out, _files / "full");
        Assert.Equal(["M / time 0.000000000 -> 77.000000088", "A /big", "A /d", "A /d/a", "A /d/a2 link to /d/a", "A /d/link", "A /p"], result.AssertSucceeded().Out.TrimEnd().Split('\n'));
        Assert.Empty(Names(_files / "out"));
        Apply("full").AssertSucceeded();
        result = Tools.Run("sendstream-apply", "-n", "--parent-unchecked", _files.Out, _files / "changes");
        Assert.Equal(["M / time 77.000000088 -> 99.000000000", "D /big", "M /d/a content", "M /d/a2 content", "D /d/link", "A /moved", "A /new"], result.AssertSucceeded().Out.TrimEnd().Split('\n'));
        AssertState(Full);
    }

    [Fact]
    public void A_content_that_cannot_be_read_is_told_with_its_path_in_a_dry_run_too()
    {
        Apply("full").AssertSucceeded();
        string corrupt = _files.Make("corrupt", "snapshot vol2 22 11; encoded_write d/a 0 3 3 0 1 garbage; end");
        foreach (string[] options in (string[][])[[], ["--dry-run"]])
        {
            Tools.Result result = Tools.Run(["sendstream-apply", .. options, _files.Out, _files / "full", corrupt]);
            Assert.Equal((2, "sendstream-apply: /d/a: offset 99: command 2: the zlib data is corrupt"), (result.Status, result.FirstErrorLine));
        }
        AssertState(Full);
    }

    [Fact]
    public void An_empty_directory_is_empty_again_when_something_fails()
    {
        string file = _files.Make("big-xattr", "subvol vol; mkfile a; mkdir b; mkfile c; set_xattr c no-namespace v; end");
        Directory.CreateDirectory(_files.Out);
        List<string> before = TreeLines.Of(RootfsReader.Read(_files.Out));
        Assert.Equal(2, Tools.Run("sendstream-apply", _files.Out, file).Status);
        Assert.Equal(before, TreeLines.Of(RootfsReader.Read(_files.Out)));
        Directory.Delete(_files.Out);
        Assert.Equal((2, $"sendstream-apply: {_files / "out/.dir.layerbox-tmp"}/c: setxattr no-namespace: Operation not supported; this filesystem keeps no such attributes"), Said(Tools.Run("sendstream-apply", _files.Out, file)));
        Assert.Empty(Names(_files / "out"));
    }

    [Fact]
    public void Makes_a_subvolume_where_one_is_wanted()
    {
        using TempVolume volume = TempVolume.OrSkip();
        Tools.Run("sendstream-apply", "--as-subvolume", volume / "web", _files / "full").AssertSucceeded();
        Assert.Equal("256\n", Programs.Run("stat", "-c", "%i", volume / "web"));
        TreeLines.AssertEqual(Full, RootfsReader.Read(volume / "web"));
        Assert.Equal(2, Tools.Run("sendstream-apply", "--as-subvolume", volume / "web", _files / "full").Status);
        Assert.Equal((2, $"sendstream-apply: {_files.Out}: subvolume create: not on btrfs"), Said(Tools.Run("sendstream-apply", "--as-subvolume", _files.Out, _files / "full")));
        Assert.Equal(2, Tools.Run("sendstream-apply", "--as-subvolume", volume / "bad", _files.Make("bad", "subvol vol; mkfile c; set_xattr c no-namespace v; end")).Status);
        Assert.Equal(["web"], Names(volume.Path));
    }

    [Fact]
    public void What_a_stream_clones_is_shared_on_disk()
    {
        using TempVolume volume = TempVolume.OrSkip();
        string full = _files.Make("clones", "subvol vol; mkfile z; write z 0 a*40000; write z 40000 b*41920; mkfile y; clone y 0 81920 z 0; mkfile x; clone x 4096 8192 z 36864; mkfile odd; clone odd 0 100 z 7; end");
        string more = _files.Make("more", "snapshot vol2 22 11; mkfile w; clone w 0 81920 z 0; write w 0 c*4096; unlink z; rename y a; mkfile v; clone v 0 8192 w 8192 22; end");
        Tools.Run("sendstream-apply", volume / "d", full).AssertSucceeded();
        Assert.Equal(AddressesOf("z", 0, 81920), AddressesOf("y", 0, 81920));
        Assert.Equal(AddressesOf("z", 36864, 8192), AddressesOf("x", 4096, 8192));
        Assert.Equal(0, Tools.Run("sendstream-diff", full, volume / "d").Status);
        List<UInt128> before = AddressesOf("z", 8192, 65536);
        Tools.Run("sendstream-apply", "--parent-unchecked", volume / "d", more).AssertSucceeded();
        Assert.Equal(before, AddressesOf("w", 8192, 65536)); // of a file that is gone
        Assert.Equal(0, Tools.Run("sendstream-diff", "--from", full, "--from", more, "--to", volume / "d").Status);

        // A block's address for each block.
        List<UInt128> AddressesOf(string name, long offset, long length)
        {
            Programs.Run("sync", "-f", volume.Path);
            DiskContent content = (DiskContent)RootfsReader.Read(volume / "d").Find(TreePath.Parse(name))!.Content!;
            IReadOnlyList<StoredRun> runs = content.FindStorage();
            List<UInt128> addresses = [];
            for (long at = offset; at < offset + length; at += 4096)
                addresses.Add(runs.Single(run => run.Offset <= at && at < run.Offset + run.Length) is var found ? found.Address + (UInt128)(at - found.Offset) : 0);
            Assert.DoesNotContain(UInt128.Zero, addresses);
            return addresses;
        }
    }

    private Tools.Result Apply(params string[] streams) => Tools.Run(["sendstream-apply", _files.Out, .. streams.Select(stream => _files / stream)]);

    private static (int Status, string Line) Said(Tools.Result result) => (result.Status, result.FirstErrorLine);

    private static IEnumerable<string?> Names(string folder) => Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName);

    private void AssertState(Tree expected) => TreeLines.AssertEqual(expected, RootfsReader.Read(_files.Out));

}
