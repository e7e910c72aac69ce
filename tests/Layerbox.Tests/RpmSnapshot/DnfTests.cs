using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>The real dnf finds the same in a served snapshot, in an exported one and in the original, and installs the same, with all signatures checked.</summary>
public class DnfTests
{
    private const string Comps = """
        <comps><group><id>fruit</id><name>Fruit</name><description/><packagelist><packagereq type='mandatory'>apple</packagereq><packagereq type='mandatory'>date</packagereq></packagelist></group></comps>
        """;

    private const string UpdateInfo = """
        <updates><update from='x' status='final' type='security' version='1'><id>FRUIT-1</id><title>apple</title><severity>Important</severity><issued date='2026-11-01 00:00:00'/>
        <references><reference href='https://test.invalid/CVE-2026-1' id='CVE-2026-1' type='cve' title='CVE-2026-1'/></references>
        <pkglist><collection short='f'><name>f</name><package name='apple' epoch='0' version='2' release='1' arch='noarch'><filename>apple-2-1.noarch.rpm</filename></package></collection></pkglist></update></updates>
        """;

    private const string Modules = """
        ---
        document: modulemd
        version: 2
        data:
          name: orchard
          stream: "1"
          version: 20260101000000
          context: c0ffee42
          arch: x86_64
          summary: Orchard
          description: A module with one package.
          license: {module: [MIT]}
          profiles:
            default: {rpms: [cherry]}
          artifacts:
            rpms: ["cherry-0:2-1.noarch"]
        ...

        """;

    private const string All = "$dnf makecache; $dnf module list; $dnf group list; $dnf updateinfo list --all; $dnf updateinfo info --all";

    /// <summary>A signed repository "x", with groups, advisories and modules; "outside", of the same packages in a pool beside it; and the key.</summary>
    private static readonly Lazy<TempFolder> s_signed = new(() =>
    {
        TempFolder folder = new();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        foreach ((string name, string text) in (ReadOnlySpan<(string, string)>)[("comps.xml", Comps), ("updateinfo.xml", UpdateInfo), ("modules.yaml", Modules)])
            File.WriteAllText(folder / name, text);
        Programs.Shell($"""
            cd {folder.Path} && mkdir -m 700 gnupg && export GNUPGHOME=$PWD/gnupg HOME=$PWD
            gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key 'fruit <fruit@test.invalid>' rsa2048 sign never 2>/dev/null
            gpg --batch --armor --export > key.asc
            mkdir x outside && cp {RepoFixture.PathOf("t1")}/*.rpm x
            rpmsign --define '_gpg_name fruit' --define '__gpg /usr/bin/gpg' --addsign x/*.rpm > sign.log 2>&1
            createrepo_c --quiet --groupfile $PWD/comps.xml x && createrepo_c --quiet --outputdir outside --location-prefix ../x x
            modifyrepo_c updateinfo.xml x/repodata > modifyrepo.log 2>&1 && modifyrepo_c modules.yaml x/repodata >> modifyrepo.log 2>&1
            gpg --batch --armor --detach-sign x/repodata/repomd.xml && test -s x/repodata/repomd.xml.asc
            gpgconf --kill all || true
            """);
        return folder;
    });

    private static string Key => s_signed.Value / "key.asc";

    [Fact]
    public void Finds_and_installs_the_same_everywhere()
    {
        Privileged.OrSkip();
        using StoreFixture store = new();
        using TempFolder folder = new();
        string original = s_signed.Value / "x";
        store.Run("import", original, "--repo", "x", "--tag", "now").AssertSucceeded();
        store.Run("export", "now", "--into", folder / "exported", "--repo", "x").AssertSucceeded();
        using Served served = new(store, "now");
        string[] answers = [.. ((string[])[$"file://{original}", $"file://{folder / "exported"}", served.Url]).Select((url, i) => Ask(folder / $"dnf{i}", url, isSigned: true, All))];
        foreach (string part in (string[])["apple-2-1.noarch apple-2-1.noarch.rpm", "plus+-1-1.noarch plus+-1-1.noarch.rpm", "FRUIT-1", "CVE-2026-1", "orchard", "Fruit", "installed: apple-2-1 date-1-1 "])
            Assert.Contains(part, answers[0], StringComparison.Ordinal);
        Assert.Equal(answers[0], answers[1]);
        Assert.Equal(answers[0], answers[2]);
        Assert.Empty(served.Complaints);
    }

    [Theory]
    [InlineData("{\"deny\": [\"plus+\"], \"pin\": [{\"name\": \"apple\", \"evr\": \"1\"}]}", "apple-1-1 date-1-1 ", "apple-1-1.noarch date-1-1.noarch", false)]
    [InlineData("{\"newest\": 1}", "apple-2-1 date-1-1 ", "apple-2-1.noarch date-1-1.noarch plus+-1-1.noarch", false)]
    [InlineData("{\"deny\": [\"nothing-of-this-name\"]}", "apple-2-1 date-1-1 ", "apple-1-1.noarch apple-2-1.noarch date-1-1.noarch plus+-1-1.noarch", true)]
    public void Finds_and_installs_what_a_view_has(string policy, string installed, string found, bool isSigned)
    {
        Privileged.OrSkip();
        using StoreFixture store = new();
        using TempFolder folder = new();
        File.WriteAllText(folder / "policy.json", policy);
        store.Run("import", s_signed.Value / "x", "--repo", "x", "--tag", "now").AssertSucceeded();
        store.Run("view", "now", "--policy", folder / "policy.json", "--tag", "view").AssertSucceeded();
        store.Run("export", "view", "--into", folder / "exported", "--repo", "x").AssertSucceeded();
        using Served served = new(store, "view");
        // Cherry belongs to a module: it is there when that is.
        const string Module = "$dnf module install orchard:1/default >/dev/null 2>&1 && rpm --root $HOME -q cherry";
        // What asks for a signature of the metadata gets none of a view that leaves packages out; those of the packages are checked all the same.
        string more = $"{All}; {Module}; $dnf --refresh --setopt=x.repo_gpgcheck=1 makecache 2>/dev/null && echo accepted || echo refused";
        string[] answers = [.. ((string[])[$"file://{folder / "exported"}", served.Url]).Select((url, i) => Ask(folder / $"dnf{i}", url, isSigned, more))];
        Assert.Equal(found, string.Join(' ', answers[0].Split('\n').Where(line => line.Contains(".noarch.rpm ", StringComparison.Ordinal)).Select(line => line.Split(' ')[0])));
        foreach (string part in (string[])[$"installed: {installed}", "FRUIT-1", "CVE-2026-1", "orchard", "cherry-2-1.noarch\n", "Fruit", isSigned ? "accepted" : "refused"])
            Assert.Contains(part, answers[0], StringComparison.Ordinal);
        Assert.Equal(answers[0], answers[1]);
        Assert.Empty(served.Complaints);
    }

    [Fact]
    public void Downloads_from_a_view_are_the_original_packages()
    {
        Privileged.OrSkip();
        using StoreFixture store = new();
        using TempFolder folder = new();
        File.WriteAllText(folder / "policy.json", "{\"pin\": [{\"name\": \"apple\", \"evr\": \"1\"}]}");
        store.Run("import", s_signed.Value / "x", "--repo", "x", "--tag", "now").AssertSucceeded();
        store.Run("view", "now", "--policy", folder / "policy.json", "--tag", "view").AssertSucceeded();
        using Served served = new(store, "view");
        Ask(folder / "dnf", served.Url, isSigned: false, "$dnf module enable orchard:1 >/dev/null; $dnf install --downloadonly --destdir \"$HOME/down\" apple cherry date plus+ >/dev/null; for f in \"$HOME\"/down/*; do cmp \"$f\" " + (s_signed.Value / "x") + "/\"${f##*/}\"; done; test \"$(ls \"$HOME/down\" | tr '\\n' ' ')\" = 'cherry-2-1.noarch.rpm plus+-1-1.noarch.rpm '");
        Assert.Empty(served.Complaints);
    }

    [Fact]
    public void Finds_and_installs_what_is_outside_of_a_repository()
    {
        Privileged.OrSkip();
        using StoreFixture store = new();
        using TempFolder folder = new();
        store.Sync($"file://{s_signed.Value / "outside"}", "--tag", "now");
        store.Run("export", "now", "--into", folder / "exported", "--repo", "x").AssertSucceeded();
        using Served served = new(store, "now");
        string[] answers = [.. ((string[])[$"file://{folder / "exported"}", served.Url]).Select((url, i) => Ask(folder / $"dnf{i}", url, isSigned: false))];
        Assert.Contains("apple-2-1.noarch .outside/0/apple-2-1.noarch.rpm", answers[0], StringComparison.Ordinal);
        Assert.Contains("installed: apple-2-1 date-1-1 ", answers[0], StringComparison.Ordinal);
        Assert.Equal(answers[0], answers[1]);
    }

    [Fact]
    public void Refuses_what_was_changed_behind_its_back()
    {
        Privileged.OrSkip();
        using StoreFixture store = new();
        using TempFolder folder = new();
        store.Run("import", s_signed.Value / "x", "--repo", "x", "--tag", "now").AssertSucceeded();
        string digest = Programs.Shell($"sha256sum {s_signed.Value / "x/apple-2-1.noarch.rpm"} | cut -c1-64").Trim();
        Programs.Shell($"chmod u+w {store.ObjectPath(digest)} && printf x | dd of={store.ObjectPath(digest)} bs=1 seek=2000 conv=notrunc status=none");
        using Served served = new(store, "now");
        string answer = Ask(folder / "dnf", served.Url, isSigned: true);
        Assert.Contains("installed: failed", answer, StringComparison.Ordinal);
        Assert.Contains($"quarantine/{digest}", Assert.Single(served.Complaints), StringComparison.Ordinal);
    }

    /// <summary>What dnf says of a repository, and what is installed in the end, in a root of its own.</summary>
    private static string Ask(string root, string url, bool isSigned, string more = "")
    {
        Directory.CreateDirectory(root);
        File.WriteAllText(Path.Combine(root, ".rpmmacros"), "%_dbpath /var/lib/rpm\n");
        File.WriteAllText(Path.Combine(root, "dnf.conf"), $"""
            [main]
            gpgcheck=1
            plugins=0
            reposdir=/nowhere
            varsdir=/nowhere
            retries=1
            install_weak_deps=0
            [x]
            name=x
            baseurl={url}
            gpgkey=file://{Key}
            repo_gpgcheck={(isSigned ? 1 : 0)}
            skip_if_unavailable=0
            """);
        return Programs.Shell($"""
            export HOME={root} LC_ALL=C TZ=UTC
            dnf="dnf --quiet --assumeyes --config {root}/dnf.conf --installroot={root} --releasever=1 --setopt=module_platform_id=platform:f1"
            $dnf repoquery --qf '%{"{name}"}-%{"{evr}"}.%{"{arch}"} %{"{location}"} %{"{size}"} %{"{buildtime}"}' | sort
            printf 'installed: '
            if $dnf install apple date >{root}/out 2>&1; then rpm --root {root} -qa --qf '%{"{name}"}-%{"{version}"}-%{"{release}"}\n' | grep -v gpg-pubkey | sort | tr '\n' ' '; else echo failed; fi
            {more}
            """).Replace(root, "ROOT", StringComparison.Ordinal);
    }

    private sealed class Served : IDisposable
    {
        private readonly SnapshotStore _store;
        private readonly RepoServer _server;

        public Served(StoreFixture folder, string name)
        {
            _store = SnapshotStore.Open(folder.Path);
            _server = RepoServer.Start(_store, [new ServedSnapshot(name, _store.Load(_store.Resolve(name)))], StreamSockets.ListenOnLoopback(0), new RepoServerOptions { Complain = Complaints.Enqueue });
            Url = _server.UrlOf(_server.Snapshots[0], "x");
        }

        public System.Collections.Concurrent.ConcurrentQueue<string> Complaints { get; } = new();

        public string Url { get; }

        public void Dispose()
        {
            _server.Dispose();
            _store.Dispose();
        }
    }
}
