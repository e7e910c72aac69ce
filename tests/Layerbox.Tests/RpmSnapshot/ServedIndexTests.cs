using System.Text;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>The server takes packages from the store's index where it can, and says the same without it, with a bad one, and with one that goes bad meanwhile.</summary>
public class ServedIndexTests
{
    private static readonly byte[] s_bytes = Encoding.ASCII.GetBytes("a package");

    public static readonly TheoryData<string> Damages = new()
    {
        { "rm index.sqlite" },
        { "echo no database > index.sqlite" },
        { "truncate -s 10000 index.sqlite" },
        { "dd if=/dev/zero of=index.sqlite bs=1 seek=4096 count=8192 conv=notrunc status=none" },
        { "sqlite3 index.sqlite 'pragma user_version = 1'" },
        { "sqlite3 index.sqlite \"update package set href = 'apple-1-1.noarch.rpm'\"" },
        { "sqlite3 index.sqlite \"update package set digest = replace(digest, '0', '1')\"" },
        { "sqlite3 index.sqlite \"delete from package where name = 'cherry'\"" },
        { "sqlite3 index.sqlite \"update package set id = id + 1000\"" },
        { "sqlite3 index.sqlite 'update list set paths = substr(paths, 5) || substr(paths, 1, 4)'" },
        { "sqlite3 index.sqlite 'update list set paths = zeroblob(length(paths))'" },
        { "sqlite3 index.sqlite 'update list set packages = substr(packages, 2)'" },
        { "sqlite3 index.sqlite 'update list set outside = 1'" },
        { "sqlite3 index.sqlite 'delete from list'" },
        { "chmod a= index.sqlite" },
        { "rm index.sqlite && mkdir index.sqlite" },
        { "echo garbage > index.sqlite-journal" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Answers_do_not_depend_on_it(string damage)
    {
        using ServerFixture served = new(RepoFixture.PathOf("t0"), null, store =>
        {
            store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "now");
            Programs.Shell($"cd {store.Path} && {damage}");
        });
        AssertWhole(served);
        Assert.Empty(served.Complaints);
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public void It_may_go_bad_while_it_is_used(string damage)
    {
        using ServerFixture served = new();
        string first = served.Packages[0];
        Assert.Equal(File.ReadAllBytes(Path.Combine(served.Repo, first)), served.Get($"/now/x/{first}").Body);
        Programs.Shell($"cd {served.Store.Path} && {damage}");
        AssertWhole(served);
        served.Store.Run("rebuild").AssertSucceeded();
        AssertWhole(served);
        Assert.Empty(served.Complaints);
    }

    [Fact]
    public void The_metadata_is_not_read_when_the_index_has_it()
    {
        string? primary = null;
        using ServerFixture served = new(RepoFixture.PathOf("t0"), null, store =>
        {
            store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "now");
            primary = store.ObjectPath(store.Lines("show", "now").Single(line => line.TryGetProperty("type", out var type) && type.GetString() == "primary").GetProperty("object").GetString()!);
            File.Move(primary, store.Path + "/elsewhere");
        });
        Assert.All(served.Packages, file => Assert.Equal(File.ReadAllBytes(Path.Combine(served.Repo, file)), served.Get($"/now/x/{file}").Body));
        Assert.Equal(200, served.Get("/now/x/repodata/repomd.xml").Status);
        Assert.Equal(404, served.Get("/now/x/nothing.rpm").Status);
        File.Delete(Path.Combine(served.Store.Path, "index.sqlite"));
        using ServerFixture without = new(served.Repo, null, store => Programs.Shell($"cp -a {served.Store.Path} {store.Path}"));
        Assert.Equal(500, without.Get($"/now/x/{served.Packages[0]}").Status);
        Assert.Contains(Path.GetFileName(primary)!, Assert.Single(without.Complaints), StringComparison.Ordinal);
    }

    [Fact]
    public void A_writer_at_work_does_not_keep_clients_from_their_answers()
    {
        using ServerFixture served = new();
        Assert.Equal(200, served.Get($"/now/x/{served.Packages[0]}").Status);
        using (Sqlite.SqliteDatabase database = Sqlite.SqliteDatabase.Open(Encoding.UTF8.GetBytes(Path.Combine(served.Store.Path, "index.sqlite")), isWritable: true, patience: 0))
        {
            database.Execute("BEGIN EXCLUSIVE", "DELETE FROM package");
            AssertWhole(served);
        }
        AssertWhole(served);
    }

    [Theory]
    [InlineData("a%20b.rpm", "/now/x/a%20b.rpm", 200)]
    [InlineData("a%20b.rpm", "/now/x/%61%20b.rpm", 200)]
    [InlineData("a%20b.rpm", "/now/x/a%2520b.rpm", 200)]
    [InlineData("a b.rpm", "/now/x/a%20b.rpm", 200)]
    [InlineData("a%41.rpm", "/now/x/aA.rpm", 200)]
    [InlineData("sub+dir/./p+1.rpm", "/now/x/sub+dir/p%2B1.rpm", 200)]
    [InlineData("sub/../p.rpm", "/now/x/p.rpm", 200)]
    [InlineData("sub/../p.rpm", "/now/x/sub/../p.rpm", 200)]
    [InlineData("é.rpm", "/now/x/%C3%A9.rpm", 200)]
    [InlineData("%ff.rpm", "/now/x/%ff.rpm", 200)]
    [InlineData("p.rpm", "/now/x/P.rpm", 404)]
    [InlineData("p.rpm", "/now/x/p.rpm/", 200)]
    [InlineData("p.rpm", "/now/x/p.rpm/x", 404)]
    [InlineData("p.rpm", "/now/x/sub%2fp.rpm", 404)]
    public void Paths_are_found_in_all_their_spellings_with_and_without_it(string href, string asked, int status)
    {
        using TempFolder folder = new();
        // The same twice, as some metadata has it; and one beside.
        RawRepo.Write(folder / "r", [.. Enumerable.Repeat(new RawPackage("p", s_bytes) { Location = $"href=\"{href}\"" }, 2), new RawPackage("q", "another"u8.ToArray())]);
        using FaultyServer source = new((path, _) => FaultyServer.Whole(path.StartsWith("/r/repodata/", StringComparison.Ordinal) ? File.ReadAllBytes(folder.Path + path) : path == "/r/q.rpm" ? "another"u8.ToArray() : s_bytes));
        foreach (bool isIndexed in (bool[])[true, false])
        {
            using ServerFixture served = new(folder / "r", null, store =>
            {
                store.Sync($"{source.Url}/r", "--tag", "now");
                if (!isIndexed)
                    File.Delete(Path.Combine(store.Path, "index.sqlite"));
            });
            Answer answer = served.Get(asked);
            Assert.Equal((isIndexed, status), (isIndexed, answer.Status));
            if (status == 200)
                Assert.Equal(s_bytes, answer.Body);
            Assert.Equal("another", served.Get("/now/x/q.rpm").Text);
            Assert.Equal(status, served.Get(asked).Status);
        }
    }

    [Fact]
    public void Many_names_are_asked_for_at_once()
    {
        using TempFolder folder = new();
        const int Count = 500;
        RawRepo.Write(folder / "r", Enumerable.Range(0, Count).Select(i => new RawPackage($"p{i}", Encoding.ASCII.GetBytes($"package {i}"))));
        using ServerFixture served = new(folder / "r", null, store => store.Sync($"file://{folder / "r"}", "--tag", "now"));
        Parallel.For(0, 4, _ =>
        {
            using Client client = served.Connect();
            client.Send(string.Concat(Enumerable.Range(0, Count).Select(i => $"GET /now/x/p{i}.rpm HTTP/1.1\r\nHost: x\r\n\r\nGET /now/x/p{i}.rp HTTP/1.1\r\nHost: x\r\n\r\n")));
            for (int i = 0; i < Count; i++)
            {
                Assert.Equal($"package {i}", client.Read().Text);
                Assert.Equal(404, client.Read().Status);
            }
        });
        Assert.Empty(served.Complaints);
    }

    private static void AssertWhole(ServerFixture served)
    {
        using Client client = served.Connect();
        foreach (string file in (string[])[.. Directory.GetFiles(Path.Combine(served.Repo, "repodata")).Select(path => $"repodata/{Path.GetFileName(path)}"), .. served.Packages])
        {
            client.Ask($"/now/x/{file}");
            Answer answer = client.Read();
            Assert.Equal((file, 200), (file, answer.Status));
            Assert.Equal(File.ReadAllBytes(Path.Combine(served.Repo, file)), answer.Body);
        }
        client.Ask("/now/x/nothing.rpm");
        Assert.Equal(404, client.Read().Status);
    }
}
