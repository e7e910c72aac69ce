using System.Diagnostics;
using Layerbox.Rpm;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>The store survives what is done to it, and says what was.</summary>
public class SnapshotStoreTests
{
    [Theory]
    [InlineData(1)] // repomd.xml
    [InlineData(4)] // one of the other metadata
    [InlineData(2 + RepoFixture.Metadata)] // the first package
    [InlineData(4 + RepoFixture.Metadata)] // the last
    public void A_killed_sync_leaves_a_whole_store(int request)
    {
        using StoreFixture store = new();
        string snapshot = store.Sync($"file://{RepoFixture.PathOf("t0")}").GetProperty("snapshot").GetString()!;
        int asked = 0;
        using ManualResetEventSlim isThere = new();
        using FaultyServer server = new((path, _) =>
        {
            if (Interlocked.Increment(ref asked) != request)
                return null;
            isThere.Set();
            Thread.Sleep(Timeout.Infinite);
            return [];
        });
        using (Process process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "layerbox"), ["rpm-repo-snapshot", "sync", "--store", store.Path, "--repo", $"x={server.Url}/t1", "--connections", "1"]))!)
        {
            Assert.True(isThere.Wait(60_000, TestContext.Current.CancellationToken));
            process.Kill();
            process.WaitForExit();
        }
        store.AssertClean();
        Assert.Equal([snapshot], store.Lines("list").Select(line => line.GetProperty("snapshot").GetString()));
        // What it had is not fetched again.
        Assert.Equal(3 + RepoFixture.Metadata - Math.Max(request - 2, 0), store.Sync($"file://{RepoFixture.PathOf("t1")}").GetProperty("repos")[0].GetProperty("fetched").GetInt32());
        store.AssertClean();
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(store.Path, "tmp")));
    }

    [Fact]
    public void What_a_killed_sync_had_fetched_is_used_if_it_is_whole()
    {
        using StoreFixture store = new();
        store.Sync($"file://{RepoFixture.PathOf("t0")}");
        string[] digests = [.. RepoFixture.PackageDigests("t1").Except(RepoFixture.PackageDigests("t0"))];
        string package = Programs.Shell($"cd {RepoFixture.PathOf("t1")} && sha256sum *.rpm | grep ^{digests[0]} | cut -c67-").Trim();
        File.Copy(Path.Combine(RepoFixture.PathOf("t1"), package), Path.Combine(store.Path, "tmp", digests[0]));
        File.WriteAllText(Path.Combine(store.Path, "tmp", digests[1]), "lost in a power cut");
        File.WriteAllText(Path.Combine(store.Path, "tmp", "7.part"), "half");
        Assert.Equal(digests.Length - 1 + RepoFixture.Metadata, store.Sync($"file://{RepoFixture.PathOf("t1")}").GetProperty("repos")[0].GetProperty("fetched").GetInt32());
        store.AssertClean();
    }

    // As disks and power cuts leave files: half of it, none of it, other bytes in their place. The same once more is no trouble.
    [Theory]
    [InlineData("truncate -s 200")]
    [InlineData("truncate -s 0")]
    [InlineData("sed -i s/zero/Zero/")]
    [InlineData("truncate -s +1")]
    public void A_damaged_snapshot_is_told_and_the_next_sync_heals_it(string damage)
    {
        using StoreFixture store = new();
        string url = $"file://{RepoFixture.PathOf("t0")}", good = store.Sync(url, "--tag", "good").GetProperty("snapshot").GetString()!, other = store.Sync($"file://{RepoFixture.PathOf("t1")}").GetProperty("snapshot").GetString()!;
        string file = Path.Combine(store.Path, "snapshots", $"{good}.json");
        Programs.Shell($"{damage} {file}");
        Tools.Result listed = store.Run("list"), shown = store.Run("show", "good"), verified = store.Run("verify");
        Assert.Equal((2, $"rpm-repo-snapshot: {file}: "), (listed.Status, listed.FirstErrorLine[..(file.Length + 21)]));
        Assert.Equal([other], store.Lines("list").Select(line => line.GetProperty("snapshot").GetString()));
        Assert.Equal((2, 1), (shown.Status, verified.Status));
        Assert.Contains("\"code\":\"snapshot_damaged\"", verified.Out, StringComparison.Ordinal);
        Assert.True(store.Sync(url).GetProperty("new").GetBoolean());
        Assert.False(store.Sync(url).GetProperty("new").GetBoolean());
        store.AssertClean();
        Assert.Equal(2, store.Lines("list").Count);
        store.Run("show", "good").AssertSucceeded();
    }

    // A collection takes them away while others look: here and there again, as fast as it goes, and one that is in the list and cannot be opened.
    [Fact]
    public void A_snapshot_that_vanishes_while_others_are_listed_is_passed_over()
    {
        using StoreFixture store = new();
        string stays = store.Sync($"file://{RepoFixture.PathOf("t0")}").GetProperty("snapshot").GetString()!, goes = store.Sync($"file://{RepoFixture.PathOf("t1")}").GetProperty("snapshot").GetString()!;
        string file = Path.Combine(store.Path, "snapshots", $"{goes}.json"), aside = Path.Combine(store.Path, "aside");
        File.CreateSymbolicLink(Path.Combine(store.Path, "snapshots", $"{new string('0', 64)}.json"), "/none");
        using ManualResetEventSlim end = new();
        Thread mover = new(() =>
        {
            while (!end.IsSet)
            {
                File.Move(file, aside);
                File.Move(aside, file);
            }
        });
        mover.Start();
        try
        {
            for (int i = 0; i < 100; i++)
            {
                Tools.Result listed = store.Run("list"), found = store.Run("find", "apple");
                Assert.Equal((0, "", 0, ""), (listed.Status, listed.Err, found.Status, found.Err));
                Assert.Contains($"\"snapshot\":\"{stays}\"", listed.Out, StringComparison.Ordinal);
                Assert.Contains($"\"snapshot\":\"{stays}\"", found.Out, StringComparison.Ordinal);
            }
        }
        finally
        {
            end.Set();
            mover.Join();
        }
        Assert.Equal([stays, goes], store.Lines("list").Select(line => line.GetProperty("snapshot").GetString()));
    }

    [Fact]
    public void What_is_not_there_is_called_by_its_name()
    {
        using StoreFixture store = new();
        string id = store.Sync($"file://{RepoFixture.PathOf("t0")}").GetProperty("snapshot").GetString()!;
        Assert.Equal((2, $"rpm-repo-snapshot: {store.Path}: no tag 'nosuch'"), Said(store.Run("untag", "nosuch")));
        Assert.Equal((2, $"rpm-repo-snapshot: {store.Path}: snapshot {id} is not pinned"), Said(store.Run("unpin", id)));
        string folder = Path.Combine(store.Path, "objects");
        Assert.Equal((2, $"rpm-repo-snapshot: {folder}: is no store of snapshots: 'rpm-repo-snapshot sync' makes one"), Said(Tools.Run("rpm-repo-snapshot", "list", "--store", folder)));
        Assert.Equal((2, $"rpm-repo-snapshot: {folder}/nosuch: stat: No such file or directory"), Said(Tools.Run("rpm-repo-snapshot", "list", "--store", $"{folder}/nosuch")));

        static (int, string) Said(Tools.Result result) => (result.Status, result.FirstErrorLine);
    }

    [Fact]
    public void Damage_is_found_and_what_is_missing_is_fetched_again()
    {
        using StoreFixture store = new();
        string id = store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "keep").GetProperty("snapshot").GetString()!;
        string[] digests = [.. RepoFixture.PackageDigests("t0")];
        Programs.Shell($"chmod u+w {store.ObjectPath(digests[0])} && printf x | dd of={store.ObjectPath(digests[0])} bs=1 seek=100 conv=notrunc status=none && rm -f {store.ObjectPath(digests[1])}");
        Programs.Shell($"printf '%064d\\n' 0 > {store.Path}/refs/tags/dangling && touch {Path.GetDirectoryName(store.ObjectPath(digests[2]))}/stranger {store.Path}/objects/sha256/notes");
        Tools.Result result = store.Run("verify");
        Assert.Equal(1, result.Status);
        Assert.Contains($"{{\"code\":\"object_damaged\",\"name\":\"objects/sha256/{digests[0][..2]}/{digests[0]}\"", result.Out, StringComparison.Ordinal);
        Assert.Contains($"{{\"code\":\"object_missing\",\"name\":\"snapshots/{id}.json\"", result.Out, StringComparison.Ordinal);
        Assert.Contains("{\"code\":\"tag_dangling\",\"name\":\"refs/tags/dangling\"", result.Out, StringComparison.Ordinal);
        Assert.Contains("/stranger\"", result.Out, StringComparison.Ordinal);
        Assert.Contains("{\"code\":\"stranger\",\"name\":\"objects/sha256/notes\",\"message\":\"is no folder of objects\"}", result.Out, StringComparison.Ordinal);
        Assert.Equal(6, result.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Programs.Shell($"rm -f {store.ObjectPath(digests[0])} {store.Path}/refs/tags/dangling {Path.GetDirectoryName(store.ObjectPath(digests[2]))}/stranger {store.Path}/objects/sha256/notes");
        Assert.Equal(2, store.Sync($"file://{RepoFixture.PathOf("t0")}").GetProperty("repos")[0].GetProperty("fetched").GetInt32());
        store.AssertClean();
        // A snapshot whose bytes were changed is none.
        string path = Path.Combine(store.Path, "snapshots", $"{id}.json");
        Programs.Shell($"chmod u+w {path} && sed -i 's/\"x\"/\"y\"/' {path}");
        Assert.Equal(2, store.Run("show", "keep").Status);
        Assert.Contains("snapshot_damaged", store.Run("verify").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Rebuild_makes_the_aliases_anew()
    {
        using StoreFixture store = new();
        store.Sync($"file://{RepoFixture.PathOf("t1")}");
        store.Sync($"file://{RepoFixture.PathOf("t2")}", "--tag", "t2");
        string aliases = Path.Combine(store.Path, "aliases");
        string expected = Programs.Shell($"cd {RepoFixture.PathOf("t2")} && for f in *.rpm; do printf 'sha512:%s %s\\n' $(sha512sum < $f | cut -c1-128) $(sha256sum < $f | cut -c1-64); done");
        File.WriteAllText(aliases, "sha512:torn");
        Assert.Equal(1, store.Run("verify").Status);
        store.Run("rebuild").AssertSucceeded();
        string[] lines = File.ReadAllLines(aliases);
        Assert.Equal(lines.Order(StringComparer.Ordinal), lines);
        Assert.All(expected.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Contains(line, lines));
        store.AssertClean();
        Assert.Equal(0, store.Sync($"file://{RepoFixture.PathOf("t2")}").GetProperty("repos")[0].GetProperty("fetched").GetInt32());
    }

    [Theory]
    [InlineData("mkdir -p store/tmp && echo mine > store/tmp/precious")]
    [InlineData("mkdir store && echo mine > store/file")]
    [InlineData("mkdir -p store/snapshots store/mine")]
    public void Makes_no_store_of_a_folder_with_other_things(string prepare)
    {
        using StoreFixture store = new();
        string folder = Path.GetDirectoryName(store.Path)!;
        Programs.Shell($"cd {folder} && {prepare}");
        string before = Programs.Shell($"cd {folder} && find store | sort");
        Tools.Result result = store.Run("sync", "--repo", $"x=file://{RepoFixture.PathOf("t0")}");
        Assert.Equal((2, $"rpm-repo-snapshot: {store.Path}: is no store of snapshots, and not empty: name an empty folder, or one that is not there yet"), (result.Status, result.FirstErrorLine));
        Assert.Equal(before, Programs.Shell($"cd {folder} && find store | sort"));
    }

    [Theory]
    [InlineData("mkdir -p store/lost+found")]
    [InlineData("mkdir -p store/snapshots store/refs/tags store/tmp")]
    [InlineData("mkdir -p store/objects/sha256")]
    public void Makes_a_store_of_an_empty_folder(string prepare)
    {
        using StoreFixture store = new();
        Programs.Shell($"cd {Path.GetDirectoryName(store.Path)!} && {prepare}");
        store.Sync($"file://{RepoFixture.PathOf("t0")}");
        store.AssertClean();
    }

    // A package that is taken for another one, or for none, would be a change that there is not, and a view of another id.
    [Fact]
    public void Without_its_aliases_nothing_wrong_is_said_of_packages()
    {
        using StoreFixture store = new();
        store.Sync($"file://{RepoFixture.PathOf("t1")}", "--tag", "t1");
        store.Sync($"file://{RepoFixture.PathOf("t2")}", "--tag", "t2");
        string policy = Path.Combine(Path.GetDirectoryName(store.Path)!, "policy.json");
        File.WriteAllText(policy, """{ "deny": ["apple"] }""");
        string[][] commands = [["diff", "t1", "t2"], ["view", "t2", "--policy", policy]];
        store.Run("view", "t2", "--policy", policy).AssertSucceeded(); // so that it is not new
        List<string> before = [.. commands.Select(command => store.Run(command[0], command[1..]).Out)];
        File.Delete(Path.Combine(store.Path, "aliases"));
        foreach (string[] command in commands)
        {
            Tools.Result result = store.Run(command[0], command[1..]);
            Assert.Equal((command[0], 2), (command[0], result.Status));
            Assert.EndsWith(" as far as is known: 'rebuild' finds out", result.FirstErrorLine, StringComparison.Ordinal);
            Assert.DoesNotContain("mutated", result.Out, StringComparison.Ordinal);
        }
        store.Run("rebuild").AssertSucceeded();
        Assert.Equal(before, commands.Select(command => store.Run(command[0], command[1..]).Out));
    }

    [Fact]
    public void One_writes_at_a_time_and_readers_do_not_wait()
    {
        using StoreFixture store = new();
        store.Sync($"file://{RepoFixture.PathOf("t0")}");
        using (SnapshotStore.OpenForWriting(store.Path))
        {
            Tools.Result second = store.Run("sync", "--repo", $"x=file://{RepoFixture.PathOf("t1")}");
            Assert.Equal((2, $"rpm-repo-snapshot: {store.Path}: another process writes to this store: --lock-wait waits for it"), (second.Status, second.FirstErrorLine));
            Assert.Single(store.Lines("list"));
            store.AssertClean();
        }
        store.Sync($"file://{RepoFixture.PathOf("t1")}");
    }

    [Fact]
    public void Objects_are_there_only_as_what_was_expected()
    {
        using StoreFixture folder = new();
        using SnapshotStore store = SnapshotStore.OpenForWriting(folder.Path, create: true);
        RpmChecksum hello = RpmChecksum.Parse("sha1", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d");
        using (ObjectWriter wrong = store.NewObject(RpmDigestAlgorithm.Sha1))
        {
            wrong.Write("hallo"u8);
            Assert.Null(wrong.Finish(hello));
        }
        using (ObjectWriter given = store.NewObject(RpmDigestAlgorithm.Sha1))
        {
            given.Write("hel"u8);
            given.Write("lo"u8);
            Assert.Equal("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", given.Finish(hello));
        }
        using (ObjectWriter forgotten = store.NewObject())
            forgotten.Write("x"u8);
        Assert.Empty(store.Objects());
        Assert.NotNull(store.Find(hello, 5));
        Assert.Null(store.Find(hello, 6));
        store.PutInPlace();
        Assert.Equal(["2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"], store.Objects());
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(folder.Path, "tmp")));
        using SnapshotStore reader = SnapshotStore.Open(folder.Path);
        Assert.Equal(store.Find(hello), reader.Find(hello));
        Assert.Empty(StoreVerification.Of(reader, cancellation: TestContext.Current.CancellationToken).Findings);
    }

    [Fact]
    public void A_folder_that_is_no_store_is_not_made_one_by_readers()
    {
        using TempFolder folder = new();
        foreach (string command in (string[])["list", "verify", "rebuild"])
            Assert.Equal((command, 2), (command, Tools.Run("rpm-repo-snapshot", command, "--store", folder.Path).Status));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }
}
