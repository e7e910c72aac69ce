using System.Text.Json;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Signed repositories, with keys made by gpg for the test.</summary>
public class RepoSignatureTests
{
    private const string Good = "good@x.invalid", Other = "other@x.invalid", Expired = "expired@x.invalid", Signs = "\"repo_gpgcheck\": true, \"gpgkey\": [\"keys.asc\"]";

    private static readonly Lazy<TempFolder> s_keys = new(MakeKeys);

    /// <summary>Keys in a home of their own: two that are good, and one that expired in 2020 and made signatures before.</summary>
    private static TempFolder MakeKeys()
    {
        TempFolder folder = new();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        Programs.Shell($"""
            mkdir -m 700 {folder / "home"} && export GNUPGHOME={folder / "home"}
            gpg --batch --quiet --passphrase '' --quick-generate-key {Good} ed25519 sign never
            gpg --batch --quiet --passphrase '' --quick-generate-key {Other} rsa2048 sign never
            gpg --batch --quiet --no-permission-warning --faked-system-time 20200101T000000 --passphrase '' --quick-generate-key {Expired} ed25519 sign 1d 2>/dev/null
            for key in {Good} {Other} {Expired}; do gpg --quiet --armor --export $key > {folder.Path}/$key.asc; gpg --quiet --export $key > {folder.Path}/$key.gpg; done
            gpgconf --kill all
            """);
        return folder;
    }

    private static string Sign(string key, string file, string more = "") =>
        $"export GNUPGHOME={s_keys.Value / "home"}; gpg --batch --quiet --yes {more} --armor --local-user {key} --output {file}.asc --detach-sign {file} 2>/dev/null; gpgconf --kill all";

    private static string Fingerprint(string key) => Programs.Shell($"GNUPGHOME={s_keys.Value / "home"} gpg --with-colons --fingerprint {key} 2>/dev/null | grep -m1 ^fpr | cut -d: -f10").Trim();

    private static ConfiguredRepos Signed(string key, string more = "", string after = ":", string keys = $"{Good}.asc")
    {
        ConfiguredRepos repos = new();
        repos.Add("r", "t0", $"{Sign(key, "repodata/repomd.xml", more)}; {after}");
        Programs.Shell($"cd {s_keys.Value.Path} && cat {keys} > {repos.Beside("keys.asc")}");
        return repos;
    }

    [Theory]
    [InlineData($"{Good}.asc")]
    [InlineData($"{Good}.gpg")]
    [InlineData($"{Other}.asc {Expired}.asc {Good}.asc")]
    [InlineData($"{Other}.gpg {Good}.gpg")]
    public void A_good_signature_is_good(string keys)
    {
        using ConfiguredRepos repos = Signed(Good, keys: keys);
        JsonElement repo = repos.Sync($"\"baseurl\": [\"URL/r\"], {Signs}, \"gpg_fingerprints\": [\"{Fingerprint(Good).ToLowerInvariant().Insert(4, " ")}\"]");
        Assert.Equal(Fingerprint(Good), repo.GetProperty("signed_by").GetString());
        // The signature and the keys are kept.
        string snapshot = repos.Store.Lines("list")[0].GetProperty("snapshot").GetString()!;
        JsonElement kept = JsonDocument.Parse(File.ReadAllText(Path.Combine(repos.Store.Path, "snapshots", $"{snapshot}.json"))).RootElement.GetProperty("repos")[0];
        Assert.Equal(File.ReadAllBytes(repos.PathOf("r/repodata/repomd.xml.asc")), File.ReadAllBytes(repos.Store.ObjectPath(kept.GetProperty("repomd_signature").GetString()!)));
        Assert.Equal(File.ReadAllBytes(repos.Beside("keys.asc")), File.ReadAllBytes(repos.Store.ObjectPath(kept.GetProperty("keys")[0].GetString()!)));
        repos.Store.AssertClean();
    }

    public static readonly TheoryData<string, string, string, string, string> Bad = new()
    {
        { Good, "", "rm repodata/repomd.xml.asc", "", "its signature cannot be had: " },
        { Other, "", ":", "", "which is none of those in gpgkey" },
        { Expired, "--faked-system-time 20200101T010000", ":", "", "has expired" },
        { Good, "", "echo >> repodata/repomd.xml", "", "the signature is bad" },
        { Good, "", "echo garbage > repodata/repomd.xml.asc", "", "gpgv: " },
        { Good, "", "cp repodata/repomd.xml repodata/repomd.xml.asc", "", "gpgv: " },
        { Good, "", ": > repodata/repomd.xml.asc", "", "gpgv: " },
        { Good, "", ":", ", \"gpg_fingerprints\": [\"0123456789012345678901234567890123456789\"]", "is not among gpg_fingerprints" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void A_bad_signature_is_told(string key, string more, string after, string members, string expected)
    {
        using ConfiguredRepos repos = Signed(key, more, after, $"{Good}.asc {Expired}.asc");
        string refusal = repos.Refusal($"\"baseurl\": [\"URL/r\"], {Signs}{members}");
        Assert.Contains($"{repos.Url}/r/repodata/repomd.xml: ", refusal, StringComparison.Ordinal);
        Assert.Contains(expected, refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mirror_with_a_bad_signature_is_passed_over()
    {
        using ConfiguredRepos repos = Signed(Good);
        repos.Add("forged", "t1", Sign(Other, "repodata/repomd.xml"));
        Assert.Equal($"{repos.Url}/r", repos.Sync($"\"baseurl\": [\"URL/forged\", \"URL/r\"], {Signs}").GetProperty("url").GetString());
    }

    [Fact]
    public void A_repository_that_is_published_between_two_requests_is_asked_again()
    {
        using ConfiguredRepos repos = Signed(Good);
        repos.Add("new", "t1", Sign(Good, "repodata/repomd.xml"));
        bool isNew = false;
        repos.Instead = path =>
        {
            // The signature is already that of the next one.
            isNew |= path.EndsWith(".asc", StringComparison.Ordinal);
            return isNew && path.StartsWith("/r/", StringComparison.Ordinal) ? FaultyServer.Whole(File.ReadAllBytes(repos.PathOf($"new/{path[3..]}"))) : null;
        };
        Assert.Equal("one", repos.Sync($"\"baseurl\": [\"URL/r\"], {Signs}").GetProperty("revision").GetString());
        repos.Store.AssertClean();
    }

    [Fact]
    public void One_good_signature_among_others_is_enough()
    {
        using ConfiguredRepos repos = Signed(Other);
        Programs.Shell($"cd {repos.PathOf("r/repodata")} && mv repomd.xml.asc one && {Sign(Good, "repomd.xml")} && gpg --dearmor < one > both 2>/dev/null && gpg --dearmor < repomd.xml.asc >> both && mv both repomd.xml.asc");
        Assert.Equal(Fingerprint(Good), repos.Sync($"\"baseurl\": [\"URL/r\"], {Signs}").GetProperty("signed_by").GetString());
    }

    [Theory]
    [InlineData("not a key", "holds no OpenPGP public key")]
    [InlineData("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA", "armor is damaged")]
    [InlineData("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n-----END PGP PUBLIC KEY BLOCK-----\n", "armor is damaged")]
    [InlineData(null, "No such file or directory")]
    public void Bad_key_files_are_told(string? content, string expected)
    {
        using ConfiguredRepos repos = new();
        if (content is not null)
            File.WriteAllText(repos.Beside("keys.asc"), content);
        Tools.Result result = repos.Run($"{{\"name\": \"x\", \"baseurl\": [\"URL/r\"], {Signs}}}");
        Assert.Equal(2, result.Status);
        Assert.StartsWith($"rpm-repo-snapshot: {repos.ConfigPath}: repos[0]: member 'gpgkey': {repos.Beside("keys.asc")}: ", result.FirstErrorLine, StringComparison.Ordinal);
        Assert.Contains(expected, result.FirstErrorLine, StringComparison.Ordinal);
        Assert.False(Directory.Exists(repos.Store.Path));
    }
}
