using System.Text.Json;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Disks that fail: errors of reading and of writing, quotas, and what cannot be written at all. Each is one line, hurts nothing, and the next run heals.</summary>
public class DiskTroubleTests
{
    private const int Packages = 60, Size = 100_000;

    /// <summary>A repository of some 6 MB that cannot be compressed.</summary>
    private static string MakeRepo(TempFolder folder)
    {
        byte[] bytes = new byte[Size];
        RawRepo.Write(folder / "r", Enumerable.Range(0, Packages).Select(i =>
        {
            new Random(i).NextBytes(bytes);
            return new RawPackage($"p{i}", [.. bytes]);
        }));
        return $"file://{folder / "r"}";
    }

    private static Tools.Result Run(string store, string command, params string[] args) => Tools.Run(["rpm-repo-snapshot", command, "--store", store, .. args]);

    private static Tools.Result Sync(string store, string repo) => Run(store, "sync", "--repo", $"x={repo}", "--tag", "x", "--progress", "none");

    private static void AssertTold(Tools.Result result, string reason)
    {
        Assert.Equal((2, ""), (result.Status, result.Out));
        Assert.EndsWith($": {reason}", Assert.Single(result.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    private static void AssertHealed(string store, string repo)
    {
        Sync(store, repo).AssertSucceeded();
        Run(store, "verify", "--progress", "none").AssertSucceeded();
        using TempFolder folder = new();
        Run(store, "export", "x", "--into", folder / "out", "--repo", "x").AssertSucceeded();
        Programs.Run("diff", "-r", folder / "out", repo["file://".Length..]);
    }

    [Fact]
    public void What_cannot_be_read_is_put_aside_and_fetched_again()
    {
        Privileged.OrSkip();
        using TempFolder folder = new();
        string repo = MakeRepo(folder), image = folder / "image", store = folder / "disk/store";
        Programs.Shell($"truncate -s 200M {image}; mkfs.btrfs -q {image}; mkdir {folder / "disk"}; mount -o loop {image} {folder / "disk"}");
        try
        {
            Sync(store, repo).AssertSucceeded();
            // btrfs has checksums: bytes that were changed below it cannot be read any more.
            Mounting.Unmount(folder / "disk", image);
            byte[] package = File.ReadAllBytes(folder / "r/p7.rpm"), other = File.ReadAllBytes(folder / "r/p8.rpm");
            Spoil(image, package.AsSpan(4096, 512));
            Spoil(image, other.AsSpan(8192, 512));
            Programs.Shell($"mount -o loop {image} {folder / "disk"}");
            string digest = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(package));
            string bad = Path.Combine(store, "objects", "sha256", digest[..2], digest);

            Tools.Result verified = Run(store, "verify", "--progress", "none");
            Assert.Equal((1, ""), (verified.Status, verified.Err));
            Assert.Equal(2, verified.Out.Split('\n').Count(line => line.Contains("\"object_damaged\"", StringComparison.Ordinal) && line.EndsWith("\"cannot be read: Input/output error\"}", StringComparison.Ordinal)));
            AssertTold(Run(store, "export", "x", "--into", folder / "out", "--progress", "none"), "Input/output error");
            Assert.False(Directory.Exists(folder / "out"));

            List<string> complaints = [];
            using (SnapshotStore opened = SnapshotStore.Open(store))
            using (RepoServer server = RepoServer.Start(opened, [new ServedSnapshot("x", opened.Load(opened.Resolve("x")))], StreamSockets.ListenOnLoopback(0), new RepoServerOptions { Complain = complaints.Add }))
                foreach (string name in (string[])["p7", "p8"])
                {
                    using Client client = new(int.Parse(server.Address.Split(':')[^1], System.Globalization.CultureInfo.InvariantCulture));
                    client.Ask($"/x/x/{name}.rpm");
                    Assert.Equal(500, client.Read().Status);
                }
            Assert.Equal($"{bad}: cannot be read: Input/output error; moved to quarantine/{digest}", complaints[0]);
            AssertHealed(store, repo);
        }
        finally
        {
            Programs.Try("umount", "--lazy", folder / "disk");
        }
    }

    private static void Spoil(string image, ReadOnlySpan<byte> wanted)
    {
        byte[] bytes = File.ReadAllBytes(image);
        int at = bytes.AsSpan().IndexOf(wanted);
        Assert.NotEqual(-1, at);
        using FileStream file = new(image, FileMode.Open, FileAccess.Write);
        file.Position = at;
        file.WriteByte((byte)~wanted[0]);
    }

    /// <summary>
    /// The disk's file is in a memory that is full: what the filesystem has room for cannot be written to the disk, which is known only when it is to be
    /// there for sure.
    /// </summary>
    [Theory]
    [InlineData("mkfs.ext4 -q -O ^has_journal", 64)]
    [InlineData("mkfs.ext4 -q", 64)]
    [InlineData("mkfs.btrfs -q", 200)]
    public void What_cannot_be_written_makes_no_snapshot(string make, int megabytes)
    {
        Privileged.OrSkip();
        using TempFolder folder = new();
        string repo = MakeRepo(folder), store = folder / "disk/store";
        Programs.Shell($"mkdir {folder / "memory"} {folder / "disk"}; mount -t tmpfs -o size=40M tmpfs {folder / "memory"}");
        string mount = $"mount -o loop {folder / "memory/image"} {folder / "disk"}";
        try
        {
            Programs.Shell($"truncate -s {megabytes}M {folder / "memory/image"}; {make} {folder / "memory/image"}; {mount}; mkdir {store}; sync -f {store}; head -c 60M /dev/zero > {folder / "memory/filler"} 2> /dev/null || true");
            // At once, or by a filesystem that takes nothing more after that.
            Tools.Result failed = Sync(store, repo);
            Assert.Equal((2, ""), (failed.Status, failed.Out));
            string line = Assert.Single(failed.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries));
            Assert.Matches("^rpm-repo-snapshot: .*/store.*: (Input/output error|No space left on device|Read-only file system)$", line);

            // As after the disk was seen to.
            File.Delete(folder / "memory/filler");
            Mounting.Unmount(folder / "disk", folder / "memory/image");
            Programs.Shell($"case '{make}' in *ext4*) e2fsck -fy {folder / "memory/image"} > /dev/null || [ $? -lt 4 ];; esac; {mount}");
            if (Directory.Exists(Path.Combine(store, "objects/sha256")))
            {
                Run(store, "verify", "--progress", "none").AssertSucceeded();
                Assert.Equal("", Run(store, "list").AssertSucceeded().Out);
            }
            AssertHealed(store, repo);
        }
        finally
        {
            Programs.Try("umount", "--lazy", folder / "disk");
            Programs.Try("umount", "--lazy", folder / "memory");
        }
    }

    [Fact]
    public void A_quota_is_as_a_full_disk()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using TempFolder folder = new();
        string repo = MakeRepo(folder), store = volume / "limited/store";
        Programs.Shell($"btrfs quota enable {volume.Path}; btrfs -q subvolume create {volume / "limited"}; btrfs qgroup limit 3M {volume / "limited"}");
        AssertTold(Sync(store, repo), "Disk quota exceeded");
        Run(store, "verify", "--progress", "none").AssertSucceeded();
        Assert.Equal("", Run(store, "list").AssertSucceeded().Out);
        AssertTold(Sync(store, repo), "Disk quota exceeded");
        Programs.Shell($"btrfs qgroup limit none {volume / "limited"}");
        AssertHealed(store, repo);
    }

    [Fact]
    public void What_is_on_demand_needs_a_store_that_can_be_written()
    {
        using TempVolume volume = TempVolume.OrSkip();
        using StoreFixture origin = new();
        using TempFolder folder = new();
        string id = origin.Sync($"file://{RepoFixture.PathOf("t0")}", "--storage", folder / "storage").GetProperty("snapshot").GetString()!, store = volume / "store";
        Run(store, "fetch", id, "--storage", folder / "storage", "--on-demand", "--tag", "x").AssertSucceeded();
        Mounting.Remount(volume.Path, "ro");
        foreach (string command in (string[])["list", "verify"])
            Run(store, command).AssertSucceeded();
        AssertTold(Run(store, "export", "x", "--into", folder / "out", "--progress", "none"), "Read-only file system");
        Assert.False(Directory.Exists(folder / "out"));
        Mounting.Remount(volume.Path, "rw");
        Run(store, "export", "x", "--into", folder / "out", "--progress", "none").AssertSucceeded();
        JsonElement verified = JsonDocument.Parse(Run(store, "verify").AssertSucceeded().Out).RootElement;
        Assert.False(verified.TryGetProperty("on_demand", out _));
    }
}
