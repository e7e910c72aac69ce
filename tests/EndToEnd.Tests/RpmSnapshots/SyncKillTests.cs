using System.Diagnostics;

namespace Layerbox.Tests.EndToEnd.RpmSnapshots;

/// <summary>A store that sync was killed in, at any moment.</summary>
public class SyncKillTests
{
    private const int Kills = 50, Seed = 5;

    // Two states of a repository with half of the packages in common, by checksums that are not the store's own. That packages are no RPMs is nothing to a store.
    private const string Repositories = """
        import hashlib, os
        for r in range(2):
            os.makedirs(f"{r}/repodata")
            primary = "<metadata xmlns='http://linux.duke.edu/metadata/common' packages='200'>"
            for i in range(r * 100, r * 100 + 200):
                data = b"package %d" % i * 300
                open(f"{r}/{i}.rpm", "wb").write(data)
                primary += f"<package type='rpm'><name>p{i}</name><arch>noarch</arch><version epoch='0' ver='1' rel='1'/><checksum type='sha512' pkgid='YES'>{hashlib.sha512(data).hexdigest()}</checksum><size package='{len(data)}'/><location href='{i}.rpm'/></package>"
            primary += "</metadata>"
            open(f"{r}/repodata/primary.xml", "w").write(primary)
            sum = hashlib.sha256(primary.encode()).hexdigest()
            open(f"{r}/repodata/repomd.xml", "w").write(f"<repomd xmlns='http://linux.duke.edu/metadata/repo'><data type='primary'><checksum type='sha256'>{sum}</checksum><location href='repodata/primary.xml'/><timestamp>{r + 1}</timestamp></data></repomd>")
        """;

    private const string Contents = "find objects snapshots refs aliases tmp -type f | sort | xargs sha256sum";

    [Fact]
    public void Is_whole_and_ends_as_one_that_was_left_alone()
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "make.py", Repositories);
        Must(folder, "set -e; python3 make.py; \"$L\" rpm-repo-snapshot sync --store first --repo \"x=file://$PWD/0\" --tag t0; cp -a first store");
        Stopwatch once = Stopwatch.StartNew();
        Must(folder, "\"$L\" rpm-repo-snapshot sync --store store --repo \"x=file://$PWD/1\" --tag t1");
        TimeSpan usual = once.Elapsed;
        string expected = Must(folder, $"cd store && {Contents}");
        // Packages, metadata, snapshots, tags, what the last sync had, aliases.
        Assert.Equal(300 + 4 + 2 + 2 + 1 + 1, expected.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Random random = new(Seed);
        string store = folder / "store";
        int died = 0;
        for (int kill = 0; kill < Kills; kill++)
        {
            // Now and then from the beginning; else what the last one left is gone on from.
            if (kill % 5 == 0)
                Must(folder, "chmod -R u+w store && rm -r store && cp -a first store");
            ProcessStartInfo start = new(Executable.Path, ["rpm-repo-snapshot", "sync", "--store", store, "--repo", $"x=file://{folder.Path}/1", "--tag", "t1"]) { RedirectStandardOutput = true, RedirectStandardError = true };
            using (Process process = Process.Start(start)!)
            {
                process.WaitForExit(random.Next(1 + (int)usual.TotalMilliseconds));
                process.Kill();
                process.WaitForExit();
                died += process.ExitCode == 0 ? 0 : 1;
            }
            Must(folder, "\"$L\" rpm-repo-snapshot verify --store store --progress none");
            if (kill % 5 == 4)
            {
                Must(folder, "\"$L\" rpm-repo-snapshot sync --store store --repo \"x=file://$PWD/1\" --tag t1");
                Assert.Equal(expected, Must(folder, $"cd store && {Contents}"));
            }
        }
        Assert.InRange(died, 1, Kills);
    }

    private static string Must(TempFolder folder, string script)
    {
        (int status, string output, string errors) = Executable.Shell(script, folder.Path);
        Assert.True(status == 0, $"exit status {status}: {output}{errors}\n{script}");
        return output;
    }
}
