using System.Diagnostics;

namespace Layerbox.Tests.EndToEnd.RpmSnapshots;

/// <summary>A store that gc was killed in, at any moment.</summary>
public class CollectionKillTests
{
    private const int Kills = 25, Seed = 6, Packages = 60;

    [Fact]
    public void Is_whole_and_has_what_is_kept()
    {
        using TempFolder folder = new();
        // Each shares half of its packages with the next.
        for (int i = 0; i < 6; i++)
            RawRepositories.Write(folder / $"{i}", 30 * i, Packages);
        Must(folder, "set -e; for r in 0 1 2 3 4 5; do \"$L\" rpm-repo-snapshot sync --store store --repo \"x=file://$PWD/$r\" --tag \"t$r\"; touch -d \"-$((6 - r)) hours\" store/snapshots/$(cat store/refs/tags/t$r).json; done; cp -a store whole");
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

    private static string Must(TempFolder folder, string script) => Executable.Must(script, folder.Path);
}
