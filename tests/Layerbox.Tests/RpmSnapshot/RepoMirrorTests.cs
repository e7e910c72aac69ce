using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Layerbox.Rpm;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Mirrors, lists of them, and metalinks: the first mirror that will do is taken, and those that would not do are said.</summary>
public class RepoMirrorTests
{
    private const string Torn = "truncate -s -30 repodata/repomd.xml";

    [Fact]
    public void Two_of_three_mirrors_may_be_bad()
    {
        using ConfiguredRepos repos = new();
        repos.Add("good", "t0");
        repos.Add("torn", "t0", Torn);
        repos.Write("list", "# mirrors\n\nURL/none/\nURL/torn/\nURL/good/\n".Replace("URL", repos.Url, StringComparison.Ordinal));
        foreach (string members in (string[])["\"baseurl\": [\"URL/none\", \"URL/torn\", \"URL/good\"]", "\"mirrorlist\": \"URL/list\"", "\"baseurl\": [\"URL/none\"], \"mirrorlist\": \"URL/list\""])
        {
            JsonElement repo = repos.Sync(members);
            Assert.StartsWith($"{repos.Url}/good", repo.GetProperty("url").GetString(), StringComparison.Ordinal);
            Assert.Contains(Notes(repo), note => note.Contains("/none/repodata/repomd.xml: the server says 404", StringComparison.Ordinal));
            Assert.Contains(Notes(repo), note => note.Contains("/torn/repodata/repomd.xml: xml: line", StringComparison.Ordinal));
        }
        Assert.Single(repos.Store.Lines("list"));
        repos.Store.AssertClean();
    }

    [Fact]
    public void A_mirror_that_may_not_have_a_file_elsewhere_is_told_like_one_that_lacks_it()
    {
        using ConfiguredRepos repos = new();
        repos.Add("spread", "t0", $"createrepo_c --quiet --baseurl {repos.Url}/none/ .");
        Tools.Result result = repos.Run($$"""{ "name": "x", "baseurl": ["URL/spread", "file://{{repos.PathOf("spread")}}"] }""");
        Assert.Equal(1, result.Status);
        Assert.Matches($": apple-1-1.noarch: {repos.Url}/none/apple-1-1.noarch.rpm: the server says 404.*; file://.*/spread: the location '.*' is on a server, and the repository is a directory\n", result.Err);
    }

    [Theory]
    [InlineData("http://h/\u00e4/b?\u20ac", "http://h/%C3%A4/b?%E2%82%AC")]
    [InlineData("http://h/%C3%A4", "http://h/%C3%A4")]
    public void Requests_are_of_ASCII_alone(string url, string expected) => Assert.Equal(expected, RepoUrl.Parse(url).ToString());

    [Fact]
    public void A_query_is_no_part_of_the_folder()
    {
        RepoUrl url = RepoUrl.Parse("http://h/a/b?t=x/y");
        Assert.Equal("http://h/a/b/c.rpm?t=x/y", url.Below("c.rpm").ToString());
        Assert.Equal("http://h/a/c.rpm?t=x/y", url.Locate(RepoLocation.Parse("../c.rpm")).ToString());
        Assert.Equal("http://h/a/c", url.Redirect("c").ToString());
        Assert.Equal("file:///a?b/c", RepoUrl.Parse("file:///a?b").Below("c").ToString());
    }

    [Fact]
    public void Bytes_of_a_redirect_stay_what_they_are() => Assert.Equal("http://h/%C3%A4", RepoUrl.Parse("http://h/x").Redirect("/\u00c3\u00a4").ToString());

    [Theory]
    [InlineData("", "it names no mirror")]
    [InlineData("# nothing\n\n", "it names no mirror")]
    [InlineData("ftp://example.org/\n", "passed over: 'ftp://example.org/'")]
    [InlineData("file:///etc/\n", "passed over: 'file:///etc/' is not of http")]
    [InlineData("<html>error</html>\n", "passed over: ")]
    public void Lists_without_a_mirror_are_told(string list, string expected)
    {
        using ConfiguredRepos repos = new();
        repos.Add("good", "t0");
        repos.Write("list", list);
        string refusal = repos.Refusal("\"mirrorlist\": \"URL/list\""), told = $"mirror list {repos.Url}/list: {expected}";
        Assert.Contains(told, refusal, StringComparison.Ordinal);
        Assert.Equal(refusal.IndexOf(told, StringComparison.Ordinal), refusal.LastIndexOf(told, StringComparison.Ordinal));
        // A base URL beside the list is enough.
        Assert.Contains(Notes(repos.Sync("\"baseurl\": [\"URL/good\"], \"mirrorlist\": \"URL/list\"")), note => note.Contains(expected, StringComparison.Ordinal));
        Assert.Contains(Notes(repos.Sync("\"baseurl\": [\"URL/good\"], \"mirrorlist\": \"URL/nowhere\"")), note => note.Contains("the server says 404", StringComparison.Ordinal));
    }

    [Fact]
    public void A_metalink_vouches_for_one_of_several_versions()
    {
        using ConfiguredRepos repos = new();
        repos.Add("new", "t1");
        repos.Add("old", "t0");
        repos.Add("other", "t2");
        repos.Write("both", Metalink(["new/"], "t1", "t0"));
        // The mirror with the highest preference has it.
        Assert.DoesNotContain(Notes(repos.Sync("\"metalink\": \"URL/both\"")), note => note.Contains("older versions", StringComparison.Ordinal));
        // A mirror that is behind, with a version that is still good.
        repos.Write("behind", Metalink(["old/"], "t1", "t2", "t0"));
        JsonElement behind = repos.Sync("\"metalink\": \"URL/behind\"", "--allow-older");
        Assert.Contains(Notes(behind), note => note.EndsWith("/old/: is number 2 of the metalink's older versions", StringComparison.Ordinal));
        // Mirrors with something else are passed over, whatever their preference.
        repos.Write("mixed", Metalink(["other/", "new/"], "t1", "t0"));
        JsonElement mixed = repos.Sync("\"metalink\": \"URL/mixed\"");
        Assert.Equal($"{repos.Url}/new/", mixed.GetProperty("url").GetString());
        Assert.Contains(Notes(mixed), note => note.EndsWith("/other/repodata/repomd.xml: is none of the 2 that the metalink vouches for", StringComparison.Ordinal));
        repos.Write("none", Metalink(["other/"], "t1", "t0"));
        Assert.Contains("is none of the 2 that the metalink vouches for", repos.Refusal("\"metalink\": \"URL/none\""), StringComparison.Ordinal);

        string Metalink(string[] mirrors, params string[] versions) => $"""
            <?xml version="1.0" encoding="utf-8"?>
            <metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager" type="dynamic" generator="mirrormanager">
             <files><file name="repomd.xml">{Version(versions[0])}
              <mm0:alternates>{string.Concat(versions[1..].Select(version => $"<mm0:alternate>{Version(version)}</mm0:alternate>"))}</mm0:alternates>
              <resources maxconnections="1">
               <url protocol="rsync" type="rsync" location="DE" preference="100">rsync://example.org/x/repodata/repomd.xml</url>
               {string.Concat(mirrors.Select((mirror, i) => (i, $"<url protocol=\"http\" type=\"http\" location=\"DE\" preference=\"{90 - i}\">{repos.Url}/{mirror}repodata/repomd.xml</url>\n")).OrderByDescending(url => url.i).Select(url => url.Item2))}
              </resources>
             </file></files>
            </metalink>
            """;
    }

    [Theory]
    [InlineData("<metalink><files><file name='other'/></files></metalink>", "it names no file 'repomd.xml'")]
    [InlineData("<metalink><files><file name='repomd.xml'></files></metalink>", "not well-formed")]
    [InlineData("<!DOCTYPE x [<!ENTITY a 'b'>]><metalink/>", "document type (DTD)")]
    [InlineData("<html/>", "the document is a 'html'")]
    [InlineData("<metalink><files><file name='repomd.xml'><verification><hash type='sha256'>00</hash></verification></file></files></metalink>", "is no checksum of type sha256")]
    [InlineData("<metalink><files><file name='repomd.xml'><resources><url>http://127.0.0.1:9/x</url></resources></file></files></metalink>", "does not end in repodata/repomd.xml")]
    public void Bad_metalinks_are_told(string metalink, string expected)
    {
        using ConfiguredRepos repos = new();
        repos.Add("good", "t0");
        repos.Write("metalink", metalink);
        Assert.Contains(expected, repos.Refusal("\"metalink\": \"URL/metalink\""), StringComparison.Ordinal);
        // Without what the metalink vouches for, a mirror that is known is not enough.
        Assert.Contains("metalink", repos.Refusal("\"baseurl\": [\"URL/good\"], \"metalink\": \"URL/nowhere\""), StringComparison.Ordinal);
    }

    [Fact]
    public void A_mirror_that_is_behind_is_passed_over()
    {
        using ConfiguredRepos repos = new();
        repos.Add("now", "t1", Timestamps("1700000000.75"));
        repos.Add("behind", "t0", Timestamps("1700000000.5"));
        repos.Add("timeless", "t0", "sed -i '/<timestamp>/d; s/<revision>.*<\\/revision>/<revision\\/>/' repodata/repomd.xml");
        repos.Sync("\"baseurl\": [\"URL/now\"]");
        JsonElement repo = repos.Sync("\"baseurl\": [\"URL/behind\", \"URL/now\"]");
        Assert.Equal($"{repos.Url}/now", repo.GetProperty("url").GetString());
        Assert.Contains(Notes(repo), note => note.Contains("/behind/repodata/repomd.xml: stale: its newest file is of 2023-11-14T22:13:20.5Z, we have had 2023-11-14T22:13:20.75Z", StringComparison.Ordinal));
        Assert.Contains("stale: ", repos.Refusal("\"baseurl\": [\"URL/behind\"]"), StringComparison.Ordinal);
        // On purpose; and then the older one is what later ones are compared with.
        repos.Sync("\"baseurl\": [\"URL/behind\"]", "--allow-older");
        repos.Sync("\"baseurl\": [\"URL/behind\"]");
        repos.Sync("\"baseurl\": [\"URL/now\"]");
        // Another repository and another universe are others.
        repos.Sync("\"baseurl\": [\"URL/behind\"], \"universe\": \"u\"");
        // What has no timestamps cannot be told to be older.
        Assert.False(repos.Sync("\"baseurl\": [\"URL/timeless\"]").TryGetProperty("notes", out _));
        repos.Store.AssertClean();
    }

    [Fact]
    public void Our_own_clock_does_not_matter()
    {
        using ConfiguredRepos repos = new();
        repos.Add("now", "t1", Timestamps("1700000001"));
        repos.Add("behind", "t0", Timestamps("1700000000"));
        repos.Sync("\"baseurl\": [\"URL/behind\"]");
        repos.Sync("\"baseurl\": [\"URL/now\"]");
        // As if the clock had been put back by a day before the second.
        Programs.Shell($"cd {repos.Store.Path}/snapshots && touch -d '1 day ago' $(ls -t | head -1)");
        Assert.Contains("stale: ", repos.Refusal("\"baseurl\": [\"URL/behind\"]"), StringComparison.Ordinal);
        // Where nothing is remembered nothing is refused.
        Directory.Delete(Path.Combine(repos.Store.Path, "refs", "last"), recursive: true);
        repos.Sync("\"baseurl\": [\"URL/behind\"]");
    }

    private static string Timestamps(string time) => $"sed -i 's/<timestamp>[^<]*/<timestamp>{time}/' repodata/repomd.xml";

    private static string Version(string repo)
    {
        byte[] repomd = File.ReadAllBytes(Path.Combine(RepoFixture.PathOf(repo), "repodata/repomd.xml"));
        return string.Create(CultureInfo.InvariantCulture, $"<mm0:timestamp xmlns:mm0='x'>1700000000</mm0:timestamp><size>{repomd.Length}</size><verification><hash type=\"md5\">{Convert.ToHexStringLower(CryptographicOperations.HashData(HashAlgorithmName.MD5, repomd))}</hash>")
            + $"<hash type=\"sha256\">{Convert.ToHexStringLower(SHA256.HashData(repomd))}</hash><hash type=\"blake3\">what is that</hash></verification>";
    }

    private static List<string> Notes(JsonElement repo) => repo.TryGetProperty("notes", out JsonElement notes) ? [.. notes.EnumerateArray().Select(note => note.GetString()!)] : [];
}
