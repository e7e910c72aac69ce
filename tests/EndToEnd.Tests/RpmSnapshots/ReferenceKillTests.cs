using System.Diagnostics;

namespace Layerbox.Tests.EndToEnd.RpmSnapshots;

/// <summary>A store in which tag and rebuild were killed, at any moment.</summary>
public class ReferenceKillTests
{
    private const int Kills = 20, Seed = 7;

    [Fact]
    public void Tags_are_the_old_or_the_new_and_what_can_be_made_anew_is()
    {
        using TempFolder folder = new();
        for (int state = 0; state < 2; state++)
            RawRepositories.Write(folder / $"{state}", 50 * state, 100, copies: 300, isSha512: true, time: state + 1);
        Must("set -e; for r in 0 1; do \"$L\" rpm-repo-snapshot sync --store store --repo x=file://$PWD/$r --tag t$r; done; \"$L\" rpm-repo-snapshot rebuild --store store");
        string[] ids = [File.ReadAllText(folder / "store/refs/tags/t0"), File.ReadAllText(folder / "store/refs/tags/t1")];
        string aliases = File.ReadAllText(folder / "store/aliases"), found = Must("\"$L\" rpm-repo-snapshot find 'p*' --store store");
        // Also of each repomd.xml and primary.xml, since rebuild cannot know which those are.
        Assert.Equal(150 + 4, aliases.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);

        Must("\"$L\" rpm-repo-snapshot tag t0 moved --store store");
        Kill(kill => ["tag", kill % 2 == 0 ? "t1" : "t0", "moved"], kill =>
        {
            Assert.Contains(File.ReadAllText(folder / "store/refs/tags/moved"), ids);
            Assert.Equal("moved t0 t1\n", Must("\"$L\" rpm-repo-snapshot list --store store | jq -r '.tags[]' | sort | paste -s -d ' '"));
            Must($"\"$L\" rpm-repo-snapshot tag t{kill % 2} moved --store store");
            // A kill just before the new one takes its place leaves it beside, under a name that no tag has, for the next to take over.
            Assert.Equal(["moved", "t0", "t1"], Workbench.Names(folder / "store/refs/tags"));
            Assert.Equal(ids[kill % 2], File.ReadAllText(folder / "store/refs/tags/moved"));
        });
        Kill(_ => ["rebuild"], _ => Must("\"$L\" rpm-repo-snapshot diff t0 t0 --store store"));
        Must("\"$L\" rpm-repo-snapshot untag moved --store store && \"$L\" rpm-repo-snapshot rebuild --store store");
        Assert.Equal(aliases, File.ReadAllText(folder / "store/aliases"));
        Assert.Equal(found, Must("\"$L\" rpm-repo-snapshot find 'p*' --store store"));

        string Must(string script) => Executable.Must(script, folder.Path);

        void Kill(Func<int, string[]> command, Action<int> check)
        {
            Stopwatch once = Stopwatch.StartNew();
            Start(0).WaitForExit();
            TimeSpan usual = once.Elapsed;
            Random random = new(Seed);
            int died = 0;
            for (int kill = 0; kill < Kills; kill++)
            {
                once.Restart();
                using Process process = Start(kill);
                // One that comes to its end says how long that takes: the first may have had to wait for others, and all would come to theirs then.
                if (process.WaitForExit(random.Next(1 + (int)usual.TotalMilliseconds)) && once.Elapsed < usual)
                    usual = once.Elapsed;
                process.Kill();
                process.WaitForExit();
                died += process.ExitCode == 0 ? 0 : 1;
                Must("\"$L\" rpm-repo-snapshot verify --store store --progress none");
                check(kill);
            }
            Assert.InRange(died, 1, Kills);

            Process Start(int kill) => Process.Start(new ProcessStartInfo(Executable.Path, ["rpm-repo-snapshot", .. command(kill), "--store", folder / "store"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        }
    }
}
