using System.Text.Json;
using Layerbox.Layer;
using Layerbox.Tests.Rpm;

namespace Layerbox.Tests.Layer.Rpms;

/// <summary>Layers of packages, by the real dnf, from snapshots.</summary>
public sealed class RpmLayerTests(MadeRpms made) : IClassFixture<MadeRpms>
{
    private const string OnBase = """ "parent": "base.layer", """;

    private Tools.Result Try(string name, string features, string tag = "one", string more = OnBase) =>
        made.Compile(name, features, more + MadeRpms.Source(tag), "--volume", made.Volume);

    private List<RpmRecord> Packages(string name) =>
        [.. Tools.Run("layer-show", made.Handle(name), "--format", "packages", "--volume", made.Volume).AssertSucceeded().Out
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize(line, RpmRecordJson.Default.RpmRecord)!)];

    /// <summary>What a command says in a container of the layer.</summary>
    private string Inside(string name, string script) =>
        Programs.Run(Published.OrSkip(), "container-run", PathOf(name), "--", "/bin/sh", "-c", script);

    private string PathOf(string name) => Path.Combine(made.Volume, LayerHandle.Read(made.Handle(name)).Subvolume);

    private string InstalledIn(string name) => Sorted(Inside(name, "rpm -qa --qf '%{NEVRA}\\n'").Split('\n', StringSplitOptions.RemoveEmptyEntries));

    private static string Sorted(IEnumerable<string> lines) => string.Join('\n', lines.Order(StringComparer.Ordinal));

    [Fact]
    public void A_base_of_many_packages_runs_and_verifies_and_is_the_same_on_another_volume()
    {
        made.NeedBase();
        // Exit status 0: all is as the packages say, but for what %ghost and %config leave open.
        Assert.Equal("", Inside("base", "rpm -Va"));
        Assert.Equal("configured\n0\n", Inside("base", "cat /etc/scripted.conf; stat -c %s /etc/machine-id"));
        List<RpmRecord> packages = Packages("base");
        Assert.InRange(packages.Count, 50, 200);
        Assert.Equal(InstalledIn("base"), Sorted(packages.Select(package => package.Nevra)));
        Assert.All(packages, package => Assert.True(package is { Digest.Length: 71, HeaderDigest.Length: 71, Layer: "base", Repo: "made" }));
        Assert.Equal(("user", "dependency"), (packages.Single(p => p.Nevra == "tool-1-1.noarch").Reason, packages.Single(p => p.Nevra.StartsWith("libc6-", StringComparison.Ordinal)).Reason));
        RpmRecord tool = packages.Single(p => p.Nevra == "tool-1-1.noarch");
        Assert.Equal(tool.Digest, $"sha256:{Programs.Run("sha256sum", Repository.PathOf("artifacts", "made-rpms", "one", "tool-1-1.noarch.rpm")).Split(' ')[0]}");

        using TempVolume other = TempVolume.OrSkip(2L << 30);
        Tools.Result again = Tools.Run("layer-compile", Path.Combine(made.Folder, "base.layer.json"), "--volume", other.Path, "--progress", "none").AssertSucceeded();
        Assert.Equal(LayerHandle.Read(made.Handle("base")).Digest, LayerHandle.Parse(again.Bytes, "handle").Digest);
    }

    [Fact]
    public void A_child_upgrades_downgrades_and_removes_in_one_transaction()
    {
        made.NeedBase();
        Try("child", """
            { "item": "rpms_install", "names": ["tool", "engine-2-1.noarch", "bash"] }, { "item": "rpms_remove", "names": ["extra"] },
            { "item": "rpms_install", "names": ["needy-1"] }, { "item": "remove", "path": "/usr/share/needy/version" }
            """).AssertSucceeded();
        string[] before = InstalledIn("base").Split('\n'), after = InstalledIn("child").Split('\n');
        Assert.Equal(["extra-2-1.noarch", "tool-1-1.noarch"], before.Except(after));
        Assert.Equal(["needy-1-1.noarch", "tool-2-1.noarch"], after.Except(before));
        Assert.Equal(Sorted(after), Sorted(Packages("child").Select(package => package.Nevra)));
        // Who brought each: what the child did not touch is still the base's.
        Assert.Equal(["needy-1-1.noarch", "tool-2-1.noarch"], Packages("child").Where(p => p.Layer == "child").Select(p => p.Nevra));

        Try("grandchild", """{ "item": "rpms_install", "names": ["tool-1-1", "engine-1-1"] }""", more: """ "parent": "child.layer", """).AssertSucceeded();
        Assert.Equal(["engine-1-1.noarch", "tool-1-1.noarch"], InstalledIn("grandchild").Split('\n').Except(after));
        Tools.Result difference = Tools.Run("layer-diff", made.Handle("child"), made.Handle("grandchild"), "--volume", made.Volume);
        Assert.Equal((1, "M /usr/lib/sysimage/rpm/rpmdb.sqlite content\nM /usr/share/engine/version content\nM /usr/share/tool/version content\n"), (difference.Status, difference.Out));
    }

    [Fact]
    public void What_is_there_in_that_version_stays_as_it_is()
    {
        made.NeedBase();
        Try("same", """{ "item": "rpms_install", "names": ["tool-1-1", "bash", "/usr/share/extra/version"] }, { "item": "rpms_remove", "names": ["orphan"], "must_exist": false }""").AssertSucceeded();
        Assert.Equal(LayerHandle.Read(made.Handle("base")).Digest, LayerHandle.Read(made.Handle("same")).Digest);
    }

    [Theory]
    [InlineData("rpms_install nosuch", """{ "item": "rpms_install", "names": ["nosuch"] }""", "no package matches 'nosuch'")]
    [InlineData("rpms_install orphan", """{ "item": "rpms_install", "names": ["orphan"] }""", "nothing provides nobody-has-this needed by orphan-2-1.noarch")]
    [InlineData("rpms_install rival", """{ "item": "rpms_install", "names": ["rival"] }""", "problem with installed package tool-1-1.noarch; package rival-2-1.noarch conflicts with tool provided by tool-1-1.noarch")]
    [InlineData("rpms_install badpre", """{ "item": "rpms_install", "names": ["badpre"] }""", "badpre-2-1.noarch: %prein scriptlet failed, exit status 3; it said: cannot begin")]
    [InlineData("rpms_install badpost", """{ "item": "rpms_install", "names": ["badpost"] }""", "badpost-2-1.noarch: %post scriptlet failed, exit status 4; it said: cannot end")]
    [InlineData("rpms_install stranger", """{ "item": "rpms_install", "names": ["stranger"] }""", "files belong to group 'nogroupknows', which the image does not have; files belong to user 'nobodyknows', which the image does not have")]
    [InlineData("rpms_remove engine", """{ "item": "rpms_remove", "names": ["engine"] }""", "'engine' is needed by tool-1-1.noarch")]
    [InlineData("rpms_remove legacy", """{ "item": "rpms_remove", "names": ["legacy"] }""", "'legacy' is to be removed, but is not installed")]
    [InlineData("rpms_install legacy", """{ "item": "rpms_install", "names": ["legacy"] }""", "'legacy' would not be installed, since heir-2-1.noarch obsoletes it")]
    [InlineData("rpms_install tool", """{ "item": "rpms_install", "names": ["tool"] }, { "item": "rpms_remove", "names": ["tool-1"] }""", "'tool' is to be installed, and 'tool-1' to be removed: one of the two")]
    [InlineData("rpms_install tool-1 …", """{ "item": "rpms_install", "names": ["tool-1", "tool-2"] }""", "cannot install both tool-")]
    public void Says_in_one_line_why_it_cannot_be(string item, string features, string reason)
    {
        made.NeedBase();
        Tools.Result result = Try("bad", features);
        Assert.Equal((2, ""), (result.Status, result.Out));
        Assert.StartsWith($"layer-compile: {Path.Combine(made.Folder, "bad.layer.json")}: features[0]: {item}: ", result.Err, StringComparison.Ordinal);
        Assert.Contains(reason, result.Err, StringComparison.Ordinal);
        Assert.Equal(1, result.Err.Count(c => c == '\n'));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(made.Volume, "tmp")));
        Assert.Single(File.ReadLines("/proc/self/mountinfo"), line => line.Contains(made.Volume, StringComparison.Ordinal));
    }

    [Fact]
    public void The_dnf_of_a_layer_does_what_this_machines_does()
    {
        Published.OrSkip();
        string archive = Path.Combine(made.Folder, "dnf.tar");
        Programs.Run(Repository.PathOf("scripts", "make-rpms"), "--appliance", archive);
        string digest = Programs.Run("sha256sum", archive).Split(' ')[0];
        Tools.Run("layer-import", archive, "--sha256", digest, "--name", "dnf", "--output", made.Handle("dnf"), "--volume", made.Volume, "--progress", "none").AssertSucceeded();
        const string needy = """{ "item": "rpms_install", "names": ["needy"] }""";
        string with = LayerHandle.Parse(made.Compile("with", needy, MadeRpms.Source("one", """, "appliance": "dnf.layer" """), "--volume", made.Volume).AssertSucceeded().Bytes, "handle").Digest;
        Assert.Equal(LayerHandle.Parse(Try("without", needy, more: "").AssertSucceeded().Bytes, "handle").Digest, with);
        Tools.Result resolved = Tools.Run("rpm-resolve", "--store", made.Store, "--snapshot", "one", "--appliance", made.Handle("dnf"), "--volume", made.Volume, "--progress", "none", "needy");
        Assert.Equal(Tools.Run("rpm-resolve", "--store", made.Store, "--snapshot", "one", "--progress", "none", "needy").AssertSucceeded().Out, resolved.AssertSucceeded().Out);
        Compile_refuses_an_appliance_without_dnf();
    }

    private void Compile_refuses_an_appliance_without_dnf()
    {
        Tools.Result result = made.Compile("with", """{ "item": "rpms_install", "names": ["needy"] }""", MadeRpms.Source("one", """, "appliance": "without.layer" """), "--volume", made.Volume);
        Assert.StartsWith("layer-compile: appliance without: dnf is not installed", result.FirstErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void What_an_image_from_elsewhere_would_get_is_known_too()
    {
        made.NeedBase();
        // There the database is in WAL mode, in which SQLite opens it only where it can write.
        string copy = Path.Combine(made.Folder, "elsewhere"), archive = $"{copy}.tar";
        Programs.Shell($"cp -a {PathOf("base")} {copy} && sqlite3 {copy}/usr/lib/sysimage/rpm/rpmdb.sqlite 'pragma journal_mode = wal' && tar -C {copy} -cf {archive} . && rm -r {copy}");
        string digest = Programs.Run("sha256sum", archive).Split(' ')[0];
        Tools.Run("layer-import", archive, "--sha256", digest, "--name", "elsewhere", "--output", made.Handle("elsewhere"), "--volume", made.Volume, "--progress", "none").AssertSucceeded();
        File.Delete(archive);
        Assert.Equal(Resolved("base"), Resolved("elsewhere"));

        string Resolved(string name) => Tools.Run(
            "rpm-resolve", "--store", made.Store, "--snapshot", "one", "--parent", made.Handle(name), "--volume", made.Volume, "--progress", "none", "tool").AssertSucceeded().Out;
    }

    [Fact]
    public void A_database_elsewhere_is_found_by_the_layers_above()
    {
        Published.OrSkip();
        const string elsewhere = """, "dbpath": "/opt/rpmdb" """;
        made.Compile("moved", """{ "item": "rpms_install", "names": ["engine", "extra"] }""", MadeRpms.Source("one", elsewhere), "--volume", made.Volume).AssertSucceeded();
        made.Compile("unchanged", """{ "item": "ensure_dirs", "path": "/more" }""", """ "parent": "moved.layer", """, "--volume", made.Volume).AssertSucceeded();
        made.Compile("above", """{ "item": "rpms_install", "names": ["manual"] }, { "item": "rpms_remove", "names": ["extra"] }""", """ "parent": "unchanged.layer", """ + MadeRpms.Source("one"), "--volume", made.Volume).AssertSucceeded();
        Assert.Equal(["engine-2-1.noarch", "filesystem-1-1.noarch", "manual-2-1.noarch"], Packages("above").Select(package => package.Nevra));
        Assert.Equal([Path.Combine(PathOf("above"), "opt/rpmdb/rpmdb.sqlite")], Directory.GetFiles(PathOf("above"), "rpmdb.sqlite", SearchOption.AllDirectories));
        Assert.DoesNotContain("engine", Tools.Run("rpm-resolve", "--store", made.Store, "--snapshot", "one", "--parent", made.Handle("moved"), "--volume", made.Volume, "--progress", "none", "tool").AssertSucceeded().Out, StringComparison.Ordinal);

        made.NeedBase();
        Assert.EndsWith(": 'dbpath' is /opt/rpmdb, but the parent has its rpm database in /usr/lib/sysimage/rpm",
            made.Compile("bad", """{ "item": "rpms_install", "names": ["manual"] }""", OnBase + MadeRpms.Source("one", elsewhere), "--volume", made.Volume).FirstErrorLine, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hello")]
    [InlineData("""{"event":"error","message":"made up"}""")]
    public void What_a_package_prints_is_no_word_of_ours(string said)
    {
        Published.OrSkip();
        // rpm runs Lua in dnf's own process.
        string folder = Path.Combine(made.Folder, "talks");
        BuiltRpms.Build(folder, "talker", $"""
            Name: talker
            Version: 1
            Release: 1
            Summary: talks
            License: MIT
            BuildArch: noarch
            %description
            talks
            %post -p <lua>
            print('{said}')
            %files
            """);
        Programs.Run("createrepo_c", "--quiet", folder);
        Tools.Run("rpm-repo-snapshot", "sync", "--store", made.Store, "--repo", $"made=file://{folder}", "--tag", "talks").AssertSucceeded();
        Try("talks", """{ "item": "rpms_install", "names": ["talker"] }""", "talks", more: "").AssertSucceeded();
        Assert.Equal(["talker-1-1.noarch"], Packages("talks").Select(package => package.Nevra));
    }

    [Fact]
    public void Who_would_replace_a_package_is_said()
    {
        Published.OrSkip();
        string own = Repository.PathOf("artifacts", "made-rpms", "one", "legacy-1-1.noarch.rpm");
        File.Copy(own, Path.Combine(made.Folder, "legacy.rpm"), overwrite: true);
        made.Compile("old", """{ "item": "rpms_install", "source": "legacy.rpm" }""", MadeRpms.Source("one"), "--volume", made.Volume).AssertSucceeded();
        const string heir = """{ "item": "rpms_install", "names": ["heir"] }""", onOld = """ "parent": "old.layer", """;
        Assert.EndsWith(": legacy-1-1.noarch would be removed, which no rpms_remove names (replaced by heir-2-1.noarch)", Try("new", heir, more: onOld).FirstErrorLine, StringComparison.Ordinal);
        Try("new", heir + """, { "item": "rpms_remove", "names": ["legacy"] }""", more: onOld).AssertSucceeded();
    }

    [Theory]
    [InlineData("pretrans")]
    [InlineData("post")]
    public void Why_Lua_failed_is_said(string kind)
    {
        Published.OrSkip();
        string folder = Path.Combine(made.Folder, $"lua-{kind}");
        BuiltRpms.Build(folder, "fails", $"""
            Name: fails
            Version: 1
            Release: 1
            Summary: fails
            License: MIT
            BuildArch: noarch
            %description
            fails
            %{kind} -p <lua>
            error('no luck')
            %files
            """);
        Tools.Result result = made.Compile("lua", $$"""{ "item": "rpms_install", "source": "lua-{{kind}}/fails-1-1.noarch.rpm" }""", "", "--volume", made.Volume);
        Assert.EndsWith($": fails-1-1.noarch: %{kind} failed: line 1: no luck", result.FirstErrorLine, StringComparison.Ordinal);
        Assert.Equal((2, 1), (result.Status, result.Err.Count(c => c == '\n')));
    }

    [Fact]
    public void A_full_volume_is_said_to_be_full()
    {
        made.NeedBase();
        using TempVolume small = TempVolume.OrSkip(280L << 20);
        Tools.Result result = made.Compile("full", """{ "item": "rpms_install", "names": ["large"] }""", MadeRpms.Source("one"), "--volume", small.Path);
        Assert.Equal((2, ""), (result.Status, result.Out));
        Assert.Matches("large-2-1.noarch needs [0-9]+MB( more space)? on the / filesystem", result.Err);
        Assert.Empty(Directory.EnumerateFileSystemEntries(small / "tmp"));
    }
}
