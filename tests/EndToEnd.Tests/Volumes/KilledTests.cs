using System.Diagnostics;

namespace Layerbox.Tests.EndToEnd;

/// <summary>SIGKILL at any moment: the next run works, and the collector finds all that was left.</summary>
public class KilledTests
{
    private const string Base = """
        { "name": "base", "features": [
          { "item": "extract", "root": "/", "programs": ["/bin/sh", "/usr/bin/touch"] },
          { "item": "ensure_dirs", "path": "/etc" },
          { "item": "text", "dest": "/etc/passwd", "text": "root:x:0:0::/:/bin/sh\n", "mode": "0644" },
          { "item": "text", "dest": "/etc/group", "text": "root:x:0:\n", "mode": "0644" }
        ] }
        """;

    private const string Child = """
        { "name": "child", "parent": "base.layer", "features": [
          { "item": "install", "source": "files", "dest": "/files" },
          { "item": "ensure_dirs", "path": "/srv/unpacked" },
          { "item": "tarball", "source": "files.tar", "into": "/srv/unpacked" },
          { "item": "run", "command": ["/bin/sh", "-c", "for i in 0 1 2 3 4 5 6 7 8 9; do touch /made-$i; done"] }
        ] }
        """;

    [Fact]
    public void Compilation() => Kill(20, Compiling);

    [Fact]
    public void Import() => Kill(15, Importing);

    [Fact]
    public void Installation_of_packages() => Kill(20, Installing);

    private static string[] Compiling(Workbench bench)
    {
        bench.Script("""
            mkdir files; for i in {1..300}; do echo "number $i" > files/$i; done; head -c 3M /dev/urandom > files/large
            tar --create --file files.tar --directory files .
            """);
        bench.Write("base.layer.json", Base);
        bench.Write("child.layer.json", Child);
        bench.Must("layer-compile", "base.layer.json", "--output", "base.layer");
        return ["layer-compile", "child.layer.json", "--no-cache", "--progress", "none", "--output", "out.layer"];
    }

    private static string[] Installing(Workbench bench)
    {
        string made = Repository.PathOf("artifacts", "made-rpms");
        (int status, _, string errors) = Programs.Try(Repository.PathOf("scripts", "make-rpms"), made);
        Assert.SkipWhen(status == 77 && Environment.GetEnvironmentVariable("CI") != "true", errors.TrimEnd().Split('\n')[^1]);
        Assert.True(status == 0, $"make-rpms: exit status {status}: {errors}");
        bench.Must("rpm-repo-snapshot", "sync", "--store", "store", "--repo", $"made=file://{made}/one", "--tag", "one");
        const string Source = """ "rpm_snapshot": { "store": "store", "tag": "one" }, """;
        bench.Write("base.layer.json", $$"""{ "name": "base", {{Source}} "features": [{ "item": "rpms_install", "names": ["bash", "coreutils", "sed"] }] }""");
        bench.Write("child.layer.json", $$"""{ "name": "child", "parent": "base.layer", {{Source}} "features": [{ "item": "rpms_install", "names": ["needy", "scripted", "rights"] }] }""");
        bench.Must("layer-compile", "base.layer.json", "--output", "base.layer");
        return ["layer-compile", "child.layer.json", "--no-cache", "--progress", "none", "--output", "out.layer"];
    }

    private static string[] Importing(Workbench bench)
    {
        string digest = bench.Script("""
            mkdir -p tree/{1..20}; for i in tree/*; do for j in {1..100}; do echo "$i $j" > $i/$j; done; done; head -c 3M /dev/urandom > tree/large
            tar --create --zstd --file tree.tar.zst --directory tree .
            sha256sum < tree.tar.zst | cut -d ' ' -f 1
            """).TrimEnd();
        return ["layer-import", "tree.tar.zst", "--sha256", digest, "--no-cache", "--progress", "none", "--output", "out.layer"];
    }

    [Theory]
    [InlineData("directory")]
    [InlineData("tar.zst")]
    public void Packaging(string format)
    {
        const int Count = 8;
        using Workbench bench = Workbench.OrSkip();
        bench.Must(Importing(bench));
        string[] tool = ["image-package", "out.layer", "--format", format, "--output", "package", "--progress", "none"], beside = Workbench.Names(bench / ".");
        long start = Stopwatch.GetTimestamp();
        bench.Must(tool);
        TimeSpan duration = Stopwatch.GetElapsedTime(start);
        Random random = new(Count);
        for (int i = 0; i < Count; i++)
        {
            bench.Script("rm -r package");
            KillAfter(duration * (1.05 * (i + random.NextDouble()) / Count), bench, tool);
            bench.Script("rm -rf package");
            bench.Must(tool);
            Assert.Equal([.. beside, "package"], Workbench.Names(bench / ".").OrderBy(name => name == "package"));
        }
        bench.AssertNothingLeaks("out.layer");
    }

    private static void Kill(int count, Func<Workbench, string[]> prepare)
    {
        using Workbench bench = Workbench.OrSkip();
        string[] tool = prepare(bench);
        bench.Must(tool);
        long start = Stopwatch.GetTimestamp();
        bench.Must(tool);
        TimeSpan duration = Stopwatch.GetElapsedTime(start);
        string expected = bench.Must("layer-show", "out.layer");
        string[] beside = Workbench.Names(bench / ".");

        Random random = new(count);
        for (int i = 0; i < count; i++)
        {
            if (i % 2 == 0)
                File.Delete(bench / "out.layer");
            KillAfter(duration * (1.05 * (i + random.NextDouble()) / count), bench, tool);
            // None, the one before, or that of a run which had all but ended.
            if (i % 2 == 1 || File.Exists(bench / "out.layer"))
                Assert.Equal(expected, bench.Must("layer-show", "out.layer"));
            bench.Must(tool);
        }

        Assert.Equal(expected, bench.Must("layer-show", "out.layer"));
        Assert.NotEmpty(Directory.EnumerateDirectories(Path.Combine(bench.Volume, "tmp")));
        Assert.Equal(beside, Workbench.Names(bench / "."));
        bench.AssertNothingLeaks([.. beside.Where(name => name.EndsWith(".layer", StringComparison.Ordinal))]);
    }

    [Fact]
    public void Collection()
    {
        const int Count = 15, Layers = 6;
        using Workbench bench = Workbench.OrSkip();
        bench.Write("kept.layer.json", """{ "name": "kept", "features": [{ "item": "text", "dest": "/a", "text": "kept" }] }""");
        bench.Must("layer-compile", "kept.layer.json", "--output", "kept.layer");
        for (int i = 0; i < Layers; i++)
            bench.Write($"{i}.layer.json", $$"""{ "name": "n{{i}}", "parent": "kept.layer", "features": [{ "item": "text", "dest": "/{{i}}", "text": "gone" }] }""");
        string[] tool = ["subvol-gc", "--grace", "0s"];
        string expected = bench.Must("layer-show", "kept.layer");

        MakeGarbage();
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(Layers, bench.Must(tool).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        TimeSpan duration = Stopwatch.GetElapsedTime(start);
        Random random = new(Count);
        for (int i = 0; i < Count; i++)
        {
            MakeGarbage();
            bench.Must("layer-compile", "kept.layer.json", "--output", "short.layer");
            File.Delete(bench / "short.layer");
            KillAfter(duration * (1.05 * (i + random.NextDouble()) / Count), bench, tool);
            Assert.Equal(expected, bench.Must("layer-show", "kept.layer"));
            bench.Must(tool);
            bench.AssertNothingLeaks("kept.layer");
        }

        void MakeGarbage()
        {
            for (int i = 0; i < Layers; i++)
                bench.Must("layer-compile", $"{i}.layer.json");
        }
    }

    private static void KillAfter(TimeSpan delay, Workbench bench, string[] tool)
    {
        using Process process = bench.StartTool(tool);
        Thread.Sleep(delay);
        process.Kill();
        process.WaitForExit();
    }
}
