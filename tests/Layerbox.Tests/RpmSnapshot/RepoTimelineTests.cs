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
        Assert.Equal(["metadata updateinfo", "advisory_removed CORPUS-1 bugfix", "advisory_removed CORPUS-2 security Important dates are sweet"], Diff("t2", "t1"));
        Assert.All(Diff("t2", "t3"), change => Assert.StartsWith("metadata ", change, StringComparison.Ordinal));
        Assert.Equal(["upgraded apple", "removed berry", "mutated cherry", "added date"], Diff("t0", "t1").Where(change => !change.StartsWith("metadata", StringComparison.Ordinal)));
        store.AssertClean();

        IEnumerable<string> Diff(string from, string to) => store.Lines("diff", from, to)
            .Select(line => string.Join(' ', new[] { "change", "name", "type", "severity", "title" }.Select(name => line.TryGetProperty(name, out JsonElement value) ? value.GetString() : null).OfType<string>()));
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
