using System.Text.RegularExpressions;
using Layerbox.Cmd.Rpms;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>repos.json is as its documentation says.</summary>
public class ReposFileTests
{
    private static readonly string s_documentation = File.ReadAllText(Repository.PathOf("docs", "rpm.md"));

    [Fact]
    public void The_documented_example_is_read()
    {
        using TempFolder folder = new();
        Directory.CreateDirectory(folder / "keys");
        foreach (string key in (string[])["RPM-GPG-KEY-fedora-43", "internal.asc"])
            File.WriteAllText(folder / $"keys/{key}", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n");
        File.WriteAllText(folder / "password", "secret\n");
        File.WriteAllText(folder / "repos.json", Regex.Match(s_documentation, "```json\n(\\{\n  \"repos\".*?)```", RegexOptions.Singleline).Groups[1].Value.Replace("/etc/layerbox/rpm.password", "password", StringComparison.Ordinal));
        List<RepoRequest> repos = ReposFile.Read(folder / "repos.json");
        Assert.Equal(["base", "internal"], repos.Select(repo => repo.Name));
        Assert.Equal(("fedora-43", "https://mirrors.example.org/metalink?repo=fedora-43&arch=x86_64"), (repos[0].Universe, repos[0].Metalink!.ToString()));
        Assert.Equal([".treeinfo"], repos[0].ExtraFiles);
        Assert.Equal(["https://rpm.example.org/internal/", "https://rpm2.example.org/internal/"], repos[1].Mirrors.Select(url => url.ToString()));
        Assert.Equal(("builder", "secret"), (repos[1].Connection.Credentials!.User, repos[1].Connection.Credentials!.Password));
        Assert.Equal((true, "4AB0193DA1D2B0F303EAE5DAC17E75CCEDCE085D", 3), (repos[1].ChecksSignature, repos[1].Fingerprints.Single(), repos[1].Keys.Single().Packets.Length));
        Assert.Equal(folder / "keys/ca.pem", repos[1].Connection.CaFile);
    }

    [Fact]
    public void Every_member_is_documented()
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "repos.json", "{\"repos\": [{\"name\": \"x\", \"baseurl\": [\"file:///x\"], \"\": 1}]}");
        string message = Assert.ThrowsAny<IOException>(() => ReposFile.Read(folder / "repos.json")).Message;
        Assert.All(message.Split("known are ")[1].Split(", "), member => Assert.Matches($"\n\\|[^|\n]*`{member}`", s_documentation));
    }

    [Theory]
    [InlineData(54, null)]
    [InlineData(55, "members 'name' and 'universe': together at most 254 characters, not 255")]
    public void Names_are_no_longer_than_the_store_can_keep_them(int length, string? reason)
    {
        using StoreFixture store = new();
        using TempFolder folder = new();
        File.WriteAllText(folder / "repos.json", $$"""{"repos": [{"name": "{{new string('n', 200)}}", "universe": "{{new string('u', length)}}", "baseurl": ["file://{{RepoFixture.PathOf("t0")}}"]}]}""");
        Tools.Result first = store.Run("sync", "--config", folder / "repos.json");
        if (reason is null)
        {
            // What is remembered of it is written anew, too.
            File.WriteAllText(folder / "repos.json", File.ReadAllText(folder / "repos.json").Replace("/t0", "/t1", StringComparison.Ordinal));
            Assert.Equal((0, ""), (first.Status, first.Err));
            Assert.Equal(0, store.Run("sync", "--config", folder / "repos.json").Status);
            Assert.Single(Directory.EnumerateFileSystemEntries(Path.Combine(store.Path, "refs/last")));
        }
        else
            Assert.Equal((2, $"rpm-repo-snapshot: {folder / "repos.json"}: repos[0]: {reason}\n"), (first.Status, first.Err));
    }
}
