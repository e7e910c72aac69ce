using System.Diagnostics;

namespace Layerbox.Tests.EndToEnd.RpmSnapshots;

/// <summary>A store that gc was killed in, at any moment.</summary>
public class CollectionKillTests
{
    private const int Kills = 25, Seed = 6, Packages = 60;

    // Repositories 0 to 5, each of which shares half of its packages with the next. That packages are no RPMs is nothing to a store.
    private const string Repositories = """
        import hashlib, os
        for r in range(6):
            os.makedirs(f"{r}/repodata")
            primary = "<metadata xmlns='http://linux.duke.edu/metadata/common' packages='60'>"
            for i in range(r * 30, r * 30 + 60):
                data = b"package %d" % i
                open(f"{r}/{i}.rpm", "wb").write(data)
                primary += f"<package type='rpm'><name>p{i}</name><arch>noarch</arch><version epoch='0' ver='1' rel='1'/><checksum type='sha256' pkgid='YES'>{hashlib.sha256(data).hexdigest()}</checksum><location href='{i}.rpm'/></package>"
            primary += "</metadata>"
            open(f"{r}/repodata/primary.xml", "w").write(primary)
            sum = hashlib.sha256(primary.encode()).hexdigest()
            open(f"{r}/repodata/repomd.xml", "w").write(f"<repomd xmlns='http://linux.duke.edu/metadata/repo'><data type='primary'><checksum type='sha256'>{sum}</checksum><location href='repodata/primary.xml'/></data></repomd>")
        """;

    [Fact]
    public void Is_whole_and_has_what_is_kept()
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "make.py", Repositories);
        Must(folder, "set -e; python3 make.py; for r in 0 1 2 3 4 5; do \"$L\" rpm-repo-snapshot sync --store store --repo \"x=file://$PWD/$r\" --tag \"t$r\"; touch -d \"-$((6 - r)) hours\" store/snapshots/$(cat store/refs/tags/t$r).json; done; cp -a store whole");
        Stopwatch once = Stopwatch.StartNew();
        Must(folder, "\"$L\" rpm-repo-snapshot gc --store store --keep-tag t5 --grace 0s");
        TimeSpan usual = once.Elapsed;
        string expected = Must(folder, "cd store && find objects snapshots refs -type f | sort");
        // And primary.xml, repomd.xml; the snapshot, its tag, and what was synced last.
        Assert.Equal(Packages + 2 + 3, expected.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Random random = new(Seed);
        string store = folder / "store";
        for (int kill = 0; kill < Kills; kill++)
        {
            if (kill % 5 == 0)
                Must(folder, "chmod -R u+w store && rm -r store && cp -a whole store");
            ProcessStartInfo start = new(Executable.Path, ["rpm-repo-snapshot", "gc", "--store", store, "--keep-tag", "t5", "--grace", "0s"]) { RedirectStandardOutput = true, RedirectStandardError = true };
            using (Process process = Process.Start(start)!)
            {
                process.WaitForExit(random.Next(1 + (int)usual.TotalMilliseconds));
                process.Kill();
                process.WaitForExit();
            }
            Must(folder, "\"$L\" rpm-repo-snapshot verify --store store --progress none");
        }
        Must(folder, "\"$L\" rpm-repo-snapshot gc --store store --keep-tag t5 --grace 0s");
        Assert.Equal(expected, Must(folder, "cd store && find objects snapshots refs -type f | sort"));
    }

    private static string Must(TempFolder folder, string script)
    {
        (int status, string output, string errors) = Executable.Shell(script, folder.Path);
        Assert.True(status == 0, $"exit status {status}: {output}{errors}\n{script}");
        return output;
    }
}
