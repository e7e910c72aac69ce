using System.Text.Json;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Snapshots as plain repositories, and back.</summary>
public class SnapshotExportTests
{
    [Fact]
    public void An_exported_repository_is_the_original()
    {
        using StoreFixture store = new();
        using TempFolder folder = new();
        store.Run("sync", "--repo", $"a=file://{RepoFixture.PathOf("t0")}", "--repo", $"b=file://{RepoFixture.PathOf("t2")}", "--tag", "now").AssertSucceeded();
        Assert.True(Export(store, "now", folder / "all").GetProperty("new").GetBoolean());
        AssertSame(folder / "all/a", RepoFixture.PathOf("t0"));
        AssertSame(folder / "all/b", RepoFixture.PathOf("t2"));
        // Once more it is there already; what is something else stays.
        Assert.False(Export(store, "now", folder / "all").GetProperty("new").GetBoolean());
        Directory.CreateDirectory(folder / "b");
        Export(store, "now", folder / "b", "--repo", "b", "--hard-links");
        AssertSame(folder / "b", RepoFixture.PathOf("t2"));
        File.AppendAllText(folder / "all/a/repodata/repomd.xml", "x");
        foreach (string[] bad in (string[][])[["now", "--into", folder / "all"], ["now", "--into", folder / "b", "--repo", "a"], ["now", "--into", folder / "c", "--repo", "c"], ["else", "--into", folder / "c"]])
            Assert.Equal(2, store.Run("export", bad).Status);
        Assert.Equal(["all", "b"], Directory.GetFileSystemEntries(folder.Path).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        store.AssertClean();
    }

    [Fact]
    public void An_empty_directory_keeps_its_owner_and_mode()
    {
        using StoreFixture store = new();
        using TempFolder folder = new();
        store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "now");
        string owner = Environment.IsPrivilegedProcess ? "1000:1001" : Programs.Shell("echo $(id -u):$(id -g)").Trim();
        Programs.Shell($"mkdir -m 2750 {folder / "x"} && chown {owner} {folder / "x"} && chmod 2750 {folder / "x"}");
        Export(store, "now", folder / "x");
        Assert.Equal($"{owner} 2750", Programs.Shell($"stat -c '%u:%g %a' {folder / "x"}").Trim());
    }

    [Fact]
    public void A_mount_point_is_refused_before_anything_is_written()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using StoreFixture store = new();
        store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "now");
        Tools.Result result = store.Run("export", "now", "--into", volume.Path);
        Assert.Equal((2, $"rpm-repo-snapshot: {volume.Path}: is a mount point, which no other directory can take the place of: name a folder in it\n"), (result.Status, result.Err));
        Export(store, "now", volume / "x");
    }

    [Fact]
    public void Nothing_is_exported_when_an_object_is_damaged()
    {
        using StoreFixture store = new();
        using TempFolder folder = new();
        store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "now");
        string path = store.ObjectPath(RepoFixture.PackageDigests("t0").First());
        Programs.Shell($"chmod u+w {path} && printf x | dd of={path} bs=1 seek=100 conv=notrunc status=none");
        foreach (string[] how in (string[][])[[], ["--hard-links"]])
        {
            Tools.Result result = store.Run("export", ["now", "--into", folder / "x", .. how]);
            Assert.Equal(2, result.Status);
            Assert.Contains($"{path}: the object is damaged: its sha256 is ", result.FirstErrorLine, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
        }
    }

    [Fact]
    public void Files_outside_of_the_repository_come_inside()
    {
        using StoreFixture store = new();
        using TempFolder folder = new();
        store.Sync($"file://{RepoFixture.PathOf("outside")}", "--tag", "now");
        Assert.Equal(4, store.Lines("show", "now")[0].GetProperty("outside").GetInt32());
        Assert.True(Export(store, "now", folder / "x", "--repo", "x").GetProperty("repos")[0].GetProperty("rewritten").GetBoolean());
        string[] old = Primary(RepoFixture.PathOf("outside")), now = Primary(folder / "x");
        Assert.Equal(old.Length, now.Length);
        int changed = 0;
        foreach ((string before, string after) in old.Zip(now))
            if (before != after)
            {
                changed++;
                string name = before.Split("../t0/")[1].Split('"')[0];
                Assert.Equal(before.Replace($"../t0/{name}", $".outside/0/{name}", StringComparison.Ordinal), after);
                Assert.Equal(File.ReadAllBytes(Path.Combine(RepoFixture.PathOf("t0"), name)), File.ReadAllBytes(folder / $"x/.outside/0/{name}"));
            }
        Assert.Equal(4, changed);
        // Its checksums are those of what is there: it can be had as any other.
        using StoreFixture other = new();
        other.Sync($"file://{folder / "x"}");
        using ServerFixture served = new("outside");
        Assert.Equal(File.ReadAllBytes(folder / "x/repodata/repomd.xml"), served.Get("/now/x/repodata/repomd.xml").Body);
        Assert.Equal(200, served.Get("/now/x/.outside/0/plus+-1-1.noarch.rpm").Status);
        Assert.Equal(404, served.Get("/now/x/../t0/plus+-1-1.noarch.rpm").Status);

        static string[] Primary(string repo) => Programs.Shell($"zcat {repo}/repodata/*-primary.xml.gz || zstdcat {repo}/repodata/*-primary.xml.zst").Split('\n');
    }

    [Fact]
    public void What_was_exported_is_imported_as_the_same_snapshot()
    {
        using StoreFixture store = new(), other = new();
        using TempFolder folder = new();
        Programs.Shell($"cp -r {RepoFixture.PathOf("t2")} {folder / "signed"} && echo signature > {folder / "signed/repodata/repomd.xml.asc"}");
        Tools.Result made = store.Run("import", folder / "signed", "--repo", "x", "--tag", "now").AssertSucceeded();
        Assert.Equal(store.Lines("list")[0].GetProperty("snapshot").GetString(), JsonDocument.Parse(made.Out).RootElement.GetProperty("snapshot").GetString());
        Export(store, "now", folder / "x", "--repo", "x");
        AssertSame(folder / "x", folder / "signed");
        Assert.Equal(made.Out.Replace(",\"tag\":\"now\"", "", StringComparison.Ordinal), other.Run("import", folder / "x", "--repo", "x").AssertSucceeded().Out);
        other.AssertClean();
        Assert.Contains("\"new\":false", other.Run("import", folder / "x", "--repo", "x").AssertSucceeded().Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Snapshots_of_another_store_come_whole_or_not_at_all()
    {
        using StoreFixture store = new(), other = new();
        string t0 = store.Sync($"file://{RepoFixture.PathOf("t0")}").GetProperty("snapshot").GetString()!;
        string t2 = store.Sync($"file://{RepoFixture.PathOf("t2")}", "--tag", "now").GetProperty("snapshot").GetString()!;
        other.Run("import", store.Path, "now", "--tag", "mine").AssertSucceeded();
        Assert.Equal([t2], other.Lines("list").Select(line => line.GetProperty("snapshot").GetString()));
        Assert.Equal(0, other.Run("show", "mine").Status);
        other.AssertClean();
        // One of t0's own packages is damaged; t2 is there already.
        string lost = RepoFixture.PackageDigests("t0").Except(RepoFixture.PackageDigests("t2")).First();
        Programs.Shell($"chmod u+w {store.ObjectPath(lost)} && echo >> {store.ObjectPath(lost)}");
        Tools.Result result = other.Run("import", store.Path);
        Assert.Equal(1, result.Status);
        Assert.StartsWith($"rpm-repo-snapshot: snapshot {t0}: x: ", result.Err, StringComparison.Ordinal);
        Assert.Contains($"{store.ObjectPath(lost)}: it is sha256:", result.Err, StringComparison.Ordinal);
        Assert.Single(result.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal([t2], other.Lines("list").Select(line => line.GetProperty("snapshot").GetString()));
        other.AssertClean();
        foreach (string[] bad in (string[][])[[RepoFixture.PathOf("t0")], [RepoFixture.Folder, "--repo", "x"], [store.Path, "--tag", "two"], [store.Path, "nothing"], [RepoFixture.PathOf("t0"), "now", "--repo", "x"]])
            Assert.Equal(2, other.Run("import", bad).Status);
    }

    private static JsonElement Export(StoreFixture store, string snapshot, string into, params string[] args) =>
        JsonDocument.Parse(store.Run("export", [snapshot, "--into", into, .. args]).AssertSucceeded().Out).RootElement;

    private static void AssertSame(string folder, string original) => Programs.Run("diff", "-r", folder, original);
}
