using System.Security.Cryptography;
using System.Text.Json;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>A repository through time costs what is new in it, and nothing else.</summary>
public class RepoTimelineTests
{
    [Fact]
    public void Each_point_in_time_costs_what_is_new_in_it()
    {
        using TempFolder folder = new();
        // t2: t1 with advisories; t3: the same with other checksums and other compression.
        Programs.Shell($"""
            cd {folder.Path} && cp -r {RepoFixture.PathOf("t0")} t0 && cp -r {RepoFixture.PathOf("t1")} t1 && cp -r t1 t2
            cat > updateinfo.xml <<E
            <updates><update from="x@x.invalid" status="final" type="security" version="1"><id>CORPUS-2</id><title>dates are sweet</title><severity>Important</severity><pkglist/></update>
            <update from="x@x.invalid" status="final" type="bugfix" version="1"><id>CORPUS-1</id><title/></update></updates>
            E
            modifyrepo_c --mdtype=updateinfo updateinfo.xml t2/repodata >/dev/null && cp -r t2 t3 && rm -r t3/repodata
            createrepo_c --quiet --checksum sha512 --general-compress-type xz t3 && modifyrepo_c --checksum sha512 --mdtype=updateinfo updateinfo.xml t3/repodata >/dev/null
            """);
        using PythonServer server = new(folder.Path);
        using StoreFixture store = new();
        Dictionary<string, long> known = [];
        foreach (string time in (string[])["t0", "t1", "t2", "t3"])
        {
            long bytes = 0;
            int files = 0;
            foreach (string file in Directory.EnumerateFiles(folder / time, "*", SearchOption.AllDirectories))
            {
                byte[] content = File.ReadAllBytes(file);
                if (known.TryAdd(Convert.ToHexStringLower(SHA256.HashData(content)), content.Length) && Path.GetFileName(file) != "repomd.xml")
                    (bytes, files) = (bytes + content.Length, files + 1);
            }
            JsonElement repo = store.Sync($"{server.Url}/{time}", "--tag", time).GetProperty("repos")[0];
            Assert.Equal((time, files, bytes), (time, repo.GetProperty("fetched").GetInt32(), repo.GetProperty("fetched_bytes").GetInt64()));
            Assert.Equal(known.Keys.Order(StringComparer.Ordinal), Directory.EnumerateFiles(Path.Combine(store.Path, "objects"), "*", SearchOption.AllDirectories).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
        }
        Assert.Equal(["metadata updateinfo", "advisory_added CORPUS-1 bugfix", "advisory_added CORPUS-2 security Important dates are sweet"], Diff("t1", "t2"));
        Programs.Shell($"cd {folder.Path} && cp -r t2 t4 && sed -i 's/final.*Important/revised&/; s/sweet/sour/' updateinfo.xml && modifyrepo_c --mdtype=updateinfo updateinfo.xml t4/repodata >/dev/null");
        store.Sync($"{server.Url}/t4", "--tag", "t4");
        Assert.Equal(["metadata updateinfo", "advisory_changed CORPUS-2 security Important dates are sour"], Diff("t2", "t4"));
        Assert.Equal(["metadata updateinfo", "advisory_removed CORPUS-1 bugfix", "advisory_removed CORPUS-2 security Important dates are sweet"], Diff("t2", "t1"));
        Assert.All(Diff("t2", "t3"), change => Assert.StartsWith("metadata ", change, StringComparison.Ordinal));
        Assert.Equal(["upgraded apple", "removed berry", "mutated cherry", "added date"], Diff("t0", "t1").Where(change => !change.StartsWith("metadata", StringComparison.Ordinal)));
        store.AssertClean();

        IEnumerable<string> Diff(string from, string to) => store.Lines("diff", from, to)
            .Select(line => string.Join(' ', new[] { "change", "name", "type", "severity", "title" }.Select(name => line.TryGetProperty(name, out JsonElement value) ? value.GetString() : null).OfType<string>()));
    }

    [Theory]
    [InlineData("<updates><update><id>X</id>", "not well-formed")]
    [InlineData("", "not well-formed")]
    [InlineData("<!DOCTYPE updates><updates/>", "document type")]
    public void Advisories_that_cannot_be_read_do_not_keep_the_rest_from_being_compared(string advisories, string expected)
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "updateinfo.xml", advisories);
        Programs.Shell($"""
            cd {folder.Path} && cp -r {RepoFixture.PathOf("t1")} t1 && h=$(sha256sum < updateinfo.xml | cut -c1-64) && cp updateinfo.xml t1/repodata/
            sed -i "s|</repomd>|<data type='updateinfo'><checksum type='sha256'>$h</checksum><location href='repodata/updateinfo.xml'/></data>&|" t1/repodata/repomd.xml
            """);
        using StoreFixture store = new();
        store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "t0");
        store.Sync($"file://{folder / "t1"}", "--tag", "t1");
        Tools.Result result = store.Run("diff", "t0", "t1");
        Assert.Equal(2, result.Status);
        Assert.StartsWith("rpm-repo-snapshot: x: repodata/updateinfo.xml: xml: line ", result.Err, StringComparison.Ordinal);
        Assert.Contains(expected, result.Err, StringComparison.Ordinal);
        Assert.EndsWith(": so its advisories are not compared\n", result.Err, StringComparison.Ordinal);
        Assert.Equal(1, result.Err.Count(c => c == '\n'));
        Assert.Contains("\"change\":\"upgraded\",\"repo\":\"x\",\"name\":\"apple\"", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Thirty_days_with_two_percent_of_churn_cost_one_copy_and_the_churn()
    {
        const int Packages = 200, Size = 30_000, Days = 30, Churn = Packages / 50;
        using TempFolder folder = new();
        using StoreFixture store = new();
        Random random = new(1);
        Dictionary<string, long> content = [];
        RawPackage[] packages = [.. Enumerable.Range(0, Packages).Select(i => New(i))];
        for (int day = 0; day < Days; day++)
        {
            for (int i = 0; i < Churn; i++)
            {
                int which = random.Next(Packages);
                packages[which] = New(which);
            }
            RawRepo.Write(folder / "r", packages);
            foreach (string file in Directory.EnumerateFiles(folder / "r", "*", SearchOption.AllDirectories))
                content[Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)))] = new FileInfo(file).Length;
            store.Run("sync", "--repo", $"x=file://{folder / "r"}", "--quiet").AssertSucceeded();
        }
        Assert.Equal(Days, store.Lines("list").Count);
        long expected = content.Values.Sum(), stored = Directory.EnumerateFiles(store.Path, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
        Assert.InRange(stored, expected, expected * 102 / 100);
        store.AssertClean();

        RawPackage New(int i)
        {
            byte[] bytes = new byte[Size];
            random.NextBytes(bytes);
            return new RawPackage($"p{i}", bytes);
        }
    }
}
