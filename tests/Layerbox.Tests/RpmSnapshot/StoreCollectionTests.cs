using System.Runtime.InteropServices;
using System.Text.Json;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>gc keeps what a rule keeps, with all that it needs, and removes the rest.</summary>
public partial class StoreCollectionTests
{
    [Fact]
    public void By_default_the_tagged_and_the_newest_are_kept()
    {
        using StoreFixture store = Three(out string[] ids);
        store.Run("tag", ids[0], "stable").AssertSucceeded();
        List<JsonElement> plan = store.Lines("gc", "--dry-run", "--grace", "0s");
        Assert.Equal(
            [$"kept snapshots/{ids[0]}.json it has the tag 'stable'", $"would_remove snapshots/{ids[1]}.json no rule keeps it", $"kept snapshots/{ids[2]}.json it is the newest of its repositories"],
            plan.SkipLast(1).Select(Line));
        Assert.Equal(3, store.Lines("list").Count);
        // t1's packages are t2's, so only its metadata goes.
        long bytes = long.Parse(Programs.Shell($"cd {RepoFixture.PathOf("t1")}/repodata && cat * | wc -c"), null);
        Assert.Equal((true, RepoFixture.Metadata + 1, bytes), Sum(plan));
        foreach (string id in ids)
            Directory.CreateDirectory(Path.Combine(store.Path, "cache/dnf", $"{id}-0a0b0c0d"));
        Assert.Equal((false, RepoFixture.Metadata + 1, bytes), Sum(store.Lines("gc", "--grace", "0s")));
        Assert.Equal(new[] { ids[0], ids[2] }.Order(StringComparer.Ordinal), Directory.EnumerateDirectories(Path.Combine(store.Path, "cache/dnf")).Select(path => Path.GetFileName(path)[..64]).Order(StringComparer.Ordinal));
        Assert.Equal([ids[0], ids[2]], store.Lines("list").Select(Id));
        Assert.Equal((false, 0, 0), Sum(store.Lines("gc", "--grace", "0s")));
        AssertHolds(store, "t0", "t2");
        store.Run("gc", "--grace", "0s", "--keep-tag", "other-*").AssertSucceeded();
        AssertHolds(store, "t2");
    }

    [Theory]
    [InlineData("012", "--keep-last", "3")]
    [InlineData("12", "--keep-last", "2")]
    [InlineData("", "--keep-last", "0")]
    [InlineData("02", "--keep-within", "60d")]
    [InlineData("12", "--keep-tag", "b-*")]
    [InlineData("012", "--keep-tag", "b-*", "--keep-tag", "?-0")]
    public void Any_rule_that_keeps_keeps(string expected, params string[] args)
    {
        using StoreFixture store = Three(out string[] ids);
        // The first is 50 days old, the second 100; so the second is the oldest.
        if (args[0] == "--keep-within")
            Programs.Shell($"touch -d '-50 days' {store.Path}/snapshots/{ids[0]}.json; touch -d '-100 days' {store.Path}/snapshots/{ids[1]}.json");
        store.Run("tag", ids[0], "a-0").AssertSucceeded();
        store.Run("tag", ids[1], "b-1").AssertSucceeded();
        store.Run("gc", [.. args, .. args.Contains("--keep-tag") ? Array.Empty<string>() : ["--keep-tag", "none"]]).AssertSucceeded();
        Assert.Equal(expected.Select(digit => ids[digit - '0']).Order(StringComparer.Ordinal), store.Lines("list").Select(Id).Order(StringComparer.Ordinal));
        store.AssertClean(); // no tag is left that leads nowhere
    }

    // What a collection removes while the store is looked at is not missing, and what a sync adds is no surprise.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Verify_goes_on_beside_gc_and_sync(bool collects)
    {
        using StoreFixture store = Three(out string[] ids);
        if (collects)
            store.Run("tag", ids[0], "old").AssertSucceeded();
        else
            store.Run("gc", "--grace", "0s").AssertSucceeded();
        using SnapshotStore reader = SnapshotStore.Open(store.Path);
        Lock gate = new();
        bool isDone = false;
        // Nobody gets further than the first object before it has happened.
        StoreVerification verification = StoreVerification.Of(reader, _ => { lock (gate) { Happen(); } }, TestContext.Current.CancellationToken);
        Assert.Empty(verification.Findings);
        Assert.True(isDone);
        Assert.Equal(collects ? ids[2..] : [ids[2], ids[0]], reader.SnapshotIds());

        void Happen()
        {
            if (isDone)
                return;
            isDone = true;
            if (collects)
            {
                store.Run("untag", "old").AssertSucceeded();
                store.Run("gc", "--grace", "0s").AssertSucceeded();
            }
            else
            {
                store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "new");
            }
        }
    }

    [Fact]
    public void Pins_keep_until_they_are_taken_away()
    {
        using StoreFixture store = Three(out string[] ids);
        store.Run("pin", ids[0][..8], "--reason", "the layers of 1.0").AssertSucceeded();
        Assert.Equal("the layers of 1.0", store.Lines("list")[0].GetProperty("pinned").GetString());
        store.Run("gc").AssertSucceeded();
        Assert.Equal([ids[0], ids[2]], store.Lines("list").Select(Id));
        store.Run("unpin", ids[0]).AssertSucceeded();
        store.Run("gc").AssertSucceeded();
        Assert.Equal([ids[2]], store.Lines("list").Select(Id));
        Assert.Equal(2, store.Run("unpin", ids[2]).Status);
        Assert.Equal(2, store.Run("pin", ids[2], "--reason", "two\nlines").Status);
    }

    [Fact]
    public void What_is_served_is_kept()
    {
        using StoreFixture store = Three(out string[] ids);
        using (SnapshotStore opened = SnapshotStore.Open(store.Path))
        using (opened.Serve(ids[0]))
        {
            Assert.Contains("\"reason\":\"it is served\"", store.Run("gc", "--dry-run").Out, StringComparison.Ordinal);
            store.Run("gc").AssertSucceeded();
            Assert.Equal([ids[0], ids[2]], store.Lines("list").Select(Id));
        }
        store.Run("gc").AssertSucceeded();
        Assert.Equal([ids[2]], store.Lines("list").Select(Id));
    }

    // As a program has that another thread is just starting, until it is executed.
    [Fact]
    public void A_copy_of_a_descriptor_keeps_no_lock()
    {
        using StoreFixture store = Three(out string[] ids);
        using SnapshotStore opened = SnapshotStore.Open(store.Path);
        string file = $"{store.Path}/snapshots/{ids[0]}.json";
        List<int> copies = [];
        try
        {
            using (opened.Serve(ids[0]))
                Copy();
            using (StoreCollection collection = StoreCollection.Of(opened, new CollectionPolicy(DateTimeOffset.UtcNow)))
            {
                Assert.False(collection.Snapshots[0].IsKept);
                Copy();
            }
            Programs.Run("flock", "--exclusive", "--nonblock", file, "true");
        }
        finally
        {
            foreach (int copy in copies)
                Assert.Equal(0, close(copy));
        }

        void Copy() => copies.Add(dup(Directory.GetFiles("/proc/self/fd").Where(fd => new FileInfo(fd).LinkTarget == file).Select(fd => int.Parse(Path.GetFileName(fd), null)).Except(copies).Single()));
    }

    [LibraryImport("libc")]
    private static partial int dup(int fd);

    [LibraryImport("libc")]
    private static partial int close(int fd);

    [Fact]
    public void Each_set_of_repositories_has_a_newest()
    {
        using StoreFixture store = new();
        string alone = Id(store.Sync($"file://{RepoFixture.PathOf("t0")}"));
        string both = Id(JsonDocument.Parse(store.Run("sync", "--repo", $"x=file://{RepoFixture.PathOf("t0")}", "--repo", $"y=file://{RepoFixture.PathOf("t1")}").AssertSucceeded().Out).RootElement);
        store.Run("gc", "--grace", "0s").AssertSucceeded();
        Assert.Equal([alone, both], store.Lines("list").Select(Id));
    }

    [Fact]
    public void What_a_failed_sync_fetched_is_not_taken_from_the_next()
    {
        using StoreFixture store = new();
        store.Run("sync", "--repo", $"a=file://{RepoFixture.PathOf("t1")}", "--repo", $"b=file://{RepoFixture.PathOf("nowhere")}");
        JsonElement sum = store.Lines("gc")[^1];
        Assert.Equal((0, 6 + RepoFixture.Metadata), (sum.GetProperty("objects").GetInt32(), sum.GetProperty("young_objects").GetInt32()));
        Programs.Shell($"touch -d '-2 days' {store.Path}/objects/sha256/*/*");
        Assert.Equal(6 + RepoFixture.Metadata, store.Lines("gc")[^1].GetProperty("objects").GetInt32());
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(store.Path, "objects"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void Parts_of_downloads_go_when_they_are_old()
    {
        using StoreFixture store = Three(out _);
        string tmp = Path.Combine(store.Path, "tmp"), before = Programs.Shell($"cd {store.Path} && find objects snapshots refs -type f | sort");
        string digest = new('a', 64), old = $"sha256-{digest}.part", young = $"sha256-{new string('b', 64)}.part", unnamed = "7.part";
        foreach ((string name, string age) in (ReadOnlySpan<(string, string)>)[(old, "-2 days"), (young, "-2 hours"), (unnamed, "-3 days"), ("folder", "-3 days")])
            Programs.Shell(name == "folder" ? $"mkdir {tmp}/folder && echo x > {tmp}/folder/x && touch -d '{age}' {tmp}/folder" : $"printf part > '{tmp}/{name}' && touch -d '{age}' '{tmp}/{name}'");
        // Nothing is done, but all is told.
        List<JsonElement> plan = store.Lines("gc", "--dry-run", "--objects", "--keep-last", "9");
        foreach (string name in (string[])[old, unnamed])
            Assert.Contains(plan, line => line.TryGetProperty("would_remove", out JsonElement path) && path.GetString() == $"tmp/{name}");
        Assert.DoesNotContain(plan, line => line.TryGetProperty("would_remove", out JsonElement path) && path.GetString() == $"tmp/{young}");
        Assert.True(File.Exists(Path.Combine(tmp, old)));
        store.Run("gc", "--keep-last", "9").AssertSucceeded();
        Assert.Equal([young], Directory.EnumerateFileSystemEntries(tmp).Select(path => Path.GetFileName(path)));
        store.Run("gc", "--keep-last", "9", "--grace", "0s").AssertSucceeded();
        Assert.Empty(Directory.EnumerateFileSystemEntries(tmp));
        Assert.Equal(before, Programs.Shell($"cd {store.Path} && find objects snapshots refs -type f | sort"));
        store.AssertClean();
    }

    [Fact]
    public void A_part_that_is_being_written_is_never_taken()
    {
        using StoreFixture store = Three(out _);
        byte[] bytes = "a package that comes slowly"u8.ToArray();
        Layerbox.Rpm.RpmChecksum expected = new(Layerbox.Rpm.RpmDigestAlgorithm.Sha256, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)));
        string part = Path.Combine(store.Path, "tmp", $"sha256-{expected.Digits}.part");
        using (Layerbox.RpmSnapshot.SnapshotStore writer = Layerbox.RpmSnapshot.SnapshotStore.OpenForWriting(store.Path))
        using (Layerbox.RpmSnapshot.ObjectWriter sync = writer.NewObject(expected))
        {
            sync.Write(bytes.AsSpan(0, 5));
            // However long it has stood still.
            Programs.Shell($"touch -d '-30 days' {part}");
            Tools.Result result = store.Run("gc", "--grace", "0s");
            Assert.Equal(2, result.Status);
            Assert.Contains("another process writes to this store", result.Err, StringComparison.Ordinal);
            sync.Write(bytes.AsSpan(5));
            Assert.Equal(expected.Digits, sync.Finish(expected));
            writer.PutInPlace();
        }
        Assert.Equal(bytes, File.ReadAllBytes(store.ObjectPath(expected.Digits)));
        store.AssertClean();
    }

    [Theory]
    [InlineData("echo x > aliases", "'rebuild' finds out")]
    [InlineData("chmod u+w snapshots/*; echo x > snapshots/$(cat refs/tags/t2).json", "is no snapshot")]
    [InlineData("rm -f objects/sha256/*/$(sed 's/.*primary.xml[^}]*object\":\"\\([0-9a-f]*\\).*/\\1/' snapshots/$(cat refs/tags/t2).json)", "nothing is removed")]
    public void Nothing_is_removed_when_it_is_not_known_what_is_needed(string damage, string expected)
    {
        using StoreFixture store = new();
        store.Sync($"file://{RepoFixture.PathOf("t1")}");
        store.Sync($"file://{RepoFixture.PathOf("t2")}", "--tag", "t2");
        Programs.Shell($"cd {store.Path} && {damage}");
        string before = Programs.Shell($"cd {store.Path} && find . -type f | sort");
        foreach (string[] args in (string[][])[["--grace", "0s"], ["--grace", "0s", "--dry-run"]])
        {
            Tools.Result result = store.Run("gc", args);
            Assert.Equal(2, result.Status);
            Assert.Contains(expected, result.FirstErrorLine, StringComparison.Ordinal);
            Assert.Equal(before, Programs.Shell($"cd {store.Path} && find . -type f | sort"));
        }
    }

    private static StoreFixture Three(out string[] ids)
    {
        StoreFixture store = new();
        ids = [.. new[] { "t0", "t1", "t2" }.Select(repo => Id(store.Sync($"file://{RepoFixture.PathOf(repo)}")))];
        for (int i = 0; i < ids.Length; i++)
            Programs.Shell($"touch -d '-{ids.Length - i} hours' {store.Path}/snapshots/{ids[i]}.json");
        return store;
    }

    /// <summary>Its objects are what these repositories hold, and nothing else.</summary>
    private static void AssertHolds(StoreFixture store, params string[] repos)
    {
        store.AssertClean();
        string folders = string.Join(' ', repos.Select(RepoFixture.PathOf));
        Assert.Equal(
            Programs.Shell($"find {folders} -type f -exec sha256sum '{{}}' + | cut -c1-64 | LC_ALL=C sort -u"),
            Programs.Shell($"cd {store.Path}/objects/sha256 && find . -type f -printf '%f\\n' | LC_ALL=C sort"));
    }

    private static string Id(JsonElement line) => line.GetProperty("snapshot").GetString()!;

    private static string Line(JsonElement line) => string.Join(' ', line.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.String).Select(member => member.Name == "reason" ? $"{member.Value}" : $"{member.Name} {member.Value}"));

    private static (bool IsDryRun, int Objects, long Bytes) Sum(List<JsonElement> lines) =>
        (lines[^1].GetProperty("dry_run").GetBoolean(), lines[^1].GetProperty("objects").GetInt32(), lines[^1].GetProperty("bytes").GetInt64());
}
