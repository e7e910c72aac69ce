using System.Text.Json;
using Layerbox.Rpm;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>The index makes nothing true or false: with it, without it, and with a bad one the answers are the same.</summary>
public class StoreIndexTests
{
    private static readonly string[][] s_questions =
    [
        ["show", "t0"], ["show", "t1"], ["diff", "t0", "t1"], ["diff", "t1", "t2"], ["find", "cherry"], ["find", "a*.noarch"], ["find", "plus+-1-1.noarch"], ["find", "nothing"],
    ];

    [Fact]
    public void A_package_is_one_of_a_list_for_as_long_as_that_is_there()
    {
        using TempFolder folder = new();
        PrimaryPackage[] packages = [.. "abc".Select(c => new PrimaryPackage(new Nevra($"{c}", new Evr(0, "1", "1"), "noarch"), RpmChecksum.Parse("md5", new string(c, 32)), RepoLocation.Parse($"{c}.rpm")))];
        using IndexFile writer = IndexFile.Open(folder / "index.sqlite", isWritable: true);
        writer.Add("list", packages[..2]);
        using IndexFile reader = IndexFile.Open(folder / "index.sqlite", isWritable: false);
        PackagePaths list = reader.Paths("list")!;
        Assert.Equal(["a", "b", null], Names());
        writer.Add("more", packages);
        Assert.Equal(["a", "b", null], Names());
        writer.Keep(["more"]);
        Assert.Throws<IndexDamageException>(Names);
        list = reader.Paths("more")!;
        Assert.Equal(["a", "b", "c"], Names());

        List<string?> Names() => [.. packages.Select(package => package.Location.Path).Select(path => reader.PackageAt(list, path, list.RowsAt(path))?.Nevra.Name)];
    }

    [Theory]
    [InlineData("rm index.sqlite")]
    [InlineData(": > index.sqlite")]
    [InlineData("echo no database > index.sqlite")]
    [InlineData("truncate -s 10000 index.sqlite")]
    [InlineData("cp ../older.sqlite index.sqlite")] // t0 alone
    [InlineData("sqlite3 index.sqlite 'pragma user_version = 99'")]
    [InlineData("sqlite3 index.sqlite \"update package set name = 'pear' where name = 'apple'\"")]
    [InlineData("sqlite3 index.sqlite \"update package set digest = replace(digest, '0', '1')\"")]
    [InlineData("sqlite3 index.sqlite \"delete from package where name = 'cherry'\"")]
    [InlineData("sqlite3 index.sqlite \"update list set packages = substr(packages, 2)\"")]
    [InlineData("sqlite3 index.sqlite \"update list set object = substr(object, 2) || '0'\"")]
    [InlineData("sqlite3 index.sqlite \"create table p as select * from package; drop table package; alter table p rename to package; update package set href = null where name = 'cherry'\"")]
    [InlineData("chmod a= index.sqlite")]
    [InlineData("rm index.sqlite && mkdir index.sqlite")]
    [InlineData("ln -sf /etc/passwd index.sqlite")]
    public void Answers_do_not_depend_on_it(string damage)
    {
        using StoreFixture store = Three();
        Programs.Shell($"cd {store.Path} && {damage}");
        Assert.Equal(s_answers.Value, s_questions.Select(question => Ask(store, question)));
        store.AssertClean();
        store.Run("rebuild").AssertSucceeded();
        Assert.True(IsIndexed(store, "t0") && IsIndexed(store, "t1") && IsIndexed(store, "t2"));
    }

    [Fact]
    public void There_is_one_in_a_store_that_a_link_leads_to()
    {
        using StoreFixture store = Three();
        string link = $"{store.Path}.link";
        Programs.Shell($"rm {store.Path}/index.sqlite && ln -s {store.Path} {link}");
        try
        {
            Tools.Run("rpm-repo-snapshot", "rebuild", "--store", link).AssertSucceeded();
            Assert.True(IsIndexed(store, "t0"));
        }
        finally
        {
            File.Delete(link);
        }
    }

    [Fact]
    public void Flipped_bits_are_found()
    {
        using StoreFixture store = Three();
        string[] expected = s_answers.Value;
        string path = Path.Combine(store.Path, "index.sqlite");
        byte[] whole = File.ReadAllBytes(path);
        Random random = new(5);
        for (int i = 0; i < 40; i++)
        {
            byte[] damaged = [.. whole];
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(path, damaged);
            int question = i % s_questions.Length;
            Assert.Equal(expected[question], Ask(store, s_questions[question]));
        }
    }

    [Fact]
    public void A_writer_that_is_at_work_and_a_journal_that_one_left_keep_nobody_waiting()
    {
        using StoreFixture store = Three();
        string[] expected = s_answers.Value;
        using (Sqlite.SqliteDatabase database = Sqlite.SqliteDatabase.Open(System.Text.Encoding.UTF8.GetBytes(Path.Combine(store.Path, "index.sqlite")), isWritable: true, patience: 0))
        {
            database.Execute("BEGIN EXCLUSIVE", "DELETE FROM package");
            Assert.Equal(expected[..2], s_questions[..2].Select(question => Ask(store, question)));
            // As SIGKILL leaves it: half a transaction, and the journal.
            Programs.Shell($"cp -a {store.Path} {store.Path}.killed");
        }
        Programs.Shell($"rm -r {store.Path} && mv {store.Path}.killed {store.Path}");
        Assert.Equal(expected, s_questions.Select(question => Ask(store, question)));
        store.Sync($"file://{RepoFixture.PathOf("t2")}");
        Assert.Equal(expected, s_questions.Select(question => Ask(store, question)));
    }

    [Fact]
    public void Collected_snapshots_are_forgotten()
    {
        using StoreFixture store = Three();
        Assert.True(IsIndexed(store, "t0"));
        string t0 = File.ReadAllText(Path.Combine(store.Path, "refs/tags/t0")).Trim();
        store.Run("gc", "--grace", "0s", "--keep-tag", "t1", "--keep-last", "0").AssertSucceeded();
        Assert.Equal("1 5", Programs.Shell($"sqlite3 {store.Path}/index.sqlite \"select (select count(*) from list) || ' ' || (select count(*) from package)\"").Trim());
        Assert.True(IsIndexed(store, "t1"));
        Assert.Equal(1, store.Run("find", "berry").Status);
        // They may come again.
        Assert.Equal(t0, store.Sync($"file://{RepoFixture.PathOf("t0")}", "--allow-older", "--tag", "t0").GetProperty("snapshot").GetString());
        Assert.True(IsIndexed(store, "t0"));
    }

    [Fact]
    public void A_package_is_found_by_name_by_digest_and_by_its_file()
    {
        using StoreFixture store = Three();
        string file = $"{RepoFixture.PathOf("t0")}/cherry-2-1.noarch.rpm", digest = Programs.Shell($"sha256sum < {file}").Split(' ')[0];
        foreach (string what in (string[])[file, $"sha256:{digest}"])
            Assert.Equal([("t0", digest)], store.Lines("find", what).Select(Place));
        Assert.Equal(["t0", "t1", "t2"], store.Lines("find", "cherry-2").Select(line => Place(line).Tag));
        // t2 knows its packages by sha512.
        Assert.Equal(["t1", "t2"], store.Lines("find", $"{RepoFixture.PathOf("t1")}/date-1-1.noarch.rpm").Select(line => Place(line).Tag));
        Assert.Equal(2, store.Run("find", "./nowhere.rpm").Status);

        static (string? Tag, string? Object) Place(JsonElement line) => (line.GetProperty("tags")[0].GetString(), line.GetProperty("object").GetString());
    }

    [Fact]
    public void Lists_of_rows_are_what_they_were()
    {
        foreach (long[] ids in (long[][])[[], [1], [1, 2, 3], [3, 1, 2], [long.MaxValue, 1, long.MaxValue - 1], [.. Enumerable.Range(0, 1000).Select(i => (long)i * i % 997)]])
            Assert.Equal(ids, PackageIds.Unpack(PackageIds.Pack(ids)));
        Assert.Throws<IndexDamageException>(() => PackageIds.Unpack([0x80]));
        Assert.Throws<IndexDamageException>(() => PackageIds.Unpack([.. Enumerable.Repeat((byte)0xFF, 20)]));
    }

    /// <summary>Three snapshots in a store, and in the index; beside it an index that knows the first alone.</summary>
    private static readonly Lazy<StoreFixture> s_three = new(() =>
    {
        StoreFixture store = new();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => store.Dispose();
        foreach (string repo in (string[])["t0", "t1", "t2"])
        {
            store.Sync($"file://{RepoFixture.PathOf(repo)}", "--tag", repo, "--allow-older");
            if (repo == "t0")
                File.Copy(Path.Combine(store.Path, "index.sqlite"), Path.Combine(store.Path, "..", "older.sqlite"));
        }
        return store;
    });

    /// <summary>From the metadata alone.</summary>
    private static readonly Lazy<string[]> s_answers = new(() =>
    {
        using StoreFixture store = Three();
        File.Delete(Path.Combine(store.Path, "index.sqlite"));
        return [.. s_questions.Select(question => Ask(store, question))];
    });

    private static StoreFixture Three()
    {
        StoreFixture store = new();
        Programs.Shell($"cp -a {Path.GetDirectoryName(s_three.Value.Path)}/. {Path.GetDirectoryName(store.Path)}");
        return store;
    }

    private static string Ask(StoreFixture store, string[] question)
    {
        Tools.Result result = store.Run(question[0], question[1..]);
        return $"{result.Status} {result.Out}{result.Err}";
    }

    /// <summary>The index alone has the answer.</summary>
    private static bool IsIndexed(StoreFixture store, string tag)
    {
        using SnapshotStore reader = SnapshotStore.Open(store.Path);
        SnapshotRepo repo = reader.Load(reader.Resolve(tag)).Repos[0];
        return reader.Index.Find(SnapshotPackages.PrimaryOf(repo).Object)?.SequenceEqual(SnapshotPackages.Parse(reader, repo), PrimaryPackageComparer.Instance) == true;
    }

    /// <summary>Records with lists in them are not equal by themselves.</summary>
    private sealed class PrimaryPackageComparer : IEqualityComparer<Layerbox.Rpm.PrimaryPackage>
    {
        public static PrimaryPackageComparer Instance { get; } = new();

        public bool Equals(Layerbox.Rpm.PrimaryPackage? a, Layerbox.Rpm.PrimaryPackage? b) => a! with { Relations = [] } == b! with { Relations = [] };

        public int GetHashCode(Layerbox.Rpm.PrimaryPackage package) => package.Nevra.GetHashCode();
    }
}
