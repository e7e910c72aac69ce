using System.Text.Json;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>What a sync does when not all is as it should be, and what it says when all is.</summary>
public class RepoPolicyTests
{
    private const string Apple = "apple-1-1.noarch.rpm", R = "\"baseurl\": [\"URL/r\"]";

    [Fact]
    public void Missing_packages_are_marked_when_that_is_allowed()
    {
        using ConfiguredRepos repos = new();
        repos.Add("r", "t0", $"rm {Apple} && printf x >> berry-1-1.noarch.rpm");
        repos.Refusal(R);
        Tools.Result result = repos.Run($"{{\"name\": \"x\", {R}}}", "--allow-missing").AssertSucceeded();
        string[] lines = result.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, lines.Length);
        Assert.StartsWith($"rpm-repo-snapshot: x: apple-1-1.noarch: {repos.Url}/r/{Apple}: the server says 404", lines[0], StringComparison.Ordinal);
        Assert.Contains("2 packages will be missing from the snapshot", lines[2], StringComparison.Ordinal);
        JsonElement repo = JsonDocument.Parse(result.Out).RootElement.GetProperty("repos")[0];
        Assert.Equal((4, 2), (repo.GetProperty("packages").GetInt32(), repo.GetProperty("missing").GetInt32()));
        JsonElement[] holes = [.. Kept(repos.Store, Id(result)).GetProperty("missing").EnumerateArray()];
        Assert.Equal([Apple, "berry-1-1.noarch.rpm"], holes.Select(hole => hole.GetProperty("location").GetString()));
        Assert.StartsWith("the server says 404", holes[0].GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.All(holes, hole => Assert.DoesNotContain("http", hole.GetProperty("reason").GetString(), StringComparison.Ordinal));
        repos.Store.AssertClean();
        // Later they are there, and it is another snapshot; the one with holes stays as it is.
        repos.Add("whole", "t0");
        Assert.False(repos.Sync("\"baseurl\": [\"URL/whole\"]").TryGetProperty("missing", out _));
        JsonElement[] listed = [.. repos.Store.Lines("list")];
        Assert.Equal((2, 2, false), (listed.Length, listed[0].GetProperty("missing").GetInt32(), listed[1].TryGetProperty("missing", out _)));
        // And whoever goes from one to the other is told, although the metadata is the same.
        string[] ids = [.. listed.Select(line => line.GetProperty("snapshot").GetString()!)];
        Assert.Equal(1, repos.Store.Run("diff", ids[0], ids[1]).Status);
        Assert.Equal(["hole_removed apple-1-1.noarch", "hole_removed berry-1-1.noarch"], Changes(repos.Store, ids[0], ids[1]));
        Assert.Equal(["hole_added apple-1-1.noarch", "hole_added berry-1-1.noarch"], Changes(repos.Store, ids[1], ids[0]));
        repos.Store.AssertClean();
        // Metadata must be there.
        repos.Add("torn", "t2", "rm repodata/*-other.xml.gz");
        repos.Refusal("\"baseurl\": [\"URL/torn\"]", "--allow-missing");
    }

    private static IEnumerable<string> Changes(StoreFixture store, string one, string other) =>
        store.Lines("diff", one, other).Select(line => $"{line.GetProperty("change")} {line.GetProperty("name")}");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_hole_is_served_as_503_with_the_reason(bool isIndexed)
    {
        using ConfiguredRepos repos = new();
        repos.Add("r", "t0", $"rm {Apple} && printf x >> berry-1-1.noarch.rpm");
        repos.Run($"{{\"name\": \"x\", {R}}}", "--allow-missing", "--tag", "now").AssertSucceeded();
        // Later the store has the package; the snapshot is still the one without.
        repos.Add("whole", "t0");
        repos.Sync("\"baseurl\": [\"URL/whole\"]");
        using ServerFixture served = new(repos.PathOf("r"), null, store =>
        {
            Programs.Shell($"cp -a {repos.Store.Path} {store.Path}");
            if (!isIndexed)
                File.Delete(Path.Combine(store.Path, "index.sqlite"));
        });
        using Client client = served.Connect();
        client.Ask($"/now/x/{Apple}");
        Answer answer = client.Read();
        Assert.Equal((503, "the snapshot lacks this file: the server says 404 Not Found\n", "text/plain; charset=utf-8"), (answer.Status, answer.Text, answer.Fields["Content-Type"]));
        Assert.False(answer.Fields.ContainsKey("ETag"));
        // The connection goes on.
        client.Ask("/now/x/berry-1-1.noarch.rpm", "Range: bytes=0-9\r\n");
        answer = client.Read();
        Assert.Equal(503, answer.Status);
        Assert.StartsWith("the snapshot lacks this file: ", answer.Text, StringComparison.Ordinal);
        Assert.Contains("bytes", answer.Text, StringComparison.Ordinal);
        client.Ask($"/now/x/{Apple}", method: "HEAD");
        Assert.Equal(503, client.Read(isHead: true).Status);
        client.Ask("/now/x/cherry-2-1.noarch.rpm");
        Assert.Equal(File.ReadAllBytes(repos.PathOf("r/cherry-2-1.noarch.rpm")), client.Read().Body);
        client.Ask("/now/x/repodata/repomd.xml");
        Assert.Equal(File.ReadAllBytes(repos.PathOf("r/repodata/repomd.xml")), client.Read().Body);
        Assert.Empty(served.Complaints);
    }

    [Theory]
    [InlineData("")]
    [InlineData("rm index.sqlite")]
    public void Packages_that_had_other_bytes_in_any_snapshot_are_told(string damage)
    {
        using ConfiguredRepos repos = new();
        repos.Add("r", "t0");
        repos.Add("without", "t0", "rm cherry-* && createrepo_c --quiet --revision without .");
        repos.Add("back", "t1", "createrepo_c --quiet --revision back .");
        repos.Add("same", "t0", "createrepo_c --quiet --revision same .");
        repos.Sync(R);
        repos.Sync("\"baseurl\": [\"URL/without\"]", "--allow-older");
        Programs.Shell($"cd {repos.Store.Path} && {(damage.Length == 0 ? ":" : damage)}");
        // What comes back as it was is no matter.
        using (StoreFixture copy = new())
        {
            Programs.Shell($"cp -a {repos.Store.Path} {copy.Path}");
            Assert.Equal("", copy.Run("sync", "--repo", $"x=file://{repos.PathOf("same")}", "--refuse-mutated", "--quiet", "--allow-older").AssertSucceeded().Err);
        }
        string refusal = repos.Refusal("\"baseurl\": [\"URL/back\"]", "--refuse-mutated", "--allow-older");
        string before = Programs.Shell($"sha256sum < {RepoFixture.PathOf("t0")}/cherry-2-1.noarch.rpm")[..64];
        Assert.StartsWith("rpm-repo-snapshot: x: cherry-2-1.noarch: has other bytes: sha256:", refusal, StringComparison.Ordinal);
        Assert.Contains(before, refusal, StringComparison.Ordinal);
        Assert.Equal(1, repos.Sync("\"baseurl\": [\"URL/back\"]", "--allow-older").GetProperty("mutated").GetInt32());
        // The lists that were read are in the index now.
        Assert.Equal("3", Programs.Shell($"sqlite3 {repos.Store.Path}/index.sqlite 'select count(*) from list'").Trim());
        // What is collected is forgotten.
        repos.Sync("\"baseurl\": [\"URL/without\"]", "--allow-older", "--tag", "without");
        repos.Store.Run("gc", "--keep-tag", "without", "--keep-last", "0", "--grace", "0s").AssertSucceeded();
        Assert.False(repos.Sync("\"baseurl\": [\"URL/back\"]", "--allow-older", "--refuse-mutated").TryGetProperty("mutated", out _));
    }

    [Fact]
    public void Packages_that_get_other_bytes_are_told_once()
    {
        using ConfiguredRepos repos = new();
        repos.Add("r", "t0");
        repos.Add("now", "t1");
        repos.Add("again", "t1", "createrepo_c --quiet --revision again .");
        repos.Sync(R);
        string refusal = repos.Refusal("\"baseurl\": [\"URL/now\"]", "--refuse-mutated");
        Assert.Contains("rpm-repo-snapshot: x: cherry-2-1.noarch: has other bytes: sha256:", refusal, StringComparison.Ordinal);
        Assert.Contains("1 package changed under the same name and version, so there is no snapshot", refusal, StringComparison.Ordinal);
        Tools.Result told = repos.Run("{\"name\": \"x\", \"baseurl\": [\"URL/now\"]}", "--quiet").AssertSucceeded();
        Assert.Equal("", told.Out);
        Assert.Equal($"{refusal.Split('\n')[0]}\n", told.Err);
        Assert.Equal("", repos.Run("{\"name\": \"x\", \"baseurl\": [\"URL/again\"]}", "--quiet").AssertSucceeded().Err);
    }

    [Theory]
    [InlineData("\"universe\": \"u\"", "\"universe\": \"u\"", true)]
    [InlineData("\"universe\": \"u\"", "\"universe\": \"v\"", false)]
    [InlineData("\"connections\": 1", "\"connections\": 2", false)]
    public void In_one_universe_a_name_stands_for_the_same_bytes(string one, string other, bool isTold)
    {
        using ConfiguredRepos repos = new();
        repos.Add("r", "t0");
        repos.Add("s", "t1");
        Tools.Result result = repos.Run($"{{\"name\": \"r\", {R}, {one}}}, {{\"name\": \"s\", \"baseurl\": [\"URL/s\"], {other}}}", "--refuse-mutated");
        Assert.Equal(isTold ? 1 : 0, result.Status);
        Assert.Equal(isTold, result.Err.Contains("s: cherry-2-1.noarch: has other bytes in the universe u: ", StringComparison.Ordinal));
        // The universe is part of what a snapshot is.
        if (!isTold)
            Assert.Equal(one.Contains("universe", StringComparison.Ordinal), Kept(repos.Store, Id(result)).TryGetProperty("universe", out _));
        repos.Store.AssertClean();
    }

    [Fact]
    public void Shards_together_are_one_sync()
    {
        using ConfiguredRepos repos = new();
        repos.Add("r", "t1");
        using StoreFixture second = new(), third = new(), whole = new();
        string url = $"file://{repos.PathOf("r")}";
        long packages = 0, fetched = 0;
        foreach ((StoreFixture store, string shard) in new[] { (repos.Store, "1/3"), (second, "2/3"), (third, "3/3") })
        {
            JsonElement line = store.Sync(url, "--shard", shard);
            Assert.Equal(shard, line.GetProperty("shard").GetString());
            packages += line.GetProperty("repos")[0].GetProperty("packages").GetInt64();
            fetched += line.GetProperty("repos")[0].GetProperty("fetched").GetInt64();
            Assert.Empty(store.Lines("list"));
            store.AssertClean();
        }
        Assert.Equal((5, 5 + (3 * RepoFixture.Metadata)), (packages, fetched));
        // What two machines have goes to the third: objects are files that never change.
        Programs.Shell($"cp -rn {repos.Store.Path}/objects {second.Path}/objects {third.Path}/");
        JsonElement union = third.Sync(url);
        Assert.Equal(0, union.GetProperty("repos")[0].GetProperty("fetched").GetInt32());
        Assert.Equal(whole.Sync(url).GetProperty("snapshot").GetString(), union.GetProperty("snapshot").GetString());
        third.AssertClean();
    }

    [Fact]
    public void Cron_hears_nothing_when_all_is_well()
    {
        using ConfiguredRepos repos = new();
        repos.Add("r", "t0");
        Tools.Result first = repos.Run($"{{\"name\": \"x\", {R}}}", "--quiet", "--changed-exit", "--tag", "today"), second = repos.Run($"{{\"name\": \"x\", {R}}}", "--quiet", "--changed-exit");
        Assert.Equal((0, "", "", 3, "", ""), (first.Status, first.Out, first.Err, second.Status, second.Out, second.Err));
        // Back and forth is a change each time, although the store has both.
        repos.Add("s", "t1");
        Assert.Equal([0, 0, 3], new[] { "s", "r", "r" }.Select(name => repos.Run($"{{\"name\": \"x\", \"baseurl\": [\"URL/{name}\"]}}", "--quiet", "--changed-exit", "--allow-older").Status));
        Assert.Equal(2, repos.Store.Lines("list").Count);
        repos.Add("gone", "t0", $"rm {Apple}");
        Assert.Equal(3, repos.Run("{\"name\": \"x\", \"baseurl\": [\"URL/gone\"]}", "--quiet", "--changed-exit").Status); // the store has the package
        using StoreFixture empty = new();
        Tools.Result failed = empty.Run("sync", "--config", repos.ConfigPath, "--quiet", "--changed-exit");
        Assert.Equal((1, "", 2), (failed.Status, failed.Out, failed.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length));
    }

    [Fact]
    public void A_plan_fetches_no_package()
    {
        using ConfiguredRepos repos = new();
        repos.Add("r", "t0");
        repos.Sync(R);
        repos.Add("now", "t1");
        Tools.Result plan = repos.Run("{\"name\": \"x\", \"baseurl\": [\"URL/now\"]}", "--plan").AssertSucceeded();
        Assert.Equal(
            new[] { "apple-2-1", "cherry-2-1", "date-1-1" }.Select(name => $"{{\"repo\":\"x\",\"fetch\":\"{name}.noarch\",\"url\":\"{repos.Url}/now/{name}.noarch.rpm\",\"size\":{new FileInfo(repos.PathOf($"now/{name}.noarch.rpm")).Length}}}"),
            plan.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
        Assert.Single(repos.Store.Lines("list"));
        Assert.Equal(3, repos.Sync("\"baseurl\": [\"URL/now\"]").GetProperty("fetched").GetInt32());
        Assert.Equal("", repos.Run("{\"name\": \"x\", \"baseurl\": [\"URL/now\"]}", "--plan").Out);
    }

    [Fact]
    public void Extra_files_are_kept()
    {
        using ConfiguredRepos repos = new();
        repos.Add("r", "t0", "mkdir images && echo tree > .treeinfo && echo kernel > images/vmlinuz");
        repos.Sync($"{R}, \"extra_files\": [\"images/vmlinuz\", \".treeinfo\"]");
        JsonElement extra = Kept(repos.Store, repos.Store.Lines("list")[0].GetProperty("snapshot").GetString()!).GetProperty("extra");
        Assert.Equal([".treeinfo", "images/vmlinuz"], extra.EnumerateArray().Select(file => file.GetProperty("path").GetString()));
        Assert.Equal("kernel\n", File.ReadAllText(repos.Store.ObjectPath(extra[1].GetProperty("object").GetString()!)));
        repos.Sync(R);
        string[] ids = [.. repos.Store.Lines("list").Select(line => line.GetProperty("snapshot").GetString()!)];
        Assert.Equal(["metadata .treeinfo", "metadata images/vmlinuz"], Changes(repos.Store, ids[0], ids[1]));
        Assert.Contains("rpm-repo-snapshot: x: media.1: ", repos.Refusal($"{R}, \"extra_files\": [\"media.1\"]"), StringComparison.Ordinal);
    }

    public static readonly TheoryData<string, string> BadConfigs = new()
    {
        { "", "empty, expected a JSON object" },
        { "{\"repos\": [}", "line 1, column " },
        { "{}", "member 'repos' is missing" },
        { "{\"repos\": []}", "from 1 to 1000 repositories are expected" },
        { "{\"repos\": [], \"x\": 1}", "unknown member 'x'; known are repos" },
        { "{\"repos\": [{\"name\": \"a\"}]}", "repos[0]: one of 'baseurl', 'mirrorlist' and 'metalink' is needed" },
        { "{\"repos\": [{\"baseurl\": [\"http://h/\"]}]}", "repos[0]: member 'name' is missing" },
        { "{\"repos\": [{\"name\": \"a\", \"baseurl\": \"http://h/\"}]}", "repos[0]: member 'baseurl': a list is expected, not a string" },
        { "{\"repos\": [{\"name\": \"../a\", \"baseurl\": [\"http://h/\"]}]}", "repos[0]: member 'name': '../a' is not of letters" },
        { "{\"repos\": [{\"name\": \"a\", \"universe\": \"b:c\", \"baseurl\": [\"http://h/\"]}]}", "repos[0]: member 'universe': 'b:c' is not of letters" },
        { "{\"repos\": [{\"name\": \"a\", \"baseurl\": [\"http://h/$basearch/\"]}]}", "repos[0]: member 'baseurl[0]': 'http://h/$basearch/': variables" },
        { "{\"repos\": [{\"name\": \"a\", \"metalink\": \"gopher://h/\"}]}", "repos[0]: member 'metalink': 'gopher://h/' is neither" },
        { "{\"repos\": [{\"name\": \"a\", \"baseurl\": [\"http://h/\"]}, {\"name\": \"a\", \"baseurl\": [\"http://h/\"]}]}", "repos[1]: member 'name': 'a' is the name of another repository, too" },
        { "{\"repos\": [{\"name\": \"a\", \"baseurl\": [\"http://h/\"], \"gpgcheck\": true}]}", "repos[0]: unknown member 'gpgcheck'; known are baseurl, ca_file" },
        { "{\"repos\": [{\"name\": \"a\", \"baseurl\": [\"http://h/\"], \"repo_gpgcheck\": true}]}", "repos[0]: member 'repo_gpgcheck': it needs 'gpgkey'" },
        { "{\"repos\": [{\"name\": \"a\", \"baseurl\": [\"http://h/\"], \"gpg_fingerprints\": [\"12\"]}]}", "repos[0]: member 'gpg_fingerprints[0]': '12' is not of 40 or 64" },
        { "{\"repos\": [{\"name\": \"a\", \"baseurl\": [\"http://h/\"], \"extra_files\": [\"../x\"]}]}", "repos[0]: member 'extra_files': '../x' is no plain path" },
        { "{\"repos\": [{\"name\": \"a\", \"baseurl\": [\"http://h/\"], \"username\": \"u\"}]}", "repos[0]: 'username' and 'password_file' need each other" },
        { "{\"repos\": [{\"name\": \"a\", \"baseurl\": [\"http://h/\"], \"username\": \"u\", \"password_file\": \"none\"}]}", "repos[0]: member 'password_file': " },
        { "{\"repos\": [{\"name\": \"a\", \"baseurl\": [\"http://h/\"], \"connections\": 0}]}", "repos[0]: member 'connections': 0 is not between 1 and 64" },
    };

    [Theory]
    [MemberData(nameof(BadConfigs))]
    public void Bad_configurations_make_no_store(string config, string expected)
    {
        using StoreFixture store = new();
        using TempFolder folder = new();
        File.WriteAllText(folder / "repos.json", config);
        Tools.Result result = store.Run("sync", "--config", folder / "repos.json");
        Assert.Equal(2, result.Status);
        Assert.StartsWith($"rpm-repo-snapshot: {folder / "repos.json"}: ", result.FirstErrorLine, StringComparison.Ordinal);
        Assert.Contains(expected, result.FirstErrorLine, StringComparison.Ordinal);
        Assert.False(Directory.Exists(store.Path));
    }

    [Theory]
    [InlineData("one of --config FILE and --repo NAME=URL is needed")]
    [InlineData("one of --config FILE and --repo NAME=URL is needed", "--config", "x", "--repo", "a=file:///x")]
    [InlineData("--shard 4/3: expected I/N", "--repo", "a=file:///x", "--shard", "4/3")]
    [InlineData("--shard x: expected I/N", "--repo", "a=file:///x", "--shard", "x")]
    [InlineData("--tag: --plan makes no snapshot", "--repo", "a=file:///x", "--plan", "--tag", "t")]
    [InlineData("--tag: --shard makes no snapshot", "--repo", "a=file:///x", "--shard", "1/2", "--tag", "t")]
    [InlineData("--connections 0: from 1 to 64", "--repo", "a=file:///x", "--connections", "0")]
    public void Bad_arguments_make_no_store(string expected, params string[] args)
    {
        using StoreFixture store = new();
        Tools.Result result = store.Run("sync", args);
        Assert.Equal(2, result.Status);
        Assert.Contains(expected, result.FirstErrorLine, StringComparison.Ordinal);
        Assert.False(Directory.Exists(store.Path));
    }

    private static string Id(Tools.Result result) => JsonDocument.Parse(result.Out.Length > 0 ? result.Out : "{\"snapshot\":\"\"}").RootElement.GetProperty("snapshot").GetString()!;

    private static JsonElement Kept(StoreFixture store, string id) => JsonDocument.Parse(File.ReadAllText(Path.Combine(store.Path, "snapshots", $"{id}.json"))).RootElement.GetProperty("repos")[0];
}
