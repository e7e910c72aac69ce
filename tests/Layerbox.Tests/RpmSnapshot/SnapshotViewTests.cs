using System.Text.Json;
using System.Text.RegularExpressions;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Views of a repository made by createrepo_c, as dnf, createrepo_c and the bytes have them.</summary>
public partial class SnapshotViewTests
{
    /// <summary>All packages of t0 and t1, with groups, advisories and databases.</summary>
    private static readonly Lazy<TempFolder> s_many = new(() =>
    {
        TempFolder folder = new();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        File.WriteAllText(folder / "comps.xml", "<comps><group><id>fruit</id><name>Fruit</name><description/><packagelist><packagereq type='mandatory'>apple</packagereq></packagelist></group></comps>");
        File.WriteAllText(folder / "updateinfo.xml", "<updates><update from='x' status='final' type='security' version='1'><id>FRUIT-1</id><title>apple</title><issued date='2026-11-01'/><pkglist><collection short='f'><name>f</name><package name='apple' epoch='0' version='2' release='1' arch='noarch'><filename>apple-2-1.noarch.rpm</filename></package></collection></pkglist></update></updates>");
        Programs.Shell($"cd {folder.Path} && mkdir r && cp {RepoFixture.PathOf("t0")}/*.rpm r && cp {RepoFixture.PathOf("t1")}/*.rpm r && createrepo_c --quiet --revision many --groupfile {folder.Path}/comps.xml --database r && modifyrepo_c updateinfo.xml r/repodata > modifyrepo.log 2>&1");
        return folder;
    });

    private static string Many => s_many.Value / "r";

    [Theory]
    [InlineData("{\"newest\": 1}", "apple-1-1.noarch")]
    [InlineData("{\"deny\": [\"berry\", \"plus+\"], \"pin\": [{\"name\": \"apple\", \"evr\": \"1\"}]}", "apple-2-1.noarch", "berry-1-1.noarch", "plus+-1-1.noarch")]
    [InlineData("{\"allow\": [\"nothing\"]}", "apple-1-1.noarch", "apple-2-1.noarch", "berry-1-1.noarch", "cherry-2-1.noarch", "date-1-1.noarch", "plus+-1-1.noarch")]
    public void Has_what_the_policy_leaves_and_all_else_as_it_was(string policy, params string[] leftOut)
    {
        using StoreFixture store = new();
        using TempFolder folder = new();
        store.Sync($"file://{Many}", "--tag", "many");
        List<JsonElement> lines = View(store, policy, "--explain", "--tag", "view");
        Assert.Equal(leftOut, lines.SkipLast(1).Select(line => line.GetProperty("left_out").GetString()));
        Assert.Equal((6 - leftOut.Length, leftOut.Length, true), (lines[^1].GetProperty("packages").GetInt32(), lines[^1].GetProperty("left_out").GetInt32(), lines[^1].GetProperty("new").GetBoolean()));
        store.AssertClean();
        // The same again, and without a trace of when.
        JsonElement again = View(store, policy)[^1];
        Assert.Equal((lines[^1].GetProperty("snapshot").GetString(), false), (again.GetProperty("snapshot").GetString(), again.GetProperty("new").GetBoolean()));
        // The origin may go: the view has all that it needs.
        store.Run("untag", "many").AssertSucceeded();
        store.Run("gc", "--grace", "0s", "--keep-last", "0").AssertSucceeded();
        Assert.Single(store.Lines("list"));
        store.AssertClean();

        Write(store, "view", folder.Path);
        foreach (string type in (string[])["primary", "filelists", "other"])
            Assert.Equal(Without(Document(Many, type), leftOut), Document(folder.Path, type));
        foreach (string type in (string[])["group", "updateinfo"])
            Assert.Equal(Document(Many, type), Document(folder.Path, type));
        Assert.DoesNotContain("_db", File.ReadAllText(folder / "repodata/repomd.xml"), StringComparison.Ordinal);
        Assert.Equal($"{6 - leftOut.Length}\n", Programs.Run("/usr/bin/python3", "-c", """
            import createrepo_c, sys
            md = createrepo_c.Metadata()
            md.locate_and_load_xml(sys.argv[1])
            print(len(md.keys()))
            """, folder.Path));
        if (leftOut.Length == 3)
            Assert.Equal(RepoQuery(Many), RepoQuery(folder.Path).Concat(leftOut).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Diff_shows_what_was_left_out_and_nothing_else()
    {
        using StoreFixture store = new();
        store.Sync($"file://{Many}", "--tag", "many");
        View(store, "{\"deny\": [\"berry\", {\"name\": \"apple\", \"evr\": \"1\"}]}", "--tag", "view");
        Assert.Equal(["removed apple 1-1", "removed berry 1-1"], store.Lines("diff", "many", "view").Where(line => line.GetProperty("change").GetString() != "metadata")
            .Select(line => $"{line.GetProperty("change").GetString()} {line.GetProperty("name").GetString()} {line.GetProperty("from").GetString()}"));
        string id = store.Lines("list").Single(line => line.TryGetProperty("view_of", out _)).GetProperty("view_of").GetString()!;
        Assert.Equal(0, store.Run("diff", "many", id).Status);
        // A view that leaves nothing out has the repository as it was.
        View(store, "{}", "--tag", "all");
        Assert.Equal(0, store.Run("diff", "many", "all").Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("rm index.sqlite")]
    public void Whose_metadata_is_rewritten_is_told(string damage)
    {
        using StoreFixture store = new();
        store.Run("sync", "--repo", $"x=file://{Many}", "--repo", $"y=file://{RepoFixture.PathOf("outside")}", "--repo", $"z=file://{RepoFixture.PathOf("t0")}", "--tag", "many").AssertSucceeded();
        View(store, "{\"deny\": [{\"name\": \"apple\", \"repo\": \"x\"}, {\"name\": \"apple\", \"repo\": \"y\"}]}", "--tag", "view");
        View(store, "{}", "--tag", "all");
        Programs.Shell($"cd {store.Path} && {(damage.Length == 0 ? ":" : damage)}");
        Assert.Equal(["many y", "view x y", "all y"], Rewritten());
        Assert.Equal(["x -", "y outside", "z -"], Shown("many"));
        Assert.Equal(["x view", "y view outside", "z -"], Shown("view"));
        Assert.Equal(["x -", "y outside", "z -"], Shown("all"));
        using TempFolder folder = new();
        Assert.Equal([true, true, false], store.Lines("export", "view", "--into", folder / "view")[0].GetProperty("repos").EnumerateArray().Select(repo => repo.GetProperty("rewritten").GetBoolean()));
        // Without the origin, too; and what the list cannot know it does not make up.
        store.Run("untag", "many").AssertSucceeded();
        store.Run("untag", "all").AssertSucceeded();
        store.Run("gc", "--grace", "0s", "--keep-last", "0").AssertSucceeded();
        Assert.Equal(["view x y"], Rewritten());
        Programs.Shell($"chmod u+w {store.Path}/objects/sha256/*/* && for f in {store.Path}/objects/sha256/*/*; do echo damaged > $f; done; rm -f {store.Path}/index.sqlite");
        Assert.Equal(["view "], Rewritten());

        List<string> Rewritten() => [.. store.Lines("list").OrderBy(line => Array.IndexOf(["many", "view", "all"], Tag(line))).Select(line => $"{Tag(line)} {(line.TryGetProperty("rewritten", out JsonElement names) ? string.Join(' ', names.EnumerateArray()) : "")}")];
        List<string> Shown(string name) => [.. store.Lines("show", name).Where(line => line.GetProperty("record").GetString() == "repo")
            .Select(line => $"{line.GetProperty("name")} {(line.TryGetProperty("rewritten", out JsonElement reasons) ? string.Join(' ', reasons.EnumerateArray()) : "-")}")];
        static string Tag(JsonElement line) => line.GetProperty("tags")[0].GetString()!;
    }

    [Fact]
    public void There_is_no_view_of_what_cannot_be_had()
    {
        using StoreFixture store = new();
        store.Sync($"file://{Many}", "--tag", "many");
        using TempFolder folder = new();
        File.WriteAllText(folder / "policy.json", "{\"pin\": [{\"name\": \"apple\", \"evr\": \"3\"}], \"groups\": [{\"members\": [\"apple\", \"berry\"]}]}");
        Tools.Result result = store.Run("view", "many", "--policy", folder / "policy.json", "--tag", "view");
        Assert.Equal((1, ""), (result.Status, result.Out));
        Assert.Equal(
            [
                $"rpm-repo-snapshot: {folder.Path}/policy.json: pin apple 3: of apple there is only 2-1, 1-1",
                $"rpm-repo-snapshot: {folder.Path}/policy.json: group apple: no source package has all members: the newest, berry-1-1.src.rpm, lacks apple",
            ],
            result.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        File.WriteAllText(folder / "policy.json", "{\"pins\": []}");
        result = store.Run("view", "many", "--policy", folder / "policy.json");
        Assert.Equal((2, $"rpm-repo-snapshot: {folder.Path}/policy.json: member 'pins' is not known; there are as_of, allow, deny, pin, groups, newest"), (result.Status, result.FirstErrorLine));
        Assert.Single(store.Lines("list"));
        store.AssertClean();
    }

    [Fact]
    public void A_dry_run_explains_and_makes_nothing()
    {
        using StoreFixture store = new();
        store.Sync($"file://{Many}", "--tag", "many");
        string before = Programs.Shell($"cd {store.Path} && find . -type f | sort");
        List<JsonElement> lines = View(store, "{\"newest\": 1}", "--dry-run", "--explain", "--tag", "view");
        Assert.Equal("not the newest", lines[0].GetProperty("reason").GetString());
        Assert.False(lines[^1].TryGetProperty("snapshot", out _));
        Assert.Equal(before, Programs.Shell($"cd {store.Path} && find . -type f | sort"));
    }

    private static List<JsonElement> View(StoreFixture store, string policy, params string[] args)
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "policy.json", policy);
        Tools.Result result = store.Run("view", ["many", "--policy", folder / "policy.json", .. args]).AssertSucceeded();
        return [.. result.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
    }

    /// <summary>The repository as files.</summary>
    private static void Write(StoreFixture store, string snapshot, string folder)
    {
        foreach (JsonElement line in store.Lines("show", snapshot))
        {
            (string location, string digest) = line.GetProperty("record").GetString() switch
            {
                "repo" => ("repodata/repomd.xml", line.GetProperty("repomd").GetString()![7..]),
                "data" => (line.GetProperty("location").GetString()!, line.GetProperty("object").GetString()!),
                "package" => (line.GetProperty("location").GetString()!, line.GetProperty("checksum").GetString()![7..]),
                _ => ("", ""),
            };
            if (location.Length == 0)
                continue;
            string path = Path.Combine(folder, location);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Copy(store.ObjectPath(digest), path);
        }
    }

    /// <summary>A file of metadata, decompressed; repomd.xml's sums of it are right.</summary>
    private static string Document(string repo, string type) => Programs.Run("/usr/bin/python3", "-c", """
        import sys, os, gzip, hashlib, xml.etree.ElementTree as E
        n = {"r": "http://linux.duke.edu/metadata/repo"}
        d = E.parse(sys.argv[1] + "/repodata/repomd.xml").find("r:data[@type='%s']" % sys.argv[2], n)
        b = open(os.path.join(sys.argv[1], d.find("r:location", n).get("href")), "rb").read()
        o = gzip.decompress(b) if b[:2] == b"\x1f\x8b" else b
        assert (hashlib.sha256(b).hexdigest(), str(len(b))) == (d.find("r:checksum", n).text, d.find("r:size", n).text)
        if o != b: assert (hashlib.sha256(o).hexdigest(), str(len(o))) == (d.find("r:open-checksum", n).text, d.find("r:open-size", n).text)
        sys.stdout.buffer.write(o)
        """, repo, type);

    private static string Without(string document, string[] leftOut)
    {
        HashSet<string> digests = [.. leftOut.Select(nevra => Programs.Shell($"sha256sum < {Many}/{nevra}.rpm").Split(' ')[0])];
        MatchCollection packages = Package().Matches(document);
        Assert.Equal(6, packages.Count);
        return packages.Aggregate(document, (text, package) => digests.Any(digest => package.Value.Contains(digest, StringComparison.Ordinal)) ? text.Replace(package.Value, "", StringComparison.Ordinal) : text)
            .Replace("packages=\"6\"", $"packages=\"{6 - leftOut.Length}\"", StringComparison.Ordinal);
    }

    /// <summary>What dnf finds there, with a cache of its own.</summary>
    private static List<string> RepoQuery(string repo)
    {
        using TempFolder folder = new();
        string dnf = $"dnf --quiet --noplugins --releasever=1 --disablerepo='*' --repofrompath=view,file://{repo} --setopt=cachedir={folder.Path}/cache --setopt=logdir={folder.Path} --setopt=persistdir={folder.Path}/state --setopt=reposdir={folder.Path}";
        string found = Programs.Shell($"{dnf} makecache && {dnf} -C repoquery --qf '%{{name}}-%{{evr}}.%{{arch}}'");
        Assert.Contains("Fruit", Programs.Shell($"{dnf} -C group list"), StringComparison.Ordinal);
        return [.. found.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
    }

    [GeneratedRegex("<package[ >].*?</package>\\s*", RegexOptions.Singleline)]
    private static partial Regex Package();
}
