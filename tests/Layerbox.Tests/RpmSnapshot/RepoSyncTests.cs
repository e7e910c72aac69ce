using System.Text.Json;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Snapshots of repositories that change, from a real server.</summary>
public class RepoSyncTests
{
    [Fact]
    public void What_changed_is_fetched_and_nothing_else()
    {
        using PythonServer server = new(RepoFixture.Folder);
        using StoreFixture store = new();
        JsonElement t0 = store.Sync($"{server.Url}/t0", "--tag", "t0");
        Assert.Equal((4, 4 + RepoFixture.Metadata, 0), Counts(t0));
        JsonElement t1 = store.Sync($"{server.Url}/t1/", "--tag", "t1");
        Assert.Equal((5, 3 + RepoFixture.Metadata, 2), Counts(t1));
        // The same packages, named by checksums of another type.
        JsonElement t2 = store.Sync($"{server.Url}/t2", "--tag", "t2");
        Assert.Equal((5, RepoFixture.Metadata, 5), Counts(t2));
        int requests = server.Requests;
        JsonElement again = store.Sync($"{server.Url}/t2");
        Assert.Equal((5, 0, 5 + RepoFixture.Metadata), Counts(again));
        Assert.False(again.GetProperty("new").GetBoolean());
        Assert.Equal(Id(t2), Id(again));
        Assert.Equal(requests + 1, server.Requests);
        // From elsewhere it is the same snapshot.
        Assert.Equal(Id(t1), Id(store.Sync($"file://{RepoFixture.PathOf("t1")}", "--allow-older")));

        Assert.Equal([Id(t0), Id(t1), Id(t2)], store.Lines("list").Select(Id));
        Assert.Equal(["t0", "t1", "t2"], store.Lines("list").Select(line => line.GetProperty("tags")[0].GetString()));
        foreach (string repo in (string[])["t0", "t1", "t2"])
            Assert.All(RepoFixture.PackageDigests(repo), digest => Assert.True(File.Exists(store.ObjectPath(digest))));
        Assert.All(Directory.EnumerateFiles(Path.Combine(store.Path, "objects"), "*", SearchOption.AllDirectories), file => Assert.Equal("444", Programs.Run("stat", "-c", "%a", file).Trim()));
        store.AssertClean();
    }

    [Fact]
    public void Diff_says_what_became_of_packages()
    {
        using StoreFixture store = new();
        foreach (string repo in (string[])["t0", "t1", "t2"])
            store.Sync($"file:{RepoFixture.PathOf(repo)}", "--tag", repo);
        Assert.Equal(
            ["upgraded apple 1-1 2-1", "removed berry 1-1 -", "mutated cherry 2-1 2-1", "added date - 1-1"],
            Packages(store.Lines("diff", "t0", "t1")));
        Assert.Equal(
            ["downgraded apple 2-1 1-1", "added berry - 1-1", "mutated cherry 2-1 2-1", "removed date 1-1 -"],
            Packages(store.Lines("diff", "t1", "t0")));
        Assert.Equal(1, store.Run("diff", "t0", "t1").Status);
        // Only the metadata is another.
        Assert.Empty(Packages(store.Lines("diff", "t1", "t2")));
        Assert.Equal(0, store.Run("diff", "t1", "t1").Status);

        static List<string> Packages(List<JsonElement> lines) => [.. lines.Where(line => line.GetProperty("change").GetString() != "metadata")
            .Select(line => string.Join(' ', new[] { "change", "name", "from", "to" }.Select(name => line.TryGetProperty(name, out JsonElement value) ? value.GetString()!.Split(' ')[0] : "-")))];
    }

    [Fact]
    public void Show_lists_what_createrepo_wrote()
    {
        using StoreFixture store = new();
        string id = Id(store.Sync($"file://{RepoFixture.PathOf("t1")}"));
        List<JsonElement> lines = store.Lines("show", id[..8]);
        Assert.Equal("one", lines[0].GetProperty("revision").GetString());
        Assert.Equal(RepoFixture.Metadata, lines.Count(line => line.GetProperty("record").GetString() == "data"));
        string expected = Programs.Shell($"cd {RepoFixture.PathOf("t1")} && for f in *.rpm; do printf '%s sha256:%s\\n' \"$f\" \"$(sha256sum < \"$f\" | cut -c1-64)\"; done | LC_ALL=C sort");
        Assert.Equal(
            expected.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            lines.Where(line => line.GetProperty("record").GetString() == "package").Select(line => $"{line.GetProperty("location").GetString()} {line.GetProperty("checksum").GetString()}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Several_repositories_are_one_snapshot()
    {
        using StoreFixture store = new();
        Tools.Result both = store.Run("sync", "--repo", $"b=file://{RepoFixture.PathOf("t1")}", "--repo", $"a=file://{RepoFixture.PathOf("t0")}").AssertSucceeded();
        Assert.Equal(["a", "b"], JsonDocument.Parse(both.Out).RootElement.GetProperty("repos").EnumerateArray().Select(repo => repo.GetProperty("name").GetString()));
        Assert.Single(store.Lines("list"));
        // One that fails keeps the others from a snapshot, not from being fetched.
        using StoreFixture other = new();
        Tools.Result failed = other.Run("sync", "--repo", $"b=file://{RepoFixture.PathOf("t1")}", "--repo", $"a=file://{RepoFixture.PathOf("nowhere")}");
        Assert.Equal(1, failed.Status);
        Assert.StartsWith($"rpm-repo-snapshot: a: repodata/repomd.xml: file://{RepoFixture.PathOf("nowhere")}/repodata/repomd.xml: No such file", failed.Err, StringComparison.Ordinal);
        Assert.Empty(other.Lines("list"));
        Assert.All(RepoFixture.PackageDigests("t1"), digest => Assert.True(File.Exists(other.ObjectPath(digest))));
    }

    [Fact]
    public void Tags_come_and_go_and_snapshots_stay()
    {
        using StoreFixture store = new();
        string id = Id(store.Sync($"file://{RepoFixture.PathOf("t0")}"));
        store.Run("tag", id[..6], "stable-1.0").AssertSucceeded();
        Assert.Contains("\"stable-1.0\"", store.Run("list").Out, StringComparison.Ordinal);
        Assert.Equal(0, store.Run("diff", "stable-1.0", id).Status);
        store.Run("untag", "stable-1.0").AssertSucceeded();
        Assert.Equal(2, store.Run("show", "stable-1.0").Status);
        Assert.Single(store.Lines("list"));
        foreach (string bad in (string[])["../x", "a/b", ".hidden", "", id])
            Assert.Equal((bad, 2), (bad, store.Run("tag", id, bad).Status));
    }

    [Theory]
    [InlineData("x=ftp://example.org/", "neither a file: nor an http:// or https:// URL")]
    [InlineData("x=https://user:secret@example.org/", "a user name in a URL is not supported")]
    [InlineData("x=file:relative", "needs an absolute path")]
    [InlineData("x=http://user:secret@example.org/", "a user name in a URL is not supported")]
    [InlineData("x=http://example.org:0/", "the port is no number")]
    [InlineData("../x=file:///srv", "not of the form NAME=URL")]
    [InlineData("file:///srv", "not of the form NAME=URL")]
    public void Bad_requests_make_no_store(string request, string expected)
    {
        using StoreFixture store = new();
        Tools.Result result = store.Run("sync", "--repo", request);
        Assert.Equal(2, result.Status);
        Assert.Contains(expected, result.FirstErrorLine, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", result.Err, StringComparison.Ordinal);
        Assert.False(Directory.Exists(store.Path));
    }

    private static string Id(JsonElement line) => line.GetProperty("snapshot").GetString()!;

    private static (int Packages, int Fetched, int Present) Counts(JsonElement line)
    {
        JsonElement repo = line.GetProperty("repos")[0];
        return (repo.GetProperty("packages").GetInt32(), repo.GetProperty("fetched").GetInt32(), repo.GetProperty("present").GetInt32());
    }
}
