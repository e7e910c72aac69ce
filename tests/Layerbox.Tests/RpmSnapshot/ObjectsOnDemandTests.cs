using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Snapshots that were fetched without their packages: each comes when it is first wanted, once, and as what it should be.</summary>
public sealed class ObjectsOnDemandTests : IDisposable
{
    private readonly StorageFixture _storage = new();
    private readonly StoreFixture _origin = new(), _store = new();
    private readonly TempFolder _folder = new();

    public void Dispose()
    {
        _store.Dispose();
        _origin.Dispose();
        _storage.Dispose();
        _folder.Dispose();
    }

    private static string[] Packages(string repo) => [.. RepoFixture.PackageDigests(repo).Order(StringComparer.Ordinal)];

    /// <summary>A store with a snapshot "x" of which only the metadata is here.</summary>
    private string Fetch(string repo)
    {
        string id = _origin.Sync($"file://{RepoFixture.PathOf(repo)}", "--storage", _storage.Text, "--tag", "x").GetProperty("snapshot").GetString()!;
        JsonElement line = _store.Lines("fetch", id, "--storage", _storage.Text, "--on-demand", "--tag", "x")[0];
        Assert.Equal((RepoFixture.Metadata + 1, Packages(repo).Length), (line.GetProperty("moved").GetInt32(), line.GetProperty("on_demand").GetInt32()));
        File.Delete(_storage.Asked);
        File.WriteAllText(_storage.Asked, "");
        return id;
    }

    private Tools.Result Export(string name) => _store.Run("export", "x", "--into", _folder / name, "--progress", "none");

    /// <summary>Nothing is wrong with the store, and so many packages are to be had.</summary>
    private void AssertWaiting(int count)
    {
        JsonElement line = JsonDocument.Parse(_store.Run("verify").AssertSucceeded().Out).RootElement;
        Assert.Equal(count, line.TryGetProperty("on_demand", out JsonElement waiting) ? waiting.GetInt32() : 0);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_store.Path, "tmp")));
    }

    [Theory]
    [InlineData("t0")]
    [InlineData("t2")] // by sha512: only the storage knows which objects they are
    public void Each_package_comes_once_when_it_is_wanted(string repo)
    {
        Fetch(repo);
        int count = Packages(repo).Length;
        AssertWaiting(count);
        Assert.Equal(_origin.Run("show", "x").AssertSucceeded().Out, _store.Run("show", "x").AssertSucceeded().Out);
        Assert.Empty(_storage.Gets);
        Export("first").AssertSucceeded();
        Assert.Equal(Packages(repo), _storage.Gets.Order(StringComparer.Ordinal));
        _origin.Run("export", "x", "--into", _folder / "whole").AssertSucceeded();
        Programs.Run("diff", "-r", _folder / "first", _folder / "whole");
        AssertWaiting(0);
        Export("second").AssertSucceeded();
        Assert.Equal(count, _storage.Gets.Length);
    }

    [Fact]
    public void What_is_served_comes_when_it_is_asked_for()
    {
        string id = Fetch("t2");
        using SnapshotStore store = SnapshotStore.Open(_store.Path);
        List<string> complaints = [];
        using RepoServer server = RepoServer.Start(store, [new ServedSnapshot("x", store.Load(id))], StreamSockets.ListenOnLoopback(0), new RepoServerOptions { Complain = complaints.Add });
        int port = int.Parse(server.Address.Split(':')[^1], System.Globalization.CultureInfo.InvariantCulture);
        string[] files = [.. Directory.GetFiles(RepoFixture.PathOf("t2"), "*.rpm")];
        // Several at the same time, and each of them wants all.
        Parallel.For(0, 6, _ =>
        {
            foreach (string file in files)
                Assert.Equal(File.ReadAllBytes(file), Ask(file).Body);
        });
        Assert.Equal(Packages("t2"), _storage.Gets.Order(StringComparer.Ordinal));
        Assert.Empty(complaints);

        // One that is damaged is put aside, and another comes.
        string digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(files[0])));
        Programs.Shell($"chmod u+w {_store.ObjectPath(digest)}; echo >> {_store.ObjectPath(digest)}");
        Assert.Equal(500, Ask(files[0]).Status);
        Assert.Equal(File.ReadAllBytes(files[0]), Ask(files[0]).Body);
        AssertWaiting(0);

        // And while the storage cannot, that is told, and nobody else is kept from what is here.
        File.Delete(_store.ObjectPath(digest));
        Programs.Shell($"touch {_store.ObjectPath(Packages("t2").First(other => other != digest))}");
        using RepoServer next = RepoServer.Start(store, [new ServedSnapshot("x", store.Load(id))], StreamSockets.ListenOnLoopback(0), new RepoServerOptions { Complain = complaints.Add });
        port = int.Parse(next.Address.Split(':')[^1], System.Globalization.CultureInfo.InvariantCulture);
        _storage.Set("broken", true);
        Answer failed = Ask(files[0]);
        Assert.Equal((500, $"the object {digest} could not be had\n"), (failed.Status, failed.Text));
        Assert.EndsWith(": exit status 7: it is broken", complaints[^1], StringComparison.Ordinal);
        Assert.Equal(200, Ask(files[1]).Status);
        _storage.Set("broken", false);
        Assert.Equal(File.ReadAllBytes(files[0]), Ask(files[0]).Body);

        Answer Ask(string file)
        {
            using Client client = new(port);
            client.Ask($"/x/x/{Uri.EscapeDataString(Path.GetFileName(file))}");
            return client.Read();
        }
    }

    [Fact]
    public void Several_processes_get_each_package_once()
    {
        Fetch("t0");
        _storage.Set("slow", true);
        Process[] exports = [.. Enumerable.Range(0, 3).Select(i => Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "layerbox"), ["rpm-repo-snapshot", "export", "x", "--store", _store.Path, "--into", _folder / $"{i}", "--progress", "none"])
        {
            RedirectStandardOutput = true,
        })!)];
        Patience.Until(() => _storage.Gets.Length > 0, "a package to be asked for");
        _storage.Set("slow", false);
        foreach (Process export in exports)
        {
            export.WaitForExit();
            Assert.Equal(0, export.ExitCode);
            export.Dispose();
        }
        Assert.Equal(Packages("t0"), _storage.Gets.Order(StringComparer.Ordinal));
        Programs.Run("diff", "-r", _folder / "0", _folder / "1");
        Programs.Run("diff", "-r", _folder / "0", _folder / "2");
        AssertWaiting(0);
    }

    [Fact]
    public void What_a_killed_one_left_is_in_nobodys_way()
    {
        Fetch("t0");
        _storage.Set("slow", true);
        using (Process export = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "layerbox"), ["rpm-repo-snapshot", "export", "x", "--store", _store.Path, "--into", _folder / "killed", "--progress", "none"]))!)
        {
            string tmp = Path.Combine(_store.Path, "tmp");
            Patience.Until(() => Directory.EnumerateFiles(tmp).Any(path => new FileInfo(path).Length > 0), "the first bytes of a package");
            export.Kill();
            export.WaitForExit();
        }
        _storage.Set("slow", false);
        Assert.NotEmpty(Directory.EnumerateFiles(Path.Combine(_store.Path, "tmp"), "*-wanted.part"));
        _store.Run("verify").AssertSucceeded();
        Export("next").AssertSucceeded();
        AssertWaiting(0);
        Programs.Run("diff", "-r", "--exclude", ".keys", RepoFixture.PathOf("t0"), _folder / "next/x");
    }

    [Theory]
    [InlineData("echo x >> \"$OBJECT\"", "its sha256 is ")]
    [InlineData("rm \"$OBJECT\"", ": open: neither the store nor command:")]
    [InlineData("touch \"$KEPT/../broken\"", ": exit status 7: it is broken")]
    [InlineData("chmod g+w \"$STORE\"/on-demand/*", "another user can write it, so the storage that it names is not asked")]
    [InlineData("sed -i 1d \"$STORE\"/on-demand/*", "does not say which storage it is")]
    public void Nothing_is_kept_that_is_not_right(string damage, string expected)
    {
        Fetch("t0");
        string digest = Packages("t0")[0], kept = _storage.PathOf(digest);
        File.Copy(kept, _folder / "copy");
        Programs.Shell($"cp -a {_store.Path}/on-demand {_folder / "before"}; chmod -R u+w {_storage.Kept}; export KEPT={_storage.Kept} STORE={_store.Path} OBJECT={kept}; {damage}");
        Tools.Result result = Export("bad");
        Assert.Equal((2, ""), (result.Status, result.Out));
        Assert.Contains(expected, Assert.Single(result.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder / "bad"));
        Assert.False(File.Exists(_store.ObjectPath(digest)));

        Programs.Shell($"rm -rf {_store.Path}/on-demand; mv {_folder / "before"} {_store.Path}/on-demand; cp {_folder / "copy"} {kept}; rm -f {_storage.Kept}/../broken");
        _store.Run("verify").AssertSucceeded();
        Export("good").AssertSucceeded();
        AssertWaiting(0);
    }

    [Fact]
    public void What_a_storage_says_of_other_checksums_is_not_believed()
    {
        string id = Fetch("t2");
        // It takes one package for another one.
        string file = Path.Combine(_store.Path, "on-demand", id);
        string[] lines = File.ReadAllLines(file);
        (string one, string other) = (lines[1][^64..], lines[2][^64..]);
        File.WriteAllLines(file, [lines[0], lines[1].Replace(one, other, StringComparison.Ordinal), .. lines[2..]]);
        foreach (string name in (string[])["first", "second"])
        {
            Tools.Result result = Export(name);
            Assert.Equal((2, ""), (result.Status, result.Out));
            Assert.False(Directory.Exists(_folder / name));
        }
        File.WriteAllLines(file, lines);
        Export("good").AssertSucceeded();
        Programs.Run("diff", "-r", RepoFixture.PathOf("t2"), _folder / "good/x");

        // Without a word of which objects they are, there is nothing to bring.
        Programs.Shell($"rm {_storage.Kept}/snapshots/*.aliases");
        using StoreFixture third = new();
        Tools.Result refused = third.Run("fetch", id, "--storage", _storage.Text, "--on-demand");
        Assert.Equal(2, refused.Status);
        Assert.Contains($"snapshots/{id}.aliases: it does not say which object is sha512:", refused.FirstErrorLine, StringComparison.Ordinal);
        Assert.Empty(third.Lines("list"));
    }

    [Fact]
    public void What_a_killed_fetch_left_is_collected()
    {
        string id = Fetch("t0");
        string kept = Path.Join(_store.Path, "on-demand", id), left = Path.Join(_store.Path, "on-demand", new string('a', 64));
        File.Copy(kept, left);
        _store.Run("gc", "--keep-last", "1").AssertSucceeded();
        Assert.True(File.Exists(left), "it is too young to go");
        _store.Run("gc", "--keep-last", "1", "--grace", "0s").AssertSucceeded();
        Assert.False(File.Exists(left));
        Assert.True(File.Exists(kept));
    }

    [Fact]
    public void All_that_a_whole_snapshot_is_good_for_this_one_is_good_for()
    {
        string id = Fetch("t0");
        int count = Packages("t0").Length;
        // What a view is does not depend on what is here.
        File.WriteAllText(_folder / "policy.json", """{ "deny": ["cherry"] }""");
        string[] ids = [.. new[] { _origin, _store }.Select(store => store.Lines("view", "x", "--policy", _folder / "policy.json", "--tag", "view")[0].GetProperty("snapshot").GetString()!)];
        Assert.Equal(ids[0], ids[1]);
        Assert.Empty(_storage.Gets);
        _store.Run("untag", "view").AssertSucceeded();
        _store.Run("gc", "--keep-tag", "x", "--keep-last", "0", "--grace", "0s").AssertSucceeded();
        AssertWaiting(count);
        _store.Run("rebuild").AssertSucceeded();
        AssertWaiting(count);

        // To another store and another storage.
        using StoreFixture other = new();
        Tools.Run("rpm-repo-snapshot", "import", "--store", other.Path, _store.Path, "x", "--tag", "x").AssertSucceeded();
        other.AssertClean();
        Assert.Equal(count, _storage.Gets.Length);
        AssertWaiting(0);

        // A sync has what it needs from its repository, and a whole fetch brings all.
        using StoreFixture again = new();
        again.Run("fetch", id, "--storage", _storage.Text, "--on-demand").AssertSucceeded();
        again.Run("push", id, "--storage", _folder / "elsewhere").AssertSucceeded();
        Assert.Equal(2 * count + RepoFixture.Metadata + 1, _storage.Gets.Length);
        using StoreFixture third = new();
        third.Run("fetch", id, "--storage", _storage.Kept, "--on-demand").AssertSucceeded();
        Assert.Equal(count, third.Lines("fetch", id, "--storage", _folder / "elsewhere")[0].GetProperty("moved").GetInt32());
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(third.Path, "on-demand")));
        third.AssertClean();
    }
}
