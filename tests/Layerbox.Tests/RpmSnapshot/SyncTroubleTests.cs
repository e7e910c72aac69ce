using System.Text.Json;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Full disks, disks that cannot be written, and several at once.</summary>
public class SyncTroubleTests
{
    private const int Packages = 60, Size = 100_000;

    [Fact]
    public void A_full_disk_is_told_and_the_next_sync_goes_on()
    {
        Privileged.OrSkip();
        using TempFolder folder = new();
        using Disk disk = new(folder);
        byte[] bytes = new byte[Size];
        RawRepo.Write(folder / "r", Enumerable.Range(0, Packages).Select(i =>
        {
            new Random(i).NextBytes(bytes);
            return new RawPackage($"p{i}", [.. bytes]);
        }));
        string[] sync = ["rpm-repo-snapshot", "sync", "--store", disk.Path + "/store", "--repo", $"x=file://{folder / "r"}", "--progress", "none"];
        // From nothing at all to some of the packages.
        foreach (int free in new[] { 0, 4, 24, 40, 1000, 3000 })
        {
            Programs.Shell($"rm -f {disk.Path}/filler; head -c 30M /dev/zero > {disk.Path}/filler 2>/dev/null || truncate -s -{free}K {disk.Path}/filler; sync -f {disk.Path}");
            Tools.Result result = Tools.Run(sync);
            Assert.Equal("", result.Out);
            Assert.True(result.Status == 2, $"with {free} KiB: exit status {result.Status}: {result.Err}");
            Assert.Single(result.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries));
            Assert.EndsWith(": No space left on device", result.FirstErrorLine, StringComparison.Ordinal);
            if (Directory.Exists(disk.Path + "/store/objects/sha256"))
            {
                Tools.Run("rpm-repo-snapshot", "verify", "--store", disk.Path + "/store", "--progress", "none").AssertSucceeded();
                Assert.Equal("", Tools.Run("rpm-repo-snapshot", "list", "--store", disk.Path + "/store").AssertSucceeded().Out);
            }
        }
        File.Delete(disk.Path + "/filler");
        using StoreFixture other = new();
        JsonElement done = JsonDocument.Parse(Tools.Run(sync).AssertSucceeded().Out).RootElement;
        Assert.InRange(done.GetProperty("repos")[0].GetProperty("fetched").GetInt32(), 1, Packages);
        Assert.Equal(other.Sync($"file://{folder / "r"}").GetProperty("snapshot").GetString(), done.GetProperty("snapshot").GetString());
        Tools.Run("rpm-repo-snapshot", "verify", "--store", disk.Path + "/store", "--progress", "none").AssertSucceeded();

        // What cannot be written can be read.
        disk.Remount("ro");
        Tools.Result refused = Tools.Run(sync);
        Assert.Equal(2, refused.Status);
        Assert.EndsWith(": Read-only file system", refused.FirstErrorLine, StringComparison.Ordinal);
        foreach (string command in (string[])["list", "verify"])
            Tools.Run("rpm-repo-snapshot", command, "--store", disk.Path + "/store").AssertSucceeded();
        disk.Remount("rw");
        Tools.Run(sync).AssertSucceeded();
    }

    [Fact]
    public void A_reader_knows_the_other_checksums_of_what_came_after_it()
    {
        using StoreFixture store = new();
        store.Sync($"file://{RepoFixture.PathOf("t1")}");
        using SnapshotStore early = SnapshotStore.Open(store.Path);
        store.Sync($"file://{RepoFixture.PathOf("t2")}");
        Assert.Empty(StoreVerification.Of(early, cancellation: TestContext.Current.CancellationToken).Findings);
    }

    [Fact]
    public void Several_syncs_and_readers_do_not_disturb_each_other()
    {
        using StoreFixture store = new();
        store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "t0");
        using FaultyServer server = new((_, _) => null);
        int left = 3;
        Tools.Result[] results = new Tools.Result[3];
        Thread[] writers = [.. new[] { ("x", "t1"), ("x", "t2"), ("y", "t1") }.Select((what, i) => new Thread(() =>
        {
            results[i] = store.Run("sync", "--repo", $"{what.Item1}={server.Url}/{what.Item2}", "--tag", $"{what.Item1}.{what.Item2}", "--lock-wait");
            Interlocked.Decrement(ref left);
        }))];
        foreach (Thread writer in writers)
            writer.Start();
        int read = 0;
        // At least once, and as long as anybody writes.
        do
        {
            store.AssertClean();
            Assert.Equal(4, store.Lines("show", "t0").Count(line => line.GetProperty("record").GetString() == "package"));
            foreach (JsonElement line in store.Lines("list"))
                Assert.InRange(store.Run("diff", "t0", line.GetProperty("snapshot").GetString()!).Status, 0, 1);
            read++;
        }
        while (Volatile.Read(ref left) > 0);
        foreach (Thread writer in writers)
            writer.Join();
        Assert.All(results, result => result.AssertSucceeded());
        Assert.Equal(4, store.Lines("list").Count);
        Assert.InRange(read, 1, int.MaxValue);
        store.AssertClean();
    }

    /// <summary>A filesystem of 20 MB.</summary>
    private sealed class Disk : IDisposable
    {
        public Disk(TempFolder folder)
        {
            Path = folder / "disk";
            Programs.Shell($"truncate -s 20M {folder.Path}/image && mkfs.ext4 -q -m 0 {folder.Path}/image && mkdir {Path} && mount -o loop {folder.Path}/image {Path}");
        }

        public string Path { get; }

        public void Remount(string how) => Mounting.Remount(Path, how);

        public void Dispose() => Mounting.Unmount(Path);
    }
}
