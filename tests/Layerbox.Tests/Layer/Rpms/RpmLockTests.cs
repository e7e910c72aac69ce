using Layerbox.Layer;
using Layerbox.Tests.Rpm;

namespace Layerbox.Tests.Layer.Rpms;

/// <summary>What is installed is pinned: by a lock file, by digests, by keys.</summary>
public sealed class RpmLockTests(MadeRpms made) : IClassFixture<MadeRpms>
{
    private string File(string name) => Path.Combine(made.Folder, name);

    private Tools.Result Compile(string name, string features, string tag = "one", string more = "") => made.Compile(name, features, MadeRpms.Source(tag, more), "--volume", made.Volume);

    private Tools.Result Resolve(params string[] args) => Tools.Run(["rpm-resolve", "--store", made.Store, "--progress", "none", .. args]);

    [Theory]
    [InlineData("no package is named")]
    [InlineData("--remove goes with --parent", "--remove", "bash")]
    [InlineData("--snapshot: nosuch: stat: No such file or directory", "bash")]
    public void What_makes_no_sense_is_said(string expected, params string[] args) =>
        Assert.Equal((2, $"rpm-resolve: {expected}"), Tools.Run(["rpm-resolve", "--store", "nosuch", "--snapshot", "one", "--progress", "none", .. args]) is var result ? (result.Status, result.FirstErrorLine) : default);

    [Fact]
    public void A_lock_file_installs_what_the_names_did_also_when_there_is_something_newer()
    {
        Published.OrSkip();
        Tools.Result resolved = Resolve("--snapshot", "one", "needy", "manual").AssertSucceeded();
        System.IO.File.WriteAllBytes(File("a.lock.json"), resolved.Bytes);
        RpmLock file = RpmLock.Parse(resolved.Bytes, "lock");
        Assert.Equal(
            ["engine-2-1.noarch dependency", "filesystem-1-1.noarch dependency", "manual-2-1.noarch user", "needy-2-1.noarch user", "tool-2-1.noarch dependency"],
            file.Packages.Select(package => $"{package.Nevra} {package.Reason}"));
        Assert.All(file.Packages, package => Assert.Equal(Sum(package.Location), package.Digest));
        string names = LayerHandle.Parse(Compile("by-names", """{ "item": "rpms_install", "names": ["needy", "manual"] }""").AssertSucceeded().Bytes, "handle").Digest;
        const string locked = """{ "item": "rpms_install", "lock": "a.lock.json" }""";
        Assert.Equal(names, LayerHandle.Parse(Compile("by-lock", locked).AssertSucceeded().Bytes, "handle").Digest);
        Assert.Equal(names, LayerHandle.Parse(Compile("by-lock-later", locked, "two").AssertSucceeded().Bytes, "handle").Digest);
        // What was asked for is what the lock file says, not all of it.
        Assert.All(["by-names", "by-lock", "by-lock-later"], layer => Assert.Equal(
            file.Packages.Select(package => $"{package.Nevra} {package.Reason}"),
            Tools.Run("layer-show", made.Handle(layer), "--format", "packages", "--volume", made.Volume).AssertSucceeded().Out.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement).Select(line => $"{line.GetProperty("nevra")} {line.GetProperty("reason")}")));
    }

    [Theory]
    [InlineData("engine-2", "engine-9", "engine-9-1.noarch of the lock file is not in the snapshot (made: engine-9-1.noarch.rpm)")]
    [InlineData("{\"nevra\":\"engine-2[^}]*},", "", "engine-2-1.noarch would be installed, which is not in the lock file")]
    [InlineData("\"sha256:....", "\"sha256:0123", "the lock file says sha256:0123")]
    public void A_lock_file_is_kept_to_the_letter(string pattern, string replacement, string reason)
    {
        Published.OrSkip();
        string text = Resolve("--snapshot", "one", "needy").AssertSucceeded().Out;
        int packages = text.IndexOf("\"packages\"", StringComparison.Ordinal);
        text = text[..packages] + System.Text.RegularExpressions.Regex.Replace(text[packages..], pattern, replacement).Replace(",\n  ]", "\n  ]", StringComparison.Ordinal);
        System.IO.File.WriteAllText(File("bad.lock.json"), text);
        Tools.Result result = Compile("bad", """{ "item": "rpms_install", "lock": "bad.lock.json" }""");
        Assert.Equal(2, result.Status);
        Assert.Contains(reason, result.FirstErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_lock_file_removes_has_to_go()
    {
        Published.OrSkip();
        Compile("before", """{ "item": "rpms_install", "names": ["tool-1", "extra"] }""").AssertSucceeded();
        Resolve("--snapshot", "one", "--parent", made.Handle("before"), "--volume", made.Volume, "--remove", "extra", "tool-2", "--output", File("away.lock.json")).AssertSucceeded();
        const string locked = """{ "item": "rpms_install", "lock": "away.lock.json" }""", parent = """ "parent": "before.layer", """;
        Tools.Result kept = made.Compile("kept", locked, parent + MadeRpms.Source("one"), "--volume", made.Volume);
        Assert.Equal(2, kept.Status);
        Assert.EndsWith(": extra-2-1.noarch would stay, which the lock file removes: name it in rpms_remove", kept.FirstErrorLine, StringComparison.Ordinal);
        made.Compile("gone", locked + """, { "item": "rpms_remove", "names": ["extra"] }""", parent + MadeRpms.Source("one"), "--volume", made.Volume).AssertSucceeded();
        string shown = Tools.Run("layer-show", made.Handle("gone"), "--format", "packages", "--volume", made.Volume).AssertSucceeded().Out;
        Assert.DoesNotContain("\"extra-", shown, StringComparison.Ordinal);
        Assert.Contains("\"tool-2-1.noarch\"", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_lock_file_that_is_none_is_told()
    {
        System.IO.File.WriteAllText(File("none.lock.json"), "{ }");
        Assert.EndsWith("none.lock.json: member 'format' is missing: this is no lock file", Compile("none", """{ "item": "rpms_install", "lock": "none.lock.json" }""").FirstErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void A_package_of_ones_own_is_known_by_its_digest()
    {
        Published.OrSkip();
        System.IO.File.Copy(Repository.PathOf("artifacts", "made-rpms", "one", "tool-1-1.noarch.rpm"), File("own.rpm"), overwrite: true);
        string own = Sum("tool-1-1.noarch.rpm");
        Tools.Result wrong = Compile("own", $$"""{ "item": "rpms_install", "source": "own.rpm", "sha256": "{{Sum("tool-2-1.noarch.rpm")}}" }""");
        Assert.Equal($"layer-compile: {File("own.layer.json")}: features[0]: rpms_install own.rpm: its digest is {own}, not {Sum("tool-2-1.noarch.rpm")}", wrong.FirstErrorLine);
        Compile("own", $$"""{ "item": "rpms_install", "source": "own.rpm", "sha256": "{{own}}" }""").AssertSucceeded();
        string shown = Tools.Run("layer-show", made.Handle("own"), "--format", "packages", "--volume", made.Volume).AssertSucceeded().Out;
        Assert.Contains($$"""{"nevra":"tool-1-1.noarch","digest":"{{own}}",""", shown, StringComparison.Ordinal);
        // With another in its place, of which the version says that it is newer.
        made.Compile("newer", """{ "item": "rpms_install", "names": ["tool"] }""", """ "parent": "own.layer", """ + MadeRpms.Source("two"), "--volume", made.Volume).AssertSucceeded();
        made.Compile("older", """{ "item": "rpms_install", "source": "own.rpm" }""", """ "parent": "newer.layer", """ + MadeRpms.Source("two"), "--volume", made.Volume).AssertSucceeded();
        Assert.Contains("\"tool-1-1.noarch\"", Tools.Run("layer-show", made.Handle("older"), "--format", "packages", "--volume", made.Volume).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_parent_has_is_compared_with_what_is_pinned()
    {
        Published.OrSkip();
        // The same full names, once as in the snapshot and once of other content.
        foreach (string folder in (string[])["first", "second"])
            BuiltRpms.Build(File(folder), "twice", $"""
                Name: twice
                Version: 1
                Release: 1
                Summary: of the {folder} build
                License: MIT
                BuildArch: noarch
                %description
                none
                %files
                """);
        Programs.Run("createrepo_c", "--quiet", File("first"));
        Tools.Run("rpm-repo-snapshot", "sync", "--store", made.Store, "--repo", $"made=file://{File("first")}", "--tag", "first").AssertSucceeded();
        Resolve("--snapshot", "first", "twice", "--output", File("twice.lock.json")).AssertSucceeded();
        const string first = """{ "item": "rpms_install", "source": "first/twice-1-1.noarch.rpm" }""", second = """{ "item": "rpms_install", "source": "second/twice-1-1.noarch.rpm" }""",
            locked = """{ "item": "rpms_install", "lock": "twice.lock.json" }""", onSecond = """ "parent": "has-second.layer", """;
        Compile("has-first", locked, "first").AssertSucceeded();
        Compile("has-second", second).AssertSucceeded();
        foreach (string item in (string[])[first, locked])
            made.Compile("as-it-was", item, """ "parent": "has-first.layer", """ + MadeRpms.Source("first"), "--volume", made.Volume).AssertSucceeded();

        Assert.EndsWith(": first/twice-1-1.noarch.rpm: twice-1-1.noarch is installed already, with other content",
            made.Compile("other", first, onSecond + MadeRpms.Source("first"), "--volume", made.Volume).FirstErrorLine, StringComparison.Ordinal);
        Assert.Matches(": twice-1-1.noarch: the lock file says sha256:[0-9a-f]{64}, but in the parent it is sha256:[0-9a-f]{64}$",
            made.Compile("other", locked, onSecond + MadeRpms.Source("first"), "--volume", made.Volume).FirstErrorLine);
    }

    [Fact]
    public void A_lock_file_of_nothing_lets_nothing_in()
    {
        Published.OrSkip();
        Compile("has", """{ "item": "rpms_install", "names": ["engine"] }""").AssertSucceeded();
        Resolve("--snapshot", "one", "--parent", made.Handle("has"), "--volume", made.Volume, "engine", "--output", File("nothing.lock.json")).AssertSucceeded();
        const string nothing = """{ "item": "rpms_install", "lock": "nothing.lock.json" }""", parent = """ "parent": "has.layer", """;
        made.Compile("still", nothing, parent + MadeRpms.Source("one"), "--volume", made.Volume).AssertSucceeded();
        Assert.EndsWith(": tool-2-1.noarch would be installed, which is not in the lock file",
            made.Compile("more", nothing + """, { "item": "rpms_install", "names": ["tool"] }""", parent + MadeRpms.Source("one"), "--volume", made.Volume).FirstErrorLine, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("truncate -s 100 *.solv")]
    [InlineData("for f in *.solv; do printf damaged | dd of=$f bs=1 seek=900 conv=notrunc status=none; done")]
    [InlineData("rm */repodata/repomd.xml")]
    [InlineData("rm digests")]
    public void What_dnf_made_of_the_metadata_is_made_anew_when_it_is_damaged(string damage)
    {
        Published.OrSkip();
        string before = Resolve("--snapshot", "two", "needy").AssertSucceeded().Out;
        string cache = Directory.EnumerateDirectories(Path.Combine(made.Store, "cache/dnf"), $"{RpmLock.Parse(System.Text.Encoding.UTF8.GetBytes(before), "lock").Snapshot}-*").Single();
        string sums = $"cd {cache} && sha256sum digests && sha256sum --check --quiet digests";
        Programs.Shell($"{sums} && {damage}");
        Assert.Equal(before, Resolve("--snapshot", "two", "needy").AssertSucceeded().Out);
        Programs.Shell(sums);
        Assert.Equal(before, Resolve("--snapshot", "two", "needy").AssertSucceeded().Out);
    }

    [Theory]
    [InlineData("rm tool-2-1.noarch.rpm", "", "the snapshot lacks this file: No such file or directory")]
    [InlineData("true", "rm -f objects/sha256/*/$sum", "the store has no object ")]
    public void A_package_that_is_not_there_is_told(string lack, string loss, string reason)
    {
        Published.OrSkip();
        using TempFolder folder = new();
        Programs.Shell($"mkdir {folder / "repo"} && cp {Repository.PathOf("artifacts", "made-rpms", "one")}/{{tool,engine,filesystem}}-*.rpm {folder / "repo"} && cd {folder / "repo"} && createrepo_c --quiet . && {lack}");
        Tools.Run("rpm-repo-snapshot", "sync", "--store", folder / "store", "--repo", $"made=file://{folder / "repo"}", "--allow-missing", "--tag", "one").AssertSucceeded();
        Programs.Shell($"cd {folder / "store"} && sum={Sum("tool-2-1.noarch.rpm")[7..]} && {(loss.Length == 0 ? ":" : loss)}");
        string line = made.Compile("lacking", """{ "item": "rpms_install", "names": ["tool"] }""", $$""" "rpm_snapshot": { "store": "{{folder / "store"}}", "tag": "one" }, """, "--volume", made.Volume).FirstErrorLine;
        Assert.Contains("features[0]: rpms_install tool: tool-2-1.noarch: ", line, StringComparison.Ordinal);
        Assert.Contains($"; tool-2-1.noarch.rpm: {reason}", line, StringComparison.Ordinal);
    }

    [Fact]
    public void A_package_of_a_module_needs_its_platform()
    {
        Published.OrSkip();
        string repo = File("modular");
        Programs.Shell($"mkdir {repo} && cp {Repository.PathOf("artifacts", "made-rpms", "one")}/{{engine-2,filesystem-1}}-*.rpm {repo} && createrepo_c --quiet {repo}");
        System.IO.File.WriteAllText(File("modules.yaml"), """
            ---
            document: modulemd
            version: 2
            data:
              name: motor
              stream: "1"
              version: 20200101000000
              context: c0ffee42
              arch: x86_64
              summary: A module
              description: One package.
              license: {module: [MIT]}
              dependencies:
              - requires: {platform: [made]}
              artifacts:
                rpms: ["engine-0:2-1.noarch"]
            ---
            document: modulemd-defaults
            version: 1
            data:
              module: motor
              stream: "1"
            ...

            """);
        Programs.Run("modifyrepo_c", "--mdtype", "modules", File("modules.yaml"), Path.Combine(repo, "repodata"));
        Tools.Run("rpm-repo-snapshot", "sync", "--store", made.Store, "--repo", $"made=file://{repo}", "--tag", "modular").AssertSucceeded();
        Assert.Equal("rpm-resolve: 'engine' is only in modules that are not enabled ('module_platform'); no package matches 'nosuch'", Resolve("--snapshot", "modular", "engine", "nosuch").FirstErrorLine);
        Assert.Contains("engine-2-1", Resolve("--snapshot", "modular", "--module-platform", "platform:made", "engine").AssertSucceeded().Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_version_policy_is_a_snapshot_like_any_other()
    {
        Published.OrSkip();
        System.IO.File.WriteAllText(File("policy.json"), """{ "deny": [ { "name": "tool", "evr": "2-1" } ] }""");
        Tools.Run("rpm-repo-snapshot", "view", "--store", made.Store, "one", "--policy", File("policy.json"), "--tag", "view").AssertSucceeded();
        Assert.Equal(["engine-2-1.noarch", "filesystem-1-1.noarch", "tool-1-1.noarch"],
            RpmLock.Parse(Resolve("--snapshot", "view", "tool").AssertSucceeded().Bytes, "lock").Packages.Select(package => package.Nevra));
        Tools.Result denied = Compile("denied", """{ "item": "rpms_install", "names": ["tool-2"] }""", "view");
        Assert.Equal($"layer-compile: {File("denied.layer.json")}: features[0]: rpms_install tool-2: no package matches 'tool-2'", denied.FirstErrorLine);
    }

    [Fact]
    public void With_keys_only_what_they_signed_is_installed()
    {
        Published.OrSkip();
        Programs.Shell($$"""
            export HOME={{made.Folder}}/home GNUPGHOME={{made.Folder}}/home; mkdir -m 700 $HOME; mkdir {{made.Folder}}/signed
            trap 'gpgconf --kill gpg-agent' EXIT
            gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key 'Test <test@test.invalid>' rsa2048 sign never 2>/dev/null
            gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key 'Other <other@test.invalid>' rsa2048 sign never 2>/dev/null
            gpg --armor --export test@test.invalid > {{made.Folder}}/key
            gpg --export > {{made.Folder}}/both.pgp
            gpg --armor --export > {{made.Folder}}/both
            gpg --armor --export other@test.invalid > {{made.Folder}}/other
            head -c 200 {{made.Folder}}/both.pgp > {{made.Folder}}/cut
            cp {{Repository.PathOf("artifacts", "made-rpms", "one")}}/{filesystem-1,manual-1,engine-1}-*.rpm {{made.Folder}}/signed
            rpmsign --define "__gpg $(command -v gpg)" --define '_gpg_name test@test.invalid' --addsign {{made.Folder}}/signed/{filesystem,manual}-*.rpm >/dev/null 2>&1
            createrepo_c --quiet {{made.Folder}}/signed
            """);
        Tools.Run("rpm-repo-snapshot", "sync", "--store", made.Store, "--repo", $"signed=file://{made.Folder}/signed", "--tag", "signed").AssertSucceeded();
        const string keys = """, "keys": ["key"] """, manual = """{ "item": "rpms_install", "names": ["manual"] }""";
        // Whatever form their file has, and however many are in it.
        foreach (string file in (string[])["key", "both", "both.pgp"])
            Compile("signed", manual, "signed", $", \"keys\": [\"{file}\"] ").AssertSucceeded();
        Assert.EndsWith("rpms_install manual: filesystem-1-1.noarch: public key not available; manual-1-1.noarch: public key not available", Compile("other", manual, "signed", """, "keys": ["other"] """).FirstErrorLine, StringComparison.Ordinal);
        Assert.EndsWith("rpms_install manual: cut: its OpenPGP packets are damaged", Compile("cut", manual, "signed", """, "keys": ["cut"] """).FirstErrorLine, StringComparison.Ordinal);
        Tools.Result unsigned = Compile("unsigned", """{ "item": "rpms_install", "names": ["engine"] }""", "signed", keys);
        Assert.Equal($"layer-compile: {File("unsigned.layer.json")}: features[0]: rpms_install engine: engine-1-1.noarch: is not signed", unsigned.FirstErrorLine);
    }

    [Fact]
    public void Documentation_stays_away_when_it_is_not_wanted_and_weak_dependencies_come_when_they_are()
    {
        Published.OrSkip();
        Compile("docs", """{ "item": "rpms_install", "names": ["needy", "manual"] }""", "one", """, "docs": false, "weak_deps": true """).AssertSucceeded();
        string path = Path.Combine(made.Volume, LayerHandle.Read(made.Handle("docs")).Subvolume, "usr/share");
        Assert.Equal((false, true), (System.IO.File.Exists(Path.Combine(path, "manual/README")), System.IO.File.Exists(Path.Combine(path, "extra/version"))));
    }

    private static string Sum(string package) => $"sha256:{Programs.Run("sha256sum", Repository.PathOf("artifacts", "made-rpms", "one", package)).Split(' ')[0]}";
}
