using System.IO.Compression;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Repositories that change while they are read, metadata that is torn, and stores that were damaged before.</summary>
public class RepoRaceTests
{
    private const string R = "\"baseurl\": [\"URL/r\"]";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_repository_that_is_replaced_meanwhile_is_begun_again(bool hasSimpleNames)
    {
        using ConfiguredRepos repos = new();
        string again = $"rm -r repodata && createrepo_c --quiet {(hasSimpleNames ? "--simple-md-filenames" : "")} .";
        repos.Add("r", "t0", again);
        repos.Add("next", "t1", again);
        int replaced = 0;
        repos.Instead = path =>
        {
            // After the repomd.xml all is another's, which with simple names has the same names.
            if (path != "/r/repodata/repomd.xml" && Interlocked.Exchange(ref replaced, 1) == 0)
                Directory.Move(repos.PathOf("r"), repos.PathOf("before"));
            return Volatile.Read(ref replaced) == 0 ? null : File.Exists(repos.PathOf($"next{path[2..]}")) ? FaultyServer.Whole(File.ReadAllBytes(repos.PathOf($"next{path[2..]}"))) : null;
        };
        Assert.Equal(5, repos.Sync(R, "--retries", "0").GetProperty("packages").GetInt32());
        using StoreFixture other = new();
        Assert.Equal(other.Sync($"file://{repos.PathOf("next")}").GetProperty("snapshot").GetString(), repos.Store.Lines("list")[0].GetProperty("snapshot").GetString());
        repos.Store.AssertClean();
    }

    public static readonly TheoryData<string, string> Torn = new()
    {
        { "truncated", "primary.xml.gz" },
        { "garbage behind", "is not" },
        { "another compression than its name says", "" },
        { "no document", "not well-formed" },
    };

    [Theory]
    [MemberData(nameof(Torn))]
    public void Metadata_that_is_torn_at_its_origin_is_told(string how, string expected)
    {
        using TempFolder folder = new();
        RawRepo.Write(folder / "r", [new RawPackage("p", "a package"u8.ToArray())]);
        byte[] xml = File.ReadAllBytes(folder / "r/repodata/primary.xml");
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(how == "no document" ? [] : xml);
        byte[] file = how switch
        {
            "truncated" => packed.ToArray()[..^12],
            "garbage behind" => [.. packed.ToArray(), .. "garbage"u8],
            "no document" => packed.ToArray(),
            _ => xml,
        };
        RawRepo.WritePrimary(folder / "r", file, name: "primary.xml.gz");
        using StoreFixture store = new();
        if (expected.Length > 0)
            store.AssertFails($"file://{folder.Path}/r", "metadata: ", "primary.xml.gz", expected);
        else
            store.Sync($"file://{folder.Path}/r");
        store.AssertClean();
    }

    [Theory]
    [InlineData("for f in objects/sha256/*/*; do if zcat -f $f 2>/dev/null | grep -q '<metadata.*common'; then rm -f $f; fi; done")]
    [InlineData("chmod u+w snapshots/*.json && echo x >> $(ls snapshots/*.json)")]
    [InlineData("echo torn > refs/last/x")]
    [InlineData("rm -f snapshots/*.json refs/tags/*")]
    public void What_was_damaged_before_does_not_keep_the_next_from_being_taken(string damage)
    {
        using ConfiguredRepos repos = new();
        repos.Add("r", "t0");
        repos.Sync(R);
        Programs.Shell($"cd {repos.Store.Path} && {damage}");
        repos.Add("now", "t1");
        Assert.Equal(5, repos.Sync("\"baseurl\": [\"URL/now\"]").GetProperty("packages").GetInt32());
    }
}
