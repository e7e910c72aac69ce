using System.Diagnostics;
using Layerbox.Btrfs;

namespace Layerbox.Tests.Btrfs;

public sealed class GcTests(SharedVolume shared) : StoreTest(shared), IClassFixture<SharedVolume>
{
    [Theory]
    [InlineData("", true, "its handle is there")]
    [InlineData("cp h.layer copy.layer", true, "its handle is there")]
    [InlineData("ln -s h.layer link.layer", true, "its handle is there")]
    [InlineData("mv h.layer moved.layer", false, null)]
    [InlineData("mv h.layer moved.layer; ln -s moved.layer h.layer", true, "its handle is there")]
    [InlineData("rm h.layer", false, null)]
    [InlineData("echo more >> h.layer", true, "its handle is there")]
    [InlineData(": > h.layer", false, "what is there is no handle: not a line of JSON")]
    [InlineData("truncate -s 20 h.layer", false, "what is there is no handle: not a line of JSON")]
    [InlineData("rm h.layer; mkdir h.layer", false, "what is there is no handle: a directory")]
    [InlineData("rm h.layer; mkfifo h.layer", false, "what is there is no handle: not a line of JSON")]
    [InlineData("truncate -s 1G h.layer", false, "what is there is no handle: not a line of JSON")]
    [InlineData("echo '[1]' > h.layer", false, "what is there is no handle: JSON without uuid and subvolume")]
    [InlineData("echo '{\"uuid\":1,\"subvolume\":2}' > h.layer", false, "what is there is no handle: JSON without uuid and subvolume")]
    [InlineData("sed -i 's/\"uuid\":\"......../\"uuid\":\"00000000/' h.layer", false, "its handle is there")]
    public void A_layer_lives_as_long_as_the_handle_that_names_it(string fate, bool lives, string? root)
    {
        StoredLayer layer = MakeLayer();
        MakeHandle(layer);
        Programs.Shell($"cd {Handles}; {fate}");
        string[] lines = Lines(Collect("--grace", "0", "--verbose").AssertSucceeded());
        Assert.Equal(lives ? $"kept layers/{layer.Id}: a root names it" : $"removed layers/{layer.Id}: no root names it", lines[0]);
        Assert.EndsWith(root is null ? ": its handle is gone" : $": {root}", lines[1], StringComparison.Ordinal);
        Assert.Equal(lives ? [layer.Id] : [], Names("layers"));
        Assert.Equal(root is null ? 0 : 1, Names("roots").Length);
        Assert.Equal(lives ? 1 : 0, Subvolumes().Length);
        Assert.Empty(Names("tmp"));
    }

    [Fact]
    public void A_handle_that_is_overwritten_keeps_the_new_layer_only()
    {
        StoredLayer old = MakeLayer(), young = MakeLayer();
        MakeHandle(old);
        MakeHandle(young);
        Collect("--grace", "0").AssertSucceeded();
        Assert.Equal([young.Id], Names("layers"));
        Assert.Single(Names("roots"));
    }

    [Fact]
    public void A_root_is_found_by_any_path_to_its_handle()
    {
        StoredLayer layer = MakeLayer();
        Programs.Shell($"cd {Handles}; mkdir d; ln -s d l");
        MakeHandle(layer, "l/../l/h.layer");
        Store.AddRoot(Path.Combine(Handles, "d/./h.layer"));
        Programs.Shell($"rm {Handles}/l");
        Collect("--grace", "0").AssertSucceeded();
        Assert.Equal([layer.Id], Names("layers"));
        Assert.Single(Names("roots"));
    }

    [Fact]
    public void A_handle_with_a_name_that_is_not_UTF8_is_a_root()
    {
        StoredLayer layer = MakeLayer();
        MakeHandle(layer, "h\uDCFF.layer");
        Tools.Result result = Collect("--grace", "0", "--verbose").AssertSucceeded();
        Assert.Equal([layer.Id], Names("layers"));
        Assert.Contains("\"root_b64\":\"", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_layer_lives_while_a_process_holds_it()
    {
        StoredLayer layer = MakeLayer();
        using (layer.Hold())
        using (layer.Hold())
            Assert.Equal([$"kept layers/{layer.Id}: a process holds it"], Lines(Collect("--grace", "0", "--verbose")));
        Assert.Equal([$"removed layers/{layer.Id}: no root names it"], Lines(Collect("--grace", "0")));
    }

    [Fact]
    public void A_layer_lives_until_its_builder_lets_go()
    {
        using (LayerBuild build = Store.Begin(Recipe))
        {
            Fill(build);
            build.Commit();
            Assert.Empty(Lines(Collect("--grace", "0")));
        }
        Assert.Single(Lines(Collect("--grace", "0")));
    }

    [Theory]
    [InlineData("now", null, false)]
    [InlineData("now", "0", true)]
    [InlineData("9 minutes ago", null, false)]
    [InlineData("11 minutes ago", null, true)]
    [InlineData("11 minutes ago", "1h", false)]
    [InlineData("11 minutes ago", "700", false)]
    [InlineData("3 days", null, true)]
    public void A_layer_lives_for_a_while_after_its_last_use(string used, string? grace, bool dies)
    {
        StoredLayer layer = MakeLayer();
        Programs.Run("touch", "--date", used, layer.Directory);
        Collect(grace is null ? [] : ["--grace", grace]).AssertSucceeded();
        Assert.Equal(dies ? [] : [layer.Id], Names("layers"));
    }

    [Fact]
    public void Using_a_layer_makes_it_young_again()
    {
        StoredLayer layer = MakeLayer();
        using (layer.Hold())
            Programs.Run("touch", "--date", "1 day ago", layer.Directory);
        Collect().AssertSucceeded();
        Assert.Equal([layer.Id], Names("layers"));
    }

    // Every state that a builder killed by SIGKILL can leave behind, in the order in which it makes them.
    [Theory]
    [InlineData("mkdir tmp/$id")]
    [InlineData("mkdir tmp/$id; btrfs -q subvolume create tmp/$id/volume")]
    [InlineData("mkdir tmp/$id; btrfs -q subvolume create tmp/$id/volume; mkdir -p tmp/$id/volume/a; btrfs -q subvolume create tmp/$id/volume/a/b; touch tmp/$id/facts.jsonl")]
    [InlineData("mkdir tmp/$id; btrfs -q subvolume create tmp/$id/volume; btrfs property set tmp/$id/volume ro true")]
    [InlineData("mkdir layers/$id; btrfs -q subvolume create layers/$id/volume; btrfs property set layers/$id/volume ro true")]
    [InlineData("mkdir layers/$id; btrfs -q subvolume create layers/$id/volume; ln -s /nope/h.layer roots/$id")]
    [InlineData("mkdir layers/$id; btrfs -q subvolume create layers/$id/volume; ln -s /nope/h.layer roots/$id.leftover; ln -s /nope/h.layer roots/$id")]
    // And a collector.
    [InlineData("mkdir tmp/$id.dead; btrfs -q subvolume create tmp/$id.dead/volume; touch tmp/$id.dead/facts.jsonl")]
    [InlineData("mkdir tmp/$id.dead; touch tmp/$id.dead/facts.jsonl")]
    [InlineData("mkdir tmp/$id.dead")]
    // And others.
    [InlineData("mkdir tmp/t-0; btrfs -q subvolume create tmp/t-0/snapshot")]
    [InlineData("mkdir layers/$id; touch layers/$id/facts.jsonl")]
    [InlineData("touch tmp/file; ln -s / tmp/link; mkfifo tmp/fifo")]
    public void Nothing_leaks_whenever_a_process_dies(string left)
    {
        Programs.Shell($"cd {Volume.Path}; id=0123456789abcdef0123456789abcdef-00000000; {left}");
        string[] would = Lines(Collect("--grace", "0", "--dry-run").AssertSucceeded());
        string[] removed = Lines(Collect("--grace", "0").AssertSucceeded());
        Assert.NotEmpty(removed);
        Assert.Equal(removed, would.Select(line => line.Replace("would_remove ", "removed ", StringComparison.Ordinal)));
        Assert.Empty(Names("layers"));
        Assert.Empty(Names("tmp"));
        Assert.Empty(Names("roots"));
        Assert.Empty(Subvolumes());
        Assert.Empty(Lines(Collect("--grace", "0", "--verbose").AssertSucceeded()));
    }

    [Fact]
    public void A_folder_is_kept_while_its_maker_lives_and_not_after_SIGKILL()
    {
        Programs.Shell($"mkdir {Volume.Path}/tmp/t-1; btrfs -q subvolume create {Volume.Path}/tmp/t-1/snapshot");
        using Process maker = Process.Start("flock", ["--shared", Volume.Path + "/tmp/t-1", "--command", "sleep 1000"]);
        try
        {
            Patience.Until(() => Programs.Try("flock", "--nonblock", Volume.Path + "/tmp/t-1", "true").Status != 0, "flock to start");
            Assert.Equal(["kept tmp/t-1: a process works in it"], Lines(Collect("--grace", "0", "--verbose")));
        }
        finally
        {
            maker.Kill(entireProcessTree: true);
            maker.WaitForExit();
        }
        Patience.Until(() => Programs.Try("flock", "--nonblock", Volume.Path + "/tmp/t-1", "true").Status == 0, "flock to end");
        Assert.Equal(["removed tmp/t-1: its maker is gone"], Lines(Collect("--grace", "0", "--verbose")));
    }

    [Theory]
    [InlineData("btrfs -q subvolume create layers/$id/other", "layers/$id", "more in it than one subvolume: other, volume")]
    [InlineData("mkdir layers/$id/mine", "layers/$id", "more in it than one subvolume: mine, volume")]
    [InlineData("mv layers/$id/volume layers/$id/renamed", "layers/$id", "more in it than one subvolume: renamed")]
    [InlineData("btrfs -q subvolume delete layers/$id/volume; mkdir layers/$id/volume", "layers/$id", "'volume' in it is no subvolume")]
    [InlineData("mv layers/$id layers/mine", "layers/mine", "not a layer's folder")]
    [InlineData("touch roots/mine; touch -d yesterday layers/$id", "roots/mine", "cannot be read, so no layer is removed: not a link to a handle")]
    [InlineData("ln -s relative roots/mine", "roots/mine", "cannot be read, so no layer is removed: not a link to a handle")]
    [InlineData("ln -s $PWD/roots/loop roots/loop", "roots/loop", "cannot be read, so no layer is removed: Too many levels of symbolic links")]
    public void What_it_does_not_understand_is_reported_and_kept(string change, string path, string reason)
    {
        StoredLayer layer = MakeLayer();
        Programs.Shell($"cd {Volume.Path}; id={layer.Id}; {change}");
        path = path.Replace("$id", layer.Id, StringComparison.Ordinal);
        int before = Subvolumes().Length;
        Tools.Result result = Collect("--grace", "0");
        Assert.Equal(2, result.Status);
        Assert.Equal([$"unexpected {path}: {reason}"], Lines(result));
        Assert.Equal($"subvol-gc: {Volume.Path}/{path}: {reason}", result.FirstErrorLine);
        Assert.Equal(before, Subvolumes().Length);
        Assert.Single(Names("layers"));
    }

    [Fact]
    public void What_resists_does_not_keep_the_rest_from_going()
    {
        Programs.Shell($"cd {Volume.Path}/tmp; mkdir a b c; btrfs -q subvolume create b/volume; btrfs -q subvolume create c/volume; mount -t tmpfs none b/volume");
        try
        {
            Tools.Result result = Collect("--grace", "0");
            Assert.Equal(2, result.Status);
            Assert.Equal(["removed tmp/a: its maker is gone", "removed tmp/c: its maker is gone"], Lines(result).Where(l => !l.StartsWith("unexpected", StringComparison.Ordinal)));
            Assert.Equal(["b"], Names("tmp"));
        }
        finally
        {
            Mounting.Unmount(Volume.Path + "/tmp/b/volume");
        }
        Assert.Equal(["removed tmp/b: its maker is gone"], Lines(Collect("--grace", "0").AssertSucceeded()));
    }

    [Fact]
    public void Says_so_when_another_collector_is_at_work()
    {
        MakeLayer();
        using GarbageCollector other = GarbageCollector.TryBegin(Store, TimeSpan.Zero)!;
        Tools.Result result = Collect("--grace", "0");
        Assert.Equal((0, "", $"subvol-gc: {Volume.Path}: another subvol-gc is at work here; nothing done"), (result.Status, result.Out, result.FirstErrorLine));
        Assert.Single(Names("layers"));
    }

    [Fact]
    public void A_dry_run_removes_nothing()
    {
        StoredLayer layer = MakeLayer();
        Assert.Equal([$"would_remove layers/{layer.Id}: no root names it"], Lines(Collect("--grace", "0", "--dry-run")));
        Assert.Single(Subvolumes());
    }

    [Fact]
    public void Removes_layers_in_the_hundreds()
    {
        // More than it locks at a time.
        Programs.Shell($"cd {Volume.Path}/layers; for i in $(seq 10000000 10000449); do mkdir 0123456789abcdef0123456789abcdef-$i; done");
        Assert.Equal(450, Lines(Collect("--grace", "0")).Length);
        Assert.Empty(Names("layers"));
        Assert.Empty(Names("tmp"));
    }

    [Fact]
    public async Task Never_takes_what_is_held_or_named_while_it_runs_without_grace()
    {
        _ = Store;
        using CancellationTokenSource end = new();
        Task<int> collector = Task.Run(() =>
        {
            int removed = 0;
            while (!end.IsCancellationRequested)
            {
                using GarbageCollector gc = GarbageCollector.TryBegin(Store, TimeSpan.Zero)!;
                removed += gc.Run().Count(item => item.Outcome == CollectionOutcome.Removed && item.Path.StartsWith("layers/", StringComparison.Ordinal));
            }
            return removed;
        });
        Task[] builders = [.. Enumerable.Range(0, 4).Select(builder => Task.Run(() =>
        {
            for (int i = 0; i < 15; i++)
            {
                string handle = Path.Combine(Handles, $"{builder}.layer");
                using (LayerBuild build = Store.Begin(Recipe))
                {
                    Fill(build);
                    Store.WriteHandle(handle, HandleOf(build.Commit()));
                }
                // Named by its handle alone now, or gone from everywhere at once.
                string line = File.ReadAllText(handle);
                Assert.Contains(Path.GetFileName(Path.GetDirectoryName(line.Split('"')[7]))!, Names("layers"));
                if (Store.FindByRecipe(Recipe) is not { } any || any.TryHold() is not { } hold)
                    continue;
                using (hold)
                {
                    Thread.Sleep(2);
                    Assert.Equal("content", File.ReadAllText(Path.Combine(any.SubvolumePath, "file")));
                }
            }
        }))];
        try
        {
            await Task.WhenAll(builders);
        }
        finally
        {
            await end.CancelAsync();
        }
        int removed = await collector;
        // Of 60 layers four are named; who removed the others depends on how the threads ran, that each went once does not.
        removed += Collect("--grace", "0").AssertSucceeded().Out.Split("{\"removed\":\"layers/").Length - 1;
        Assert.Equal(56, removed);
        Assert.Equal(4, Names("layers").Length);
        Assert.Equal(4, Subvolumes().Length);
        Assert.Empty(Names("tmp"));
    }

    [Fact]
    public void Makes_no_volume_where_there_is_none()
    {
        using TempFolder cache = new();
        Assert.Equal((0, "", ""), TempImage.Run("/", [$"XDG_CACHE_HOME={cache.Path}"], "subvol-gc"));
        Assert.Empty(Directory.GetFileSystemEntries(cache.Path));
    }

    [Theory]
    [InlineData("--grace", "5x")]
    [InlineData("--grace=-1")]
    [InlineData("--grace", "")]
    public void Says_what_is_no_duration(params string[] args) => Assert.Equal(2, Tools.Run(["subvol-gc", .. args]).Status);
}
