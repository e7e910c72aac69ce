using System.Text;
using System.Text.Json;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Repositories and servers that go wrong: no snapshot, every failure told, the store whole, and the next try heals.</summary>
public class RepoFaultTests
{
    private const string Apple = "apple-1-1.noarch.rpm", Berry = "berry-1-1.noarch.rpm";

    [Theory]
    [InlineData("truncate -s -7 {0}", "bytes, which should be")]
    [InlineData("printf x >> {0}", "bytes, which should be")]
    [InlineData("printf x | dd of={0} bs=1 seek=200 conv=notrunc status=none", "which should be sha256:")]
    [InlineData("rm {0}", "the server says 404")]
    [InlineData("rm {0} && mkdir {0}", "bytes, which should be")]
    public void Every_bad_package_is_told(string damage, string expected)
    {
        using TempFolder folder = new();
        Programs.Shell($"cp -r {RepoFixture.PathOf("t0")} {folder.Path}/r && cd {folder.Path}/r && {string.Format(null, damage, Apple)} && {string.Format(null, damage, Berry)}");
        using PythonServer server = new(folder.Path);
        using StoreFixture store = new();
        Tools.Result result = store.AssertFails($"{server.Url}/r");
        string[] lines = result.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, lines.Length);
        Assert.StartsWith($"rpm-repo-snapshot: x: apple-1-1.noarch: {server.Url}/r/{Apple}", lines[0], StringComparison.Ordinal);
        Assert.StartsWith($"rpm-repo-snapshot: x: berry-1-1.noarch: {server.Url}/r/{Berry}", lines[1], StringComparison.Ordinal);
        Assert.All(lines[..2], line => Assert.Contains(expected, line, StringComparison.Ordinal));
        Programs.Shell($"cd {folder.Path}/r && rm -rf {Apple} && cp {RepoFixture.PathOf("t0")}/{Apple} . && rm -rf {Berry} && cp {RepoFixture.PathOf("t0")}/{Berry} .");
        Assert.Equal(2, store.Sync($"{server.Url}/r").GetProperty("repos")[0].GetProperty("fetched").GetInt32());
        store.AssertClean();
    }

    [Theory]
    [InlineData("truncate -s -7 repodata/*-primary.xml.gz", "metadata 'primary': ")]
    [InlineData("printf x | dd of=$(ls repodata/*-updateinfo* repodata/*-other.xml.gz 2>/dev/null | head -1) bs=1 seek=50 conv=notrunc status=none", "metadata 'other': ")]
    [InlineData("sed -i 's/<revision>/<revision/' repodata/repomd.xml", "not well-formed")]
    [InlineData("sed -i 's/type=\"primary\"/type=\"secondary\"/' repodata/repomd.xml", "names no primary.xml")]
    [InlineData("rm repodata/repomd.xml", "the server says 404")]
    [InlineData("sed -i 's/<open-checksum type=\"sha256\">..../<open-checksum type=\"sha256\">0000/' repodata/repomd.xml", "decompressed it is sha256:")]
    [InlineData("sed -i 's/<open-size>[0-9]*/<open-size>100/' repodata/repomd.xml", "decompressed it has more than 100 bytes")]
    [InlineData("sed -i 's/href=\"repodata/href=\"..\\/r\\/repodata/' repodata/repomd.xml; sed -i 's/href=\"..\\/r/href=\"..\\/..\\/r/' repodata/repomd.xml", "is not inside of the repository")]
    public void Bad_metadata_is_told(string damage, string expected)
    {
        using TempFolder folder = new();
        Programs.Shell($"cp -r {RepoFixture.PathOf("t0")} {folder.Path}/r && cd {folder.Path}/r && {damage}");
        using PythonServer server = new(folder.Path);
        using StoreFixture store = new();
        store.AssertFails($"{server.Url}/r", expected);
    }

    [Fact]
    public void Locations_that_leave_the_repository_are_followed()
    {
        using PythonServer server = new(RepoFixture.Folder);
        using StoreFixture files = new(), web = new();
        JsonElement local = files.Sync($"file://{RepoFixture.PathOf("outside")}"), remote = web.Sync($"{server.Url}/outside");
        Assert.Equal(local.GetProperty("snapshot").GetString(), remote.GetProperty("snapshot").GetString());
        Assert.All(RepoFixture.PackageDigests("t0"), digest => Assert.True(File.Exists(web.ObjectPath(digest))));
        web.AssertClean();
    }

    [Theory]
    [InlineData("http://127.0.0.1:9/r/", "file", "is on a server, and the repository is a directory")]
    [InlineData("ftp://127.0.0.1/r/", "http", "is neither a file: nor an http")]
    [InlineData("file:///etc/", "http", "is no URL of http, https or ftp")]
    public void Nobody_sends_us_where_we_must_not_go(string newBase, string scheme, string expected)
    {
        using TempFolder folder = new();
        Programs.Shell($"cp -r {RepoFixture.PathOf("t0")} {folder.Path}/r && rm -r {folder.Path}/r/repodata && createrepo_c --quiet --baseurl {newBase} {folder.Path}/r");
        using PythonServer server = new(folder.Path);
        using StoreFixture store = new();
        store.AssertFails(scheme == "file" ? $"file://{folder.Path}/r" : $"{server.Url}/r", expected);
    }

    [Fact]
    public void Packages_at_a_url_of_their_own_are_fetched_from_there()
    {
        using TempFolder folder = new();
        using PythonServer packages = new(RepoFixture.Folder), server = new(folder.Path);
        Programs.Shell($"cp -r {RepoFixture.PathOf("t0")} {folder.Path}/r && rm -r {folder.Path}/r/repodata && createrepo_c --quiet --baseurl {packages.Url}/t0/ {folder.Path}/r && rm {folder.Path}/r/*.rpm");
        using StoreFixture store = new();
        store.Sync($"{server.Url}/r");
        Assert.All(RepoFixture.PackageDigests("t0"), digest => Assert.True(File.Exists(store.ObjectPath(digest))));
        store.AssertClean();
    }

    [Theory]
    [InlineData("200 OK\r\nContent-Length: 9999", "has 9999 bytes, which should be")]
    [InlineData("200 OK\r\nContent-Length: x", "Content-Length 'x' is wrong")]
    [InlineData("200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz", "chunks are malformed")]
    [InlineData("200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc", "the connection ended amid the file")]
    [InlineData("200 OK\r\n\r\n<html>error</html>", "bytes, which should be")]
    [InlineData("403 Forbidden", "the server says 403 Forbidden")]
    [InlineData("503 Later", "the server says 503 Later")]
    [InlineData("302 Found\r\nLocation: file:///etc/passwd", "is not of http")]
    [InlineData("302 Found\r\nLocation: https://127.0.0.1:1/", "connection refused")]
    [InlineData("302 Found\r\nLocation: ftp://127.0.0.1/", "neither a file: nor an http:// or https:// URL")]
    [InlineData("302 Found\r\nLocation: /t0/apple-1-1.noarch.rpm", "redirected more than 5 times")]
    [InlineData("not http", "is not HTTP")]
    public void Bad_answers_are_told(string head, string expected)
    {
        using FaultyServer server = new((path, _) => path.EndsWith(Apple, StringComparison.Ordinal) ? FaultyServer.Answer(head, []) : null);
        using StoreFixture store = new();
        store.AssertFails($"{server.Url}/t0", $"apple-1-1.noarch: {server.Url}/t0/{Apple}: ", expected);
    }

    [Theory]
    [InlineData("gz", "gzip -c", "head -c -5", "ends")]
    [InlineData("zst", "zstd -q -c", "head -c -5", "ends")]
    [InlineData("xz", "xz -c", "head -c -5", "ends")]
    [InlineData("bz2", "bzip2 -c", "head -c -5", "ends")]
    [InlineData("gz", "gzip -c", "cat - <(echo trailing)", "")]
    [InlineData("zst", "zstd -q -c", "cat - <(echo trailing)", "")]
    [InlineData("xz", "xz -c", "cat - <(echo trailing)", "")]
    public void Compressed_metadata_that_is_cut_or_goes_on_is_told(string extension, string compress, string damage, string expected)
    {
        using TempFolder folder = new();
        RawRepo.Write(folder / "r", [new RawPackage("p", "a package"u8.ToArray())]);
        string name = $"primary.xml.{extension}", path = folder / $"r/repodata/{name}";
        Programs.Shell($"{compress} '{folder / "r/repodata/primary.xml"}' > '{path}.good' && {damage} < '{path}.good' > '{path}'");
        // Its own checksum is right.
        RawRepo.WritePrimary(folder / "r", File.ReadAllBytes(path), name: name);
        using StoreFixture store = new();
        Tools.Result result = store.AssertFails($"file://{folder.Path}/r", $"{folder.Path}/r/repodata/{name}: ", expected);
        Assert.Equal(2, result.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        RawRepo.WritePrimary(folder / "r", File.ReadAllBytes($"{path}.good"), name: name);
        store.Sync($"file://{folder.Path}/r");
        store.AssertClean();
    }

    [Fact]
    public void Passing_failures_pass()
    {
        using FaultyServer server = new((path, before) => before > 0 ? null
            : path.EndsWith(Apple, StringComparison.Ordinal) ? FaultyServer.Answer("503 Later\r\nContent-Length: 0", [])
            : path.EndsWith(Berry, StringComparison.Ordinal) ? FaultyServer.Whole(FaultyServer.File(path))[..^50]
            : path.EndsWith("repomd.xml", StringComparison.Ordinal) ? []
            : null);
        using StoreFixture store = new();
        store.Sync($"{server.Url}/t0");
        store.AssertClean();
    }

    [Fact]
    public void Chunks_and_redirects_are_followed()
    {
        using FaultyServer server = new((path, _) =>
        {
            if (path.StartsWith("/moved/", StringComparison.Ordinal))
                return FaultyServer.Answer($"301 Moved\r\nContent-Length: 0\r\nLocation: /t0/{path["/moved/".Length..]}", []);
            byte[] file = FaultyServer.File(path);
            int half = file.Length / 2;
            return FaultyServer.Answer("200 OK\r\nTransfer-Encoding: chunked", [.. Encoding.ASCII.GetBytes($"{half:x};x=y\r\n"), .. file[..half], .. Encoding.ASCII.GetBytes($"\r\n{file.Length - half:X}\r\n"), .. file[half..], .. "\r\n0\r\nTrailer: x\r\n\r\n"u8]);
        });
        using StoreFixture store = new();
        store.Sync($"{server.Url}/moved");
        store.AssertClean();
    }

    [Fact]
    public void A_repository_that_changes_meanwhile_is_begun_again()
    {
        // The packages of t0 are gone when they are asked for: it has become t1.
        using FaultyServer server = new((path, before) => path switch
        {
            "/r/repodata/repomd.xml" => FaultyServer.Whole(FaultyServer.File(before == 0 ? "t0/repodata/repomd.xml" : "t1/repodata/repomd.xml")),
            _ when File.Exists(RepoFixture.PathOf($"t1/{path[3..]}")) => FaultyServer.Whole(FaultyServer.File($"t1/{path[3..]}")),
            _ when path.Contains("/repodata/", StringComparison.Ordinal) => FaultyServer.Whole(FaultyServer.File($"t0/{path[3..]}")),
            _ => FaultyServer.Answer("404 Gone", []),
        });
        using StoreFixture store = new(), expected = new();
        Assert.Equal(
            expected.Sync($"file://{RepoFixture.PathOf("t1")}").GetProperty("snapshot").GetString(),
            store.Sync($"{server.Url}/r").GetProperty("snapshot").GetString());
        store.AssertClean();
    }

    [Fact]
    public void A_repository_that_changes_for_ever_is_given_up()
    {
        int asked = 0;
        using FaultyServer server = new((path, before) => path switch
        {
            "/t0/repodata/repomd.xml" => FaultyServer.Whole([.. FaultyServer.File(path), .. Encoding.ASCII.GetBytes($"<!-- {Interlocked.Increment(ref asked)} -->")]),
            _ when path.EndsWith(Apple, StringComparison.Ordinal) => FaultyServer.Answer("404 Gone", []),
            _ => null,
        });
        using StoreFixture store = new();
        store.AssertFails($"{server.Url}/t0", "the server says 404");
        Assert.InRange(asked, 3, 6);
    }
}
