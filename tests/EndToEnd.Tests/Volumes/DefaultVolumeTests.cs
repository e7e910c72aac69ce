using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Layerbox.Tests.EndToEnd;

/// <summary>The volume that nobody asked for: made by the first tool that needs it, found by all others.</summary>
public sealed class DefaultVolumeTests : IDisposable
{
    private readonly TempFolder _home = new();

    private string Image => _home / "cache/layerbox/volume.img";
    private string MountPoint => _home / "cache/layerbox/volume";

    public void Dispose()
    {
        if (IsMounted())
            Programs.Run("umount", "--lazy", MountPoint);
        _home.Dispose();
    }

    [Fact]
    public void Is_made_by_one_of_ten_that_start_at_once()
    {
        SkipUnlessPublished();
        (int status, string output, string errors) = Run("""
            for i in 0 1 2 3 4 5 6 7 8 9; do
              echo '{ "name": "l'$i'", "features": [{ "item": "text", "dest": "/a", "text": "layer '$i'" }] }' > $i.layer.json
            done
            jobs=()
            for i in 0 1 2 3 4 5 6 7 8 9; do "$L" layer-compile $i.layer.json --progress none --output $i.layer > $i.out & jobs+=($!); done
            for job in ${jobs[@]}; do wait $job || echo "exit status $?"; done
            for i in 0 1 2 3 4 5 6 7 8 9; do cmp $i.layer $i.out && "$L" layer-show $i.layer > /dev/null; done
            """);
        Assert.Equal((0, "", ""), (status, output, errors));
        Assert.Single(Enumerable.Range(0, 10).Select(i => JsonDocument.Parse(File.ReadAllText(_home / $"{i}.layer")).RootElement.GetProperty("volume_uuid").GetString()).Distinct());
        Assert.Equal(["volume", "volume.img", "volume.lock"], Workbench.Names(_home / "cache/layerbox"));
        Assert.Single(File.ReadLines("/proc/self/mountinfo"), line => line.Contains(_home.Path, StringComparison.Ordinal));
        Assert.Single(LoopDevices());
    }

    [Fact]
    public void Is_mounted_again_after_a_reboot()
    {
        SkipUnlessPublished();
        string made = Make();
        // A reboot leaves the file, and nothing of the mount.
        Unmount();
        Assert.Equal(made, Must("\"$L\" layer-show a.layer"));
        Assert.Equal("", Must("\"$L\" subvol-gc --grace 0s"));
        Assert.Equal(File.ReadAllText(_home / "a.layer"), Must("\"$L\" layer-compile a.layer.json"));
        Assert.True(IsMounted());
    }

    [Theory]
    [InlineData("damaged", "for at in 64K 64M; do dd if=/dev/urandom of=\"$1\" bs=4K count=1 seek=$at oflag=seek_bytes conv=notrunc status=none; done")]
    [InlineData("cut off", "truncate --size 100K \"$1\"")]
    [InlineData("something else", "echo mine > \"$1\"")]
    public void Is_left_alone_when_its_image_is_no_volume(string what, string damage)
    {
        Assert.NotEmpty(what);
        SkipUnlessPublished();
        Make();
        Unmount();
        Programs.Run("bash", "-euc", damage, "bash", Image);
        string before = Fingerprint();
        foreach (string tool in (string[])["layer-compile a.layer.json", "layer-show a.layer", "subvol-gc", "volume-make"])
        {
            (int status, string output, string errors) = Run($"\"$L\" {tool}");
            Assert.Equal((2, ""), (status, output));
            Assert.Matches($"^{tool.Split(' ')[0]}: {Image}: .*'rm {Image} && layerbox volume-make {_home.Path}/cache/layerbox' starts afresh without its layers\n$", errors);
        }
        Assert.Equal(before, Fingerprint());
        Assert.False(IsMounted());
        Patience.Until(() => LoopDevices().Length == 0, "the loop device to go");
    }

    [Fact]
    public void Is_made_after_all_when_its_maker_was_killed()
    {
        SkipUnlessPublished();
        const int Count = 10;
        long start = Stopwatch.GetTimestamp();
        Make();
        TimeSpan duration = Stopwatch.GetElapsedTime(start);
        Random random = new(Count);
        for (int i = 0; i < Count; i++)
        {
            Unmount();
            Directory.Delete(_home / "cache", recursive: true);
            double seconds = duration.TotalSeconds * (i + random.NextDouble()) / Count;
            Run(string.Create(CultureInfo.InvariantCulture, $"timeout --signal KILL {seconds} \"$L\" layer-compile a.layer.json"));
            Make();
            Assert.Equal(["volume", "volume.img", "volume.lock"], Workbench.Names(_home / "cache/layerbox"));
            Must("\"$L\" subvol-gc --grace 0s");
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(MountPoint, "tmp")));
            Assert.Single(LoopDevices());
        }
    }

    private static void SkipUnlessPublished()
    {
        Executable.PublishedOrSkip();
        Privileged.OrSkip();
    }

    /// <summary>A layer on the default volume, and what is in it.</summary>
    private string Make()
    {
        File.WriteAllText(_home / "a.layer.json", """{ "name": "a", "features": [{ "item": "text", "dest": "/a", "text": "a" }] }""");
        Must("\"$L\" layer-compile a.layer.json --output a.layer");
        return Must("\"$L\" layer-show a.layer");
    }

    private string Must(string script)
    {
        (int status, string output, string errors) = Run(script);
        Assert.True(status == 0, $"{script}: exit status {status}: {errors}");
        return output;
    }

    private (int Status, string Out, string Err) Run(string script) =>
        Executable.Shell("unset LAYERBOX_VOLUME; export HOME=$PWD XDG_CACHE_HOME=$PWD/cache\n" + script, _home.Path);

    private void Unmount() => Mounting.Unmount(MountPoint, Image);

    private bool IsMounted() => File.ReadLines("/proc/self/mountinfo").Any(line => line.Split(' ')[4] == MountPoint);

    private string[] LoopDevices() => Mounting.Devices(Image);

    // Size, time, and the pieces where superblocks are: reading 100 GB of holes would take its time.
    private string Fingerprint() =>
        Programs.Run("bash", "-euc", "stat --format '%s %y %b %i' \"$1\"; head -c 128K \"$1\" | sha256sum; tail -c +67108864 \"$1\" | head -c 128K | sha256sum", "bash", Image);
}
