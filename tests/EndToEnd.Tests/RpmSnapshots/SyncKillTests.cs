using System.Diagnostics;

namespace Layerbox.Tests.EndToEnd.RpmSnapshots;

/// <summary>A store that sync was killed in, at any moment.</summary>
public class SyncKillTests
{
    private const int Kills = 50, Seed = 5;

    private const string Contents = "find objects snapshots refs aliases tmp -type f | sort | xargs sha256sum";

    [Fact]
    public void Is_whole_and_ends_as_one_that_was_left_alone()
    {
        using TempFolder folder = new();
        // Two states of a repository with half of the packages in common.
        for (int state = 0; state < 2; state++)
            RawRepositories.Write(folder / $"{state}", 100 * state, 200, copies: 300, isSha512: true, time: state + 1);
        Must(folder, "set -e; \"$L\" rpm-repo-snapshot sync --store first --repo \"x=file://$PWD/0\" --tag t0; cp -a first store");
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

    private static string Must(TempFolder folder, string script) => Executable.Must(script, folder.Path);
}
