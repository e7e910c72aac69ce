using System.Text.Json;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Snapshots that go to a storage and come back, by a directory and by a program.</summary>
public class ObjectStorageTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_was_pushed_can_be_fetched(bool isProgram)
    {
        using StorageFixture kept = new();
        using StoreFixture store = new(), other = new();
        string storage = isProgram ? kept.Text : kept.Kept;
        string t1 = store.Sync($"file://{RepoFixture.PathOf("t1")}", "--storage", storage, "--tag", "t1").GetProperty("snapshot").GetString()!;
        // The same packages, by checksums of another type: only metadata goes.
        string t2 = store.Sync($"file://{RepoFixture.PathOf("t2")}", "--tag", "t2").GetProperty("snapshot").GetString()!;
        Assert.Equal((RepoFixture.Metadata + 1, 5), Moved(store.Lines("push", "t2", "--storage", storage)));
        Assert.Equal((0, RepoFixture.Metadata + 1 + 5), Moved(store.Lines("push", "t2", "--storage", storage)));

        Assert.Equal((RepoFixture.Metadata + 1 + 5, 0), Moved(other.Lines("fetch", t2, "--storage", storage, "--tag", "t2")));
        Assert.Equal((RepoFixture.Metadata + 1, 5), Moved(other.Lines("fetch", t1, "--storage", storage)));
        Assert.Equal((0, RepoFixture.Metadata + 1 + 5), Moved(other.Lines("fetch", t1, "--storage", storage)));
        other.AssertClean();
        Assert.Equal(store.Run("show", "t2").Out, other.Run("show", "t2").Out);
        Assert.Equal(store.Run("show", t1).Out, other.Run("show", t1).Out);
    }

    [Fact]
    public void A_push_only_reads_the_store()
    {
        using StorageFixture kept = new();
        using StoreFixture store = new();
        string id = store.Sync($"file://{RepoFixture.PathOf("t0")}").GetProperty("snapshot").GetString()!;
        using (Layerbox.RpmSnapshot.SnapshotStore.OpenForWriting(store.Path))
        {
            string before = Programs.Shell($"find '{store.Path}' -printf '%p %T@\\n' | sort");
            Assert.Equal((RepoFixture.Metadata + 5, 0), Moved(store.Lines("push", id, "--storage", kept.Kept)));
            Assert.Equal(before, Programs.Shell($"find '{store.Path}' -printf '%p %T@\\n' | sort"));
        }
    }

    [Fact]
    public void A_snapshot_that_is_pushed_is_not_collected()
    {
        using StorageFixture kept = new();
        using StoreFixture store = new();
        string t0 = store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "t0").GetProperty("snapshot").GetString()!;
        store.Sync($"file://{RepoFixture.PathOf("t1")}", "--tag", "t1");
        string folder = Path.GetDirectoryName(kept.Kept)!;
        ProgramFile.Write($"{folder}/slow", "#!/bin/sh\ncd \"$(dirname \"$0\")\"\n[ $1 != list ] || { echo > begun; read -r x < go; }\n");
        Programs.Shell($"cd {folder} && mkfifo begun go");
        Thread push = new(() => store.Run("push", "t0", "--storage", $"command:{folder}/slow")) { IsBackground = true };
        push.Start();
        Programs.Shell($"read -r x < {folder}/begun");
        Assert.Equal("it is served", store.Lines("gc", "--keep-tag", "t1", "--grace", "0s", "--dry-run").Single(line => line.TryGetProperty("kept", out JsonElement id) && id.GetString() == $"snapshots/{t0}.json").GetProperty("reason").GetString());
        Programs.Shell($"echo > {folder}/go");
        push.Join();
    }

    [Fact]
    public void What_a_storage_has_is_not_believed()
    {
        using StorageFixture kept = new();
        using StoreFixture store = new();
        string storage = kept.Kept;
        string id = store.Sync($"file://{RepoFixture.PathOf("t0")}", "--storage", storage).GetProperty("snapshot").GetString()!;
        string digest = RepoFixture.PackageDigests("t0").First(), path = Path.Combine(storage, "objects", "sha256", digest[..2], digest);
        foreach ((string damage, string expected) in (ReadOnlySpan<(string, string)>)[
            ($"echo x >> {path}", $"objects/sha256/{digest[..2]}/{digest}: its sha256 is "),
            ($"rm -f {path}", $"it has no object {digest}"),
            ($"sed -i 's/x/y/' {storage}/snapshots/{id}.json", "its bytes are not those that its name stands for"),
            ($"rm -f {storage}/snapshots/{id}.json", $"it has no snapshot {id}")])
        {
            using StoreFixture other = new();
            Programs.Shell($"chmod -R u+w {storage} && {damage}");
            Tools.Result result = other.Run("fetch", id, "--storage", storage);
            Assert.Equal(2, result.Status);
            Assert.Contains(expected, result.FirstErrorLine, StringComparison.Ordinal);
            Assert.Empty(other.Lines("list"));
            other.AssertClean();
        }
    }

    // Such as one on a disk that is not mounted.
    [Fact]
    public void A_directory_that_is_gone_is_told()
    {
        using StorageFixture kept = new();
        using StoreFixture store = new(), other = new();
        string id = store.Sync($"file://{RepoFixture.PathOf("t0")}", "--storage", kept.Kept).GetProperty("snapshot").GetString()!;
        other.Run("fetch", id, "--storage", kept.Kept, "--on-demand", "--tag", "x").AssertSucceeded();
        Directory.Move(kept.Kept, $"{kept.Kept}.away");
        foreach (string[] command in (string[][])[["export", "x", "--into", $"{kept.Kept}.export"], ["fetch", id, "--storage", kept.Kept]])
        {
            Tools.Result result = other.Run(command[0], command[1..]);
            Assert.Equal((2, $"rpm-repo-snapshot: {kept.Kept}: open: the storage is not there\n"), (result.Status, result.Err));
        }
        Directory.Move($"{kept.Kept}.away", kept.Kept);
        other.Run("fetch", id, "--storage", kept.Kept).AssertSucceeded();
        other.AssertClean();
    }

    [Fact]
    public void A_program_that_fails_makes_no_snapshot()
    {
        using StorageFixture storage = new();
        using StoreFixture store = new();
        storage.Set("broken", true);
        Tools.Result result = store.Run("sync", "--repo", $"x=file://{RepoFixture.PathOf("t0")}", "--storage", storage.Text);
        Assert.Equal((2, $"rpm-repo-snapshot: {storage.Text[8..]} list objects/: exit status 7: it is broken"), (result.Status, result.FirstErrorLine));
        Assert.Empty(store.Lines("list"));
        store.AssertClean();
        storage.Set("broken", false);
        store.Sync($"file://{RepoFixture.PathOf("t0")}", "--storage", storage.Text);
        Assert.Contains("list objects/", File.ReadAllLines(storage.Asked));
    }

    [Theory]
    [InlineData("gs://bucket", "'gs://bucket': a storage is a directory, s3://BUCKET/PREFIX or command:PROGRAM")]
    [InlineData("s3://", "a storage is a directory, s3://BUCKET/PREFIX or command:PROGRAM")]
    [InlineData("command:", "a storage is a directory, s3://BUCKET/PREFIX or command:PROGRAM")]
    [InlineData("s3://bucket", "rpm-repo-snapshot: s3://bucket: the program layerbox-storage-s3 is neither beside this one (")]
    public void Other_storages_are_refused(string storage, string expected)
    {
        using StoreFixture store = new();
        Tools.Result result = store.Run("sync", "--repo", $"x=file://{RepoFixture.PathOf("t0")}", "--storage", storage);
        Assert.Equal(2, result.Status);
        Assert.Contains(expected, result.FirstErrorLine, StringComparison.Ordinal);
        Assert.False(Directory.Exists(store.Path));
    }

    private static (int Moved, int Present) Moved(List<JsonElement> lines) => (lines[0].GetProperty("moved").GetInt32(), lines[0].GetProperty("present").GetInt32());
}
