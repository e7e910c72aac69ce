using System.Diagnostics;

namespace Layerbox.Tests.EndToEnd.RpmSnapshots;

/// <summary>
/// A store on a disk that loses its power at any moment: what is on the disk then is a copy of the loop device's file, which btrfs makes in one step while the store is
/// at work. Each copy is mounted, as after the power came back.
/// </summary>
public class PowerCutTests
{
    private const int Cuts = 12, Seed = 8;

    // All that changes a store, over and over.
    private const string Work = """
        set -e
        for ((i = 0; ; i++)); do
          "$L" rpm-repo-snapshot sync --store disk/store --repo x=file://$PWD/$((i % 2)) --allow-older --tag t$((i % 3)) --lock-wait --quiet
          "$L" rpm-repo-snapshot tag t$((i % 3)) last --store disk/store
          [ $((i % 3)) -gt 0 ] || "$L" rpm-repo-snapshot rebuild --store disk/store
          [ $((i % 2)) -gt 0 ] || "$L" rpm-repo-snapshot gc --store disk/store --keep-tag last --grace 0s > /dev/null
          touch "round-$i"
          [ ! -e stop ] || exit 0
        done
        """;

    [Theory]
    [InlineData("mkfs.ext4 -q", "commit=1")]
    [InlineData("mkfs.btrfs -q", "commit=1")]
    public void Is_whole_when_the_power_is_back(string make, string options)
    {
        using TempVolume volume = TempVolume.OrSkip();
        string folder = volume / "work";
        Directory.CreateDirectory(folder);
        for (int state = 0; state < 2; state++)
            RawRepositories.Write(Path.Combine(folder, $"{state}"), 100 * state, 200, copies: 300, isSha512: true, time: state + 1);
        Executable.Must($"set -e; truncate -s 300M image; {make} image; mkdir disk cut; mount -o loop,{options} image disk; \"$L\" rpm-repo-snapshot sync --store disk/store --repo x=file://$PWD/0 --tag last", folder);
        try
        {
            Process work = Process.Start(new ProcessStartInfo("bash", ["-c", Work]) { WorkingDirectory = folder, Environment = { ["L"] = Executable.Path } })!;
            try
            {
                Random random = new(Seed);
                for (int cut = 0; cut < Cuts; cut++)
                {
                    Thread.Sleep(random.Next(600));
                    Executable.Must($"cp --reflink=always image image-{cut}", folder);
                }
                Patience.Until(() => File.Exists(Path.Combine(folder, "round-2")) || work.HasExited, "three rounds of work");
            }
            finally
            {
                File.WriteAllText(Path.Combine(folder, "stop"), "");
                work.WaitForExit();
            }
            Assert.Equal(0, work.ExitCode);
        }
        finally
        {
            Mounting.Unmount(Path.Combine(folder, "disk"), Path.Combine(folder, "image"));
        }
        for (int cut = 0; cut < Cuts; cut++)
            AssertWhole(folder, cut);
    }

    // btrfs knows filesystems by their identity, which all copies share: one that is still there would be mounted in the place of the next.
    private static void AssertWhole(string folder, int cut)
    {
        Executable.Must($"btrfs device scan --forget && mount -o loop image-{cut} cut", folder);
        try
        {
            Executable.Must($"""
                set -e
                "$L" rpm-repo-snapshot verify --store cut/store
                "$L" rpm-repo-snapshot show last --store cut/store > /dev/null
                "$L" rpm-repo-snapshot sync --store cut/store --repo x=file://$PWD/1 --tag after --quiet
                "$L" rpm-repo-snapshot gc --store cut/store --keep-tag after --grace 0s > /dev/null
                "$L" rpm-repo-snapshot verify --store cut/store
                "$L" rpm-repo-snapshot export after --store cut/store --into out-{cut} > /dev/null; diff -r out-{cut}/x 1
                """, folder);
        }
        finally
        {
            Mounting.Unmount(Path.Combine(folder, "cut"), Path.Combine(folder, $"image-{cut}"));
        }
    }
}
