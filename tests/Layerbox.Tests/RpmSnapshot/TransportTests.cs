using System.Diagnostics;
using System.Globalization;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>What is tried again, from where, and what is kept of it.</summary>
public class TransportTests
{
    private const string Apple = "apple-1-1.noarch.rpm";
    private static readonly ConnectionSettings s_plain = new();

    [Theory]
    [InlineData("", "stall", "nothing came for 6 seconds")]
    [InlineData("half", "stall", "nothing came for 6 seconds")]
    [InlineData("half", "reset", "the server broke the connection")]
    [InlineData("half", "close", "the connection ended after ")]
    [InlineData("", "close", "the server closed the connection")]
    [InlineData("HTTP/1.1 500 Oops\r\n\r\n", "close", "the server says 500 Oops")]
    [InlineData("HTTP/1.1 429 Slow\r\nRetry-After: 1\r\n\r\n", "close", "the server says 429 Slow")]
    [InlineData("HTTP/1.1 404 Gone\r\n\r\n", "close", "the server says 404 Gone")]
    [InlineData("HTTP/1.1 401 Who\r\n\r\n", "close", "the server says 401 Who")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>no</html>", "close", "has 15 bytes, which should be ")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n<html>no</html>", "close", "has 15 bytes, which should be ")]
    [InlineData("HTTP/1.1 206 Part\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nabcde", "close", "the server says 206 Part")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nx", "close", "Content-Encoding 'br' was not asked for")]
    [InlineData("HTTP/1.1 302 Found\r\n\r\n", "close", "the server says 302 Found")]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: http://a b/\r\n\r\n", "close", "redirected: ")]
    public void What_goes_wrong_is_told_and_the_next_run_heals(string answer, string end, string expected)
    {
        bool isBad = true;
        using TransportFixture fixture = new();
        if (end == "stall")
            fixture.Transport = new Transport { Patience = TimeSpan.FromSeconds(6), Retries = 0 };
        using FaultyServer server = new(request => !isBad || !request.Path.EndsWith(Apple, StringComparison.Ordinal) ? null
            : answer == "half" ? FaultyServer.Whole(FaultyServer.File(request.Path))[..^3000] : System.Text.Encoding.ASCII.GetBytes(answer))
        {
            Stalls = end == "stall",
            Resets = end == "reset",
        };
        Assert.StartsWith($"{server.Url}/t0/{Apple}: ", fixture.AssertFails(s_plain, $"{server.Url}/t0", expected), StringComparison.Ordinal);
        Assert.Empty(fixture.Store.Lines("list"));
        isBad = false;
        fixture.Transport = new Transport();
        RepoResult healed = fixture.Sync(s_plain, $"{server.Url}/t0");
        Assert.Equal(1, healed.Fetched);
    }

    [Fact]
    public void A_part_is_gone_on_with()
    {
        byte[] big = File.ReadAllBytes(Path.Combine(TransportFixture.BigRepo, TransportFixture.BigPackage));
        using TransportFixture fixture = new();
        using FaultyServer server = new(request => request.Path.EndsWith(".rpm", StringComparison.Ordinal) && request.Before == 0
            ? FaultyServer.Answer($"200 OK\r\nETag: \"one\"\r\nContent-Length: {big.Length}", big[..700_000]) : null)
        { Root = TransportFixture.BigRepo, ETag = "\"one\"" };
        RepoResult result = fixture.Sync(s_plain, server.Url);
        Assert.Equal(700_000, Package(server).From);
        Assert.Equal("\"one\"", Package(server).Header("If-Range"));
        Assert.Equal("", Programs.Shell($"getfattr -R -d -m - '{fixture.Store.Path}' 2>/dev/null"));
        // No byte came twice.
        Assert.Equal(Sizes(TransportFixture.BigRepo), result.FetchedBytes);
    }

    [Theory]
    [InlineData("ignores")]
    [InlineData("changed")]
    [InlineData("other part")]
    [InlineData("416")]
    public void A_part_that_is_of_no_use_is_fetched_again(string how)
    {
        byte[] big = File.ReadAllBytes(Path.Combine(TransportFixture.BigRepo, TransportFixture.BigPackage));
        using TransportFixture fixture = new();
        using FaultyServer server = new(request =>
            !request.Path.EndsWith(".rpm", StringComparison.Ordinal) ? null
            : request.Before == 0 ? FaultyServer.Answer($"200 OK\r\nETag: \"one\"\r\nContent-Length: {big.Length}", big[..700_000])
            : request.From is null ? null
            : how switch
            {
                "ignores" => FaultyServer.Whole(big),
                "other part" => FaultyServer.Answer($"206 Part\r\nContent-Range: bytes 5-{big.Length - 1}/{big.Length}\r\nContent-Length: {big.Length - 5}", big[5..]),
                "416" => FaultyServer.Answer($"416 No\r\nContent-Length: 0\r\nContent-Range: bytes */{big.Length}", []),
                _ => null,
            })
        { Root = TransportFixture.BigRepo, ETag = how == "changed" ? "\"two\"" : "\"one\"" };
        fixture.Sync(s_plain, server.Url);
        Assert.InRange(server.Asked.Count(request => request.Path.EndsWith(".rpm", StringComparison.Ordinal)), 2, 3);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_another_run_left_is_gone_on_with(bool isSpoiled)
    {
        bool isBad = true;
        byte[] apple = FaultyServer.File($"t0/{Apple}");
        using TransportFixture fixture = new() { Transport = new Transport { Patience = TimeSpan.FromSeconds(20), Retries = 0 } };
        using FaultyServer server = new(request => isBad && request.Path.EndsWith(Apple, StringComparison.Ordinal) ? FaultyServer.Whole(apple)[..^1000] : null);
        fixture.AssertFails(s_plain, $"{server.Url}/t0", $"the connection ended after {apple.Length - 1000} of {apple.Length} bytes");
        string part = Assert.Single(Directory.GetFiles(Path.Combine(fixture.Store.Path, "tmp")));
        if (isSpoiled)
            Programs.Shell($"printf x | dd of='{part}' bs=1 seek=100 conv=notrunc status=none");
        isBad = false;
        RepoResult result = fixture.Sync(s_plain, $"{server.Url}/t0");
        Assert.Equal(isSpoiled ? 1000 + apple.Length : 1000, result.FetchedBytes);
        Assert.Empty(Directory.GetFiles(Path.Combine(fixture.Store.Path, "tmp")));
    }

    [Fact]
    public void A_killed_sync_is_gone_on_with()
    {
        const int Came = 1_100_000;
        string executable = Published.OrSkip();
        byte[] big = File.ReadAllBytes(Path.Combine(TransportFixture.BigRepo, TransportFixture.BigPackage));
        using TransportFixture fixture = new();
        using FaultyServer server = new(request => request.Path.EndsWith(".rpm", StringComparison.Ordinal) && request.Before == 0
            ? FaultyServer.Answer($"200 OK\r\nETag: \"one\"\r\nContent-Length: {big.Length}", big[..Came]) : null)
        { Root = TransportFixture.BigRepo, ETag = "\"one\"", Stalls = true };
        using (Process sync = Process.Start(new ProcessStartInfo(executable, ["rpm-repo-snapshot", "sync", "--store", fixture.Store.Path, "--repo", $"x={server.Url}"]))!)
        {
            string tmp = Path.Combine(fixture.Store.Path, "tmp");
            while (!Directory.Exists(tmp) || !new DirectoryInfo(tmp).GetFiles("*.part").Any(file => file.Length == Came))
            {
                Assert.False(sync.HasExited);
                Thread.Sleep(10);
            }
            sync.Kill();
            sync.WaitForExit();
        }
        RepoResult result = fixture.Sync(s_plain, server.Url);
        Assert.Equal(big.Length - Came, result.FetchedBytes);
        Assert.Equal(Came, Package(server).From);
        Assert.Equal("\"one\"", Package(server).Header("If-Range"));
    }

    [Theory]
    [InlineData("404 Gone\r\nContent-Length: 0")]
    [InlineData("403 No\r\nContent-Length: 0")]
    [InlineData("503 Later\r\nContent-Length: 0")]
    [InlineData("200 OK\r\nContent-Length: 3\r\n\r\nbad")]
    [InlineData("same length")]
    public void The_next_mirror_has_it(string answer)
    {
        using TransportFixture fixture = new();
        using FaultyServer bad = new((path, _) => !path.EndsWith(".rpm", StringComparison.Ordinal) ? null
            : answer == "same length" ? FaultyServer.Whole([.. FaultyServer.File(path)[..^1], 0]) : FaultyServer.Answer(answer, []));
        using FaultyServer good = new((_, _) => null);
        RepoResult result = fixture.Sync(s_plain, $"{bad.Url}/t0", $"{good.Url}/t0");
        Assert.Equal(4, good.Asked.Count);
        Assert.Equal(10, result.Fetched);
    }

    [Fact]
    public void All_mirrors_are_told_that_have_it_not()
    {
        using TransportFixture fixture = new();
        using FaultyServer one = new((path, _) => path.EndsWith(Apple, StringComparison.Ordinal) ? FaultyServer.Answer("404 Gone", []) : null);
        using FaultyServer other = new((path, _) => path.EndsWith(Apple, StringComparison.Ordinal) ? FaultyServer.Answer("403 No", []) : null);
        RepoFailure failure = Assert.Single(fixture.Try(s_plain, $"{one.Url}/t0", $"{other.Url}/t0").Failures);
        Assert.Equal(("apple-1-1.noarch", $"{one.Url}/t0/{Apple}: the server says 404 Gone; {other.Url}/t0/{Apple}: the server says 403 No"), (failure.What, failure.Reason));
    }

    [Fact]
    public void A_mirror_that_does_not_answer_is_asked_last()
    {
        using TransportFixture fixture = new();
        using FaultyServer gone = new((path, _) => path.Contains("/repodata/", StringComparison.Ordinal) ? null : []);
        using FaultyServer good = new((_, _) => null);
        fixture.Sync(s_plain, $"{gone.Url}/t0", $"{good.Url}/t0");
        Assert.InRange(gone.Asked.Count(request => request.Path.EndsWith(".rpm", StringComparison.Ordinal)), 1, 2); // once for each connection
        Assert.Equal(4, good.Asked.Count);
    }

    [Fact]
    public void A_failure_that_may_pass_is_tried_so_often()
    {
        using TransportFixture fixture = new() { Transport = new Transport { Retries = 2 } };
        using FaultyServer server = new((path, _) => path.EndsWith(Apple, StringComparison.Ordinal) ? FaultyServer.Answer("503 Later", []) : null);
        fixture.AssertFails(s_plain, $"{server.Url}/t0", "the server says 503 Later");
        Assert.Equal(3, server.Asked.Count(request => request.Path.EndsWith(Apple, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_server_is_left_alone_as_long_as_it_asks_for()
    {
        using TransportFixture fixture = new();
        long first = 0;
        TimeSpan waited = TimeSpan.Zero;
        using FaultyServer server = new((path, before) =>
        {
            if (!path.EndsWith(Apple, StringComparison.Ordinal))
                return null;
            if (before > 0)
                waited = Stopwatch.GetElapsedTime(first);
            first = Stopwatch.GetTimestamp();
            return before == 0 ? FaultyServer.Answer("429 Slow\r\nContent-Length: 0\r\nRetry-After: 2", []) : null;
        });
        fixture.Sync(s_plain, $"{server.Url}/t0");
        Assert.True(waited >= TimeSpan.FromSeconds(1.9), $"waited {waited}");
    }

    [Fact]
    public void Pauses_grow_and_have_an_end()
    {
        Assert.Equal([0.5, 1, 2, 4, 8, 16, 32, 60, 60], Enumerable.Range(0, 9).Select(failed => Transport.Pause(failed, TimeSpan.Zero).TotalSeconds));
        Assert.Equal(TimeSpan.FromSeconds(7), Transport.Pause(0, TimeSpan.FromSeconds(7)));
        Assert.Equal(TimeSpan.FromMinutes(1), Transport.Pause(0, TimeSpan.FromDays(1)));
        Assert.Equal(TimeSpan.FromSeconds(0.5), Transport.Pause(0, TimeSpan.FromDays(-1)));
    }

    // As librepo does it: "https://cdn/repo?token" names no folder "repo?token".
    [Theory]
    [InlineData("t0?token=a/b")]
    [InlineData("t0/?token=a/b")]
    public void A_query_of_a_base_url_stands_behind_each_path(string repo)
    {
        using TransportFixture fixture = new();
        using FaultyServer server = new((_, _) => null);
        Assert.Equal(10, fixture.Sync(s_plain, $"{server.Url}/{repo}").Fetched);
        Assert.All(server.Asked, request => Assert.Matches("^/t0/[^?]+[?]token=a/b$", request.Path));
    }

    [Fact]
    public void Connections_to_a_server_are_limited()
    {
        using StoreFixture store = new(isInMemory: true);
        using FaultyServer server = new((_, _) => null);
        // A process of its own: one that it closes here would stay open as long as a program that another thread is just starting has a copy of it.
        Programs.Run(Path.Combine(AppContext.BaseDirectory, "layerbox"), "rpm-repo-snapshot", "sync", "--store", store.Path, "--repo", $"x={server.Url}/t0", "--connections", "6", "--connections-per-host", "1", "--quiet");
        Assert.Equal(1, server.MostConnections);
    }

    [Fact]
    public void Connections_that_wait_for_each_other_do_not_for_ever()
    {
        using TransportFixture fixture = new() { Connections = 6, Transport = new Transport { ConnectionsPerServer = 1 } };
        using FaultyServer one = new((_, _) => null);
        using FaultyServer other = new((path, _) => path.Contains('e', StringComparison.Ordinal) ? FaultyServer.Answer($"302 Moved\r\nContent-Length: 0\r\nLocation: {one.Url}{path}", []) : null);
        fixture.Sync(s_plain, $"{other.Url}/t0");
    }

    [Fact]
    public void Bandwidth_is_limited()
    {
        using TransportFixture fixture = new() { Transport = new Transport { Bandwidth = 20_000 } };
        long start = Stopwatch.GetTimestamp();
        RepoResult result = fixture.Sync(s_plain, $"file://{RepoFixture.PathOf("t0")}");
        double least = (result.FetchedBytes - 8 * 1250.0) / 20_000; // the last portions are not waited for by others
        Assert.True(Stopwatch.GetElapsedTime(start).TotalSeconds >= least, string.Create(CultureInfo.InvariantCulture, $"{result.FetchedBytes} bytes in {Stopwatch.GetElapsedTime(start).TotalSeconds} s"));
    }

    [Fact]
    public void What_did_not_change_is_one_request_and_nothing_written()
    {
        using TransportFixture fixture = new();
        using FaultyServer server = new((_, _) => null) { ETag = "\"7\"" };
        fixture.Sync(s_plain, $"{server.Url}/t0");
        int before = server.Asked.Count;
        string written = Programs.Shell($"find '{fixture.Store.Path}' -type f -printf '%p %T@ %i\\n' | sort");
        RepoResult again = fixture.Sync(s_plain, $"{server.Url}/t0");
        Assert.Equal((1, 0L, 10L), (server.Asked.Count - before, again.Fetched, again.Present));
        Assert.Equal(written, Programs.Shell($"find '{fixture.Store.Path}' -type f -printf '%p %T@ %i\\n' | sort"));
    }

    // nginx names versions by the second and the size, and two repomd.xml often have both in common.
    [Fact]
    public void A_change_is_seen_of_which_the_server_says_that_it_is_none()
    {
        using TransportFixture fixture = new();
        Programs.Shell($"mkdir '{fixture.File("srv")}' && ln -s '{RepoFixture.PathOf("t0")}' '{fixture.File("srv/now")}'");
        using FaultyServer server = new((_, _) => null) { ETag = "\"7\"", Root = fixture.File("srv") };
        string before = fixture.Sync(s_plain, $"{server.Url}/now").Repo!.Repomd;
        Programs.Shell($"ln -sfn '{RepoFixture.PathOf("t1")}' '{fixture.File("srv/now")}'");
        Assert.NotEqual(before, fixture.Sync(s_plain, $"{server.Url}/now").Repo!.Repomd);
    }

    [Fact]
    public void A_large_extra_file_that_did_not_change_is_not_sent_again()
    {
        using TransportFixture fixture = new();
        Programs.Shell($"cp -r '{RepoFixture.PathOf("t0")}' '{fixture.File("srv")}' && head -c 200000 /dev/urandom > '{fixture.File("srv/image")}'");
        using FaultyServer server = new((_, _) => null) { ETag = "\"7\"", Root = fixture.File("srv") };
        for (int i = 0; i < 2; i++)
        {
            using SnapshotStore store = SnapshotStore.OpenForWriting(fixture.Store.Path, create: true);
            RepoResult result = RepoSync.Run(store, new RepoRequest("x", RepoUrl.Parse(server.Url)) { ExtraFiles = ["image"] }, new RepoSyncOptions { Transport = fixture.Transport });
            Assert.Equal(200000, Assert.Single(result.Repo!.Extra).Size);
            store.PutInPlace();
            Assert.Equal(i == 0 ? null : "\"7\"", server.Asked.Last(request => request.Path == "/image").Header("If-None-Match"));
        }
    }

    [Fact]
    public void Servers_that_are_dead_are_not_asked_for_ever()
    {
        using TransportFixture fixture = new() { Transport = new Transport { Retries = 0 } };
        using FaultyServer server = new((path, _) => path.Contains("/repodata/", StringComparison.Ordinal) ? null : FaultyServer.Answer("503 Down", [])) { Root = ManyRepo(fixture) };
        RepoResult result = fixture.Try(s_plain, server.Url);
        Assert.Equal(40, result.Failures.Count);
        Assert.InRange(server.Asked.Count(request => request.Path.EndsWith(".rpm", StringComparison.Ordinal)), 16, 20);
        Assert.Contains(result.Failures, failure => failure.Reason.EndsWith(".rpm: not asked for, as 16 others in a row could not be had", StringComparison.Ordinal));
    }

    /// <summary>Metadata that names 40 packages, which are not there.</summary>
    private static string ManyRepo(TransportFixture fixture)
    {
        string folder = fixture.File("many");
        Programs.Shell($"mkdir '{folder}' && cd '{folder}' && for i in $(seq 40); do cp '{RepoFixture.PathOf("t0")}/{Apple}' $i.rpm; printf %s $i >> $i.rpm; done && createrepo_c --quiet . && rm -- *.rpm");
        return folder;
    }

    private static FaultyServer.Request Package(FaultyServer server) => server.Asked.Last(request => request.Path.EndsWith(".rpm", StringComparison.Ordinal));

    private static long Sizes(string repo) => Directory.GetFiles(repo, "*", SearchOption.AllDirectories).Where(path => !path.EndsWith("repomd.xml", StringComparison.Ordinal)).Sum(path => new FileInfo(path).Length);
}
