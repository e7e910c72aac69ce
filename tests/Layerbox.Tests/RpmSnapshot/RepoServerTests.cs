using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>What the server says to requests of every kind.</summary>
public class RepoServerTests
{
    [Fact]
    public void Every_file_of_the_repository_is_served_as_it_is()
    {
        ServerFixture served = ServerFixture.Shared;
        using Client client = served.Connect();
        string[] files = [.. Directory.GetFiles(Path.Combine(served.Repo, "repodata")).Select(path => $"repodata/{Path.GetFileName(path)}"), .. served.Packages];
        Assert.Equal(1 + RepoFixture.Metadata + 4, files.Length);
        foreach (string snapshot in (string[])["now", served.Server.Snapshots[0].Snapshot.Id])
            foreach (string file in files)
            {
                byte[] expected = File.ReadAllBytes(Path.Combine(served.Repo, file));
                client.Ask($"/{snapshot}/x/{file}");
                Answer answer = client.Read();
                Assert.Equal((file, 200), (file, answer.Status));
                Assert.Equal(expected, answer.Body);
                Assert.Equal($"\"{Convert.ToHexStringLower(SHA256.HashData(expected))}\"", answer.Fields["ETag"]);
                client.Ask($"/{snapshot}/x/{file}", method: "HEAD");
                answer = client.Read(isHead: true);
                Assert.Equal(expected.Length.ToString(CultureInfo.InvariantCulture), answer.Fields["Content-Length"]);
            }
        JsonElement listing = JsonDocument.Parse(served.Get("/").Text).RootElement.GetProperty("snapshots")[0];
        Assert.Equal("/now/x/", listing.GetProperty("repos")[0].GetProperty("path").GetString());
        Assert.Empty(served.Complaints);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200)]
    [InlineData("\r\n\nGET /?query HTTP/1.1\nHost: x\n\n", 200)]
    [InlineData("GET http://x/now/x/repodata/repomd.xml HTTP/1.1\r\nHost: y\r\n\r\n", 200)]
    [InlineData("GET //now/./x/repodata/../repodata//repomd.xml HTTP/1.1\r\nHost: y\r\n\r\n", 200)]
    [InlineData("GET /now/x/plus%2B-1-1.noarch.rpm HTTP/1.1\r\nHost: x\r\n\r\n", 200)]
    [InlineData("GET / HTTP/1.0\r\n\r\n", 200)]
    [InlineData("GET / HTTP/1.1\r\n\r\n", 400)] // no Host
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400)]
    [InlineData("GET /\r\n\r\n", 400)]
    [InlineData("GET / FTP/1.1\r\n\r\n", 400)]
    [InlineData("GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET /\u00e9 HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET /now/x/%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET /now/x/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n", 404)]
    [InlineData("GET /now/x/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404)]
    [InlineData("GET /now/x/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404)]
    [InlineData("GET /now/x/ HTTP/1.1\r\nHost: x\r\n\r\n", 404)]
    [InlineData("GET /now/y/repodata/repomd.xml HTTP/1.1\r\nHost: x\r\n\r\n", 404)]
    [InlineData("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405)]
    [InlineData("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405)]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)]
    public void Requests_get_the_status_that_they_deserve(string request, int expected)
    {
        ServerFixture served = ServerFixture.Shared;
        using Client client = served.Connect();
        client.Send(request);
        Answer answer = client.Read();
        Assert.Equal((request, expected), (request, answer.Status));
        Assert.DoesNotContain("root:", answer.Text, StringComparison.Ordinal);
        // The others go on.
        Assert.Equal(200, served.Get("/").Status);
    }

    [Theory]
    [InlineData("bytes=0-0", 206, 0, 1)]
    [InlineData("bytes=10-", 206, 10, int.MaxValue)]
    [InlineData("bytes=-10", 206, -10, int.MaxValue)]
    [InlineData("bytes=5-99999999999999999999999", 206, 5, int.MaxValue)]
    [InlineData("bytes=-999999999", 206, 0, int.MaxValue)]
    [InlineData("bytes=99999999-", 416, 0, 0)]
    [InlineData("bytes=99999999999999999999999-", 416, 0, 0)]
    [InlineData("bytes=-0", 416, 0, 0)]
    [InlineData("bytes=3-2", 200, 0, int.MaxValue)]
    [InlineData("bytes=0-1,3-4", 200, 0, int.MaxValue)]
    [InlineData("bytes=x-", 200, 0, int.MaxValue)]
    [InlineData("lines=1-2", 200, 0, int.MaxValue)]
    [InlineData("bytes=-", 200, 0, int.MaxValue)]
    public void A_part_is_served_where_there_is_one(string range, int status, int start, int end)
    {
        ServerFixture served = ServerFixture.Shared;
        string file = served.Packages[0];
        byte[] whole = File.ReadAllBytes(Path.Combine(served.Repo, file));
        start = start < 0 ? whole.Length + start : start;
        end = Math.Min(end, whole.Length);
        Answer answer = served.Get($"/now/x/{file}", $"Range: {range}\r\n");
        Assert.Equal(status, answer.Status);
        Assert.Equal(whole[start..end], answer.Body);
        Assert.Equal(status switch { 206 => $"bytes {start}-{end - 1}/{whole.Length}", 416 => $"bytes */{whole.Length}", _ => null }, answer.Fields.GetValueOrDefault("Content-Range"));
        string tag = $"\"{Convert.ToHexStringLower(SHA256.HashData(whole))}\"";
        Assert.Equal(status, served.Get($"/now/x/{file}", $"Range: {range}\r\nIf-Range: {tag}\r\n").Status);
        Assert.Equal(whole, served.Get($"/now/x/{file}", $"Range: {range}\r\nIf-Range: \"else\"\r\n").Body);
        foreach ((string known, int expected) in (ReadOnlySpan<(string, int)>)[(tag, 304), ($"\"x\", W/{tag}", 304), ("*", 304), ("\"x\"", 200), (tag.Trim('"'), 200)])
            Assert.Equal((known, expected), (known, served.Get($"/now/x/{file}", $"If-None-Match: {known}\r\n").Status));
    }

    [Fact]
    public void Requests_may_come_before_their_answers_are_read()
    {
        ServerFixture served = ServerFixture.Shared;
        using Client client = served.Connect();
        string[] wanted = [.. Enumerable.Range(0, 200).Select(i => served.Packages[i % served.Packages.Length])];
        client.Send(string.Concat(wanted.Select(file => $"GET /now/x/{file} HTTP/1.1\r\nHost: x\r\n\r\n")) + "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /unheard HTTP/1.1\r\n");
        foreach (string file in wanted)
            Assert.Equal(File.ReadAllBytes(Path.Combine(served.Repo, file)), client.Read().Body);
        Answer last = client.Read();
        Assert.Equal((404, "close"), (last.Status, last.Fields["Connection"]));
        Assert.True(client.IsAtEnd());
    }

    [Fact]
    public void An_old_client_is_kept_when_it_asks_for_that()
    {
        ServerFixture served = ServerFixture.Shared;
        using Client client = served.Connect();
        client.Send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        Assert.Equal("keep-alive", client.Read().Fields["Connection"]);
        client.Send("GET / HTTP/1.0\r\n\r\n");
        Assert.Equal("close", client.Read().Fields["Connection"]);
        Assert.True(client.IsAtEnd());
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\nX: ", "")]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n", "X: y\r\n")]
    [InlineData("\r\n", "\r\n")]
    public void A_head_has_64_KiB_at_most(string start, string line)
    {
        ServerFixture served = ServerFixture.Shared;
        using Client client = served.Connect();
        string rest = line.Length == 0 ? new string('a', 64 * 1024) : string.Concat(Enumerable.Repeat(line, 64 * 1024 / line.Length));
        client.Send(start + rest + (line == "\r\n" ? "GET / HTTP/1.1\r\nHost: x\r\n\r\n" : "\r\n\r\n"));
        Assert.Equal(431, client.Read().Status);
        Assert.True(client.IsAtEnd());
        using Client other = served.Connect();
        other.Send($"GET / HTTP/1.1\r\nHost: x\r\nX: {new string('a', 60_000)}\r\n\r\n");
        Assert.Equal(200, other.Read().Status);
    }

    [Fact]
    public void A_damaged_object_is_never_sent_and_put_aside()
    {
        using ServerFixture served = new();
        string file = served.Packages[1], digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(served.Repo, file))));
        string path = served.Store.ObjectPath(digest);
        int middle = (int)new FileInfo(path).Length / 2;
        Programs.Shell($"chmod u+w {path} && printf x | dd of={path} bs=1 seek={middle} conv=notrunc status=none");
        Answer answer = served.Get($"/now/x/{file}", "Range: bytes=0-9\r\n");
        Assert.Equal((500, $"the object {digest} is damaged\n"), (answer.Status, answer.Text));
        string complaint = Assert.Single(served.Complaints);
        Assert.Contains($"/{digest}: its sha256 is ", complaint, StringComparison.Ordinal);
        Assert.EndsWith($"; moved to quarantine/{digest}", complaint, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(served.Store.Path, "quarantine", digest)));
        Assert.Equal(503, served.Get($"/now/x/{file}").Status);
        Assert.Equal(200, served.Get($"/now/x/{served.Packages[0]}").Status);
        // It is fetched again, and served without a new start.
        served.Store.Sync($"file://{served.Repo}");
        Assert.Equal(File.ReadAllBytes(Path.Combine(served.Repo, file)), served.Get($"/now/x/{file}").Body);
        // What was good is looked at again when it was touched.
        Programs.Shell($"chmod u+w {path} && printf y | dd of={path} bs=1 seek={middle} conv=notrunc status=none");
        Assert.Equal(500, served.Get($"/now/x/{file}").Status);
    }

    [Fact]
    public void Untagged_and_deleted_it_is_served_on()
    {
        using ServerFixture served = new();
        Assert.Equal(200, served.Get("/now/x/repodata/repomd.xml").Status);
        served.Store.Run("untag", "now").AssertSucceeded();
        File.Delete(Path.Combine(served.Store.Path, "snapshots", $"{served.Server.Snapshots[0].Snapshot.Id}.json"));
        Assert.All(served.Packages, file => Assert.Equal(200, served.Get($"/now/x/{file}").Status));
        string digest = RepoFixture.PackageDigests("t0").First();
        File.Delete(served.Store.ObjectPath(digest));
        // It is open still.
        Assert.Equal(200, served.Get($"/now/x/{served.Packages[0]}").Status);
    }
}
