using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;
using Layerbox.Btrfs;
using Layerbox.Posix;

namespace Layerbox.Tests.Btrfs;

public class VolumeTests(SharedVolume shared) : IClassFixture<SharedVolume>
{
    private const long Small = 300L << 20;

    [Fact]
    public void Structs_have_the_sizes_of_linux_loop_h()
    {
        Assert.Equal(232, Unsafe.SizeOf<LoopDevice.LoopInfo>());
        Assert.Equal(304, Unsafe.SizeOf<LoopDevice.LoopConfig>());
    }

    [Fact]
    public async Task Ten_processes_that_start_at_once_make_one_volume()
    {
        using TempImage cache = TempImage.OrSkip();
        Task<(int Status, string Out, string Err)>[] runs = [.. Enumerable.Range(0, 10)
            .Select(_ => Task.Run(() => TempImage.Run("/", [$"XDG_CACHE_HOME={cache.Path}"], "volume-make")))];
        (int Status, string Out, string Err)[] results = await Task.WhenAll(runs);
        Assert.All(results, result => Assert.Equal((0, results[0].Out, ""), result));
        using JsonDocument made = JsonDocument.Parse(results[0].Out);
        Assert.Equal(cache / "layerbox/volume", made.RootElement.GetProperty("volume").GetString());
        Assert.Equal(Programs.Run("findmnt", "-no", "UUID", cache / "layerbox/volume").Trim(), made.RootElement.GetProperty("uuid").GetString());
        Assert.Equal(100L << 30, made.RootElement.GetProperty("size").GetInt64());
        Assert.Single(Mounts.List(), mount => mount.Point == cache / "layerbox/volume");
        Assert.Single(Programs.Run("losetup", "-nO", "NAME", "-j", cache / "layerbox/volume.img").Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(["volume", "volume.img", "volume.lock"], Directory.GetFileSystemEntries(cache / "layerbox").Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Takes_little_of_the_disk_below()
    {
        using TempImage image = TempImage.OrSkip();
        Volume.Make(image.Path);
        FileStatus status = Files.Status(image.ImagePath);
        Assert.Equal((100L << 30, 0x180u), (status.Size, status.Mode));
        Assert.InRange(status.Blocks * 512, 1, 64 << 20);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/volume")]
    public void Is_mounted_again_after_a_reboot(string named)
    {
        using TempImage image = TempImage.OrSkip();
        Volume made = Volume.Make(image.Path, Small);
        File.WriteAllText(image / "volume/kept", "x");
        image.Unmount();
        Volume opened = Volume.Open(image.Path + named);
        Assert.Equal((made.Uuid, made.Path, made.Image), (opened.Uuid, opened.Path, opened.Image));
        Assert.Equal("x", File.ReadAllText(image / "volume/kept"));
        Assert.Single(image.Devices);
    }

    [Fact]
    public void Uses_the_loop_device_that_the_image_has()
    {
        using TempImage image = TempImage.OrSkip();
        Volume.Make(image.Path, Small);
        image.Unmount();
        string device = Programs.Run("losetup", "--find", "--show", image.ImagePath).Trim();
        try
        {
            Volume.Open(image.Path);
            Assert.Equal([device], image.Devices);
            Assert.Equal(device, Mounts.At(image.MountPoint)?.Source);
        }
        finally
        {
            Mounting.Unmount(image.MountPoint);
            Programs.Run("losetup", "--detach", device);
        }
    }

    [Fact]
    public void Never_formats_an_image_that_is_damaged()
    {
        using TempImage image = TempImage.OrSkip();
        Volume.Make(image.Path, Small);
        image.Unmount();
        // The superblock and its copy.
        foreach (long kilobyte in new[] { 64, 64 << 10 })
            Programs.Run("dd", "if=/dev/zero", $"of={image.ImagePath}", "bs=1K", "count=4", $"seek={kilobyte}", "conv=notrunc", "status=none");
        byte[] before = Digest(image.ImagePath);
        foreach (Action use in new Action[] { () => Volume.Open(image.Path), () => Volume.Make(image.Path, 2 * Small) })
        {
            VolumeException e = Assert.Throws<VolumeException>(use);
            Assert.Equal(
                $"{image.ImagePath}: mount: Invalid argument: the image seems damaged; it is left as it is. "
                + $"'rm {image.ImagePath} && layerbox volume-make {image.Path}' starts afresh without its layers",
                e.Message);
        }
        Assert.Equal(before, Digest(image.ImagePath));
        Patience.Until(() => image.Devices.Length == 0, "the loop device to go");
    }

    [Fact]
    public void An_image_that_was_not_finished_is_made_anew()
    {
        using TempImage image = TempImage.OrSkip();
        File.WriteAllText(image.ImagePath + ".new", "cut off by a crash");
        Volume.Make(image.Path, Small);
        Assert.False(File.Exists(image.ImagePath + ".new"));
        Assert.Equal(Small, new FileInfo(image.ImagePath).Length);
    }

    [Fact]
    public void Grows_when_it_runs_short()
    {
        using TempImage image = TempImage.OrSkip();
        Volume volume = Volume.Make(image.Path, Small);
        volume.EnsureFree(700L << 20);
        Assert.InRange(volume.Free, 700L << 20, 4L << 30);
        Assert.Equal(0, volume.Size % 4096);
        Assert.Equal(volume.Size, FilesystemStatus.Of(volume.Path).Size);
        long grown = volume.Size;
        volume.EnsureFree(1 << 20);
        Assert.Equal(grown, volume.Size);
        // More than the first size, and all of it on the disk.
        Programs.Run("dd", "if=/dev/zero", $"of={image / "volume/big"}", "bs=1M", "count=350", "status=none");
    }

    [Fact]
    public void Making_it_again_grows_it_when_asked_and_never_shrinks_it()
    {
        using TempImage image = TempImage.OrSkip();
        string Size(params string[] args) => JsonDocument.Parse(Tools.Run(["volume-make", .. args, image.Path]).AssertSucceeded().Out).RootElement.GetProperty("size").ToString();
        Assert.Equal((300 << 20).ToString(), Size("--size", "300M"));
        Assert.Equal((300 << 20).ToString(), Size());
        Assert.Equal((300 << 20).ToString(), Size("--size", "256M"));
        Assert.Equal((400 << 20).ToString(), Size("--size", "400M"));
        Assert.Equal(400L << 20, FilesystemStatus.Of(image.MountPoint).Size);
    }

    [Fact]
    public void Says_how_much_is_missing_where_it_cannot_grow()
    {
        Volume given = Volume.Open(shared.Folder());
        VolumeException e = Assert.Throws<VolumeException>(() => given.EnsureFree(1L << 50));
        Assert.Matches($"^{given.Path}: [0-9]+ bytes are missing: {1L << 50} are needed and [0-9]+ free: ", e.Message);
        using TempImage image = TempImage.OrSkip();
        Volume own = Volume.Make(image.Path, Small);
        e = Assert.Throws<VolumeException>(() => own.EnsureFree(1L << 50));
        Assert.StartsWith($"{image.Path}: ", e.Message, StringComparison.Ordinal);
        Assert.Equal(Small, own.Size);
    }

    [Fact]
    public void Leaves_alone_what_somebody_else_mounted_there()
    {
        using TempImage image = TempImage.OrSkip();
        Volume.Make(image.Path, Small);
        image.Unmount();
        Programs.Run("mount", "-t", "tmpfs", "none", image.MountPoint);
        VolumeException e = Assert.Throws<VolumeException>(() => Volume.Open(image.Path));
        Assert.Equal($"{image.MountPoint}: none is mounted there, not {image.ImagePath}: 'umount {image.MountPoint}' and try again", e.Message);
    }

    [Fact]
    public void Makes_no_second_image_while_a_removed_one_is_mounted()
    {
        using TempImage image = TempImage.OrSkip();
        Volume.Make(image.Path, Small);
        File.Delete(image.ImagePath);
        VolumeException e = Assert.Throws<VolumeException>(() => Volume.Make(image.Path, Small));
        Assert.StartsWith($"{image.ImagePath}: is gone, but /dev/loop", e.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(image.ImagePath));
    }

    [Fact]
    public void Prepares_a_folder_on_btrfs()
    {
        string folder = shared.Folder();
        Volume volume = Volume.Make(folder + "/new/one");
        Assert.Equal((folder + "/new/one", null), (volume.Path, volume.Image));
        Assert.Equal(Programs.Run("findmnt", "-no", "UUID", shared.Root).Trim(), volume.Uuid.ToString());
        Assert.Equal(["layers", "lock", "roots", "tmp"], Directory.GetFileSystemEntries(volume.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(volume.Path, Volume.Make(volume.Path).Path);
    }

    [Theory]
    [InlineData("tmp")]
    [InlineData("layers")]
    public void Refuses_a_folder_whose_content_would_be_collected(string name)
    {
        string folder = shared.Folder();
        Directory.CreateDirectory(Path.Combine(folder, name));
        VolumeException e = Assert.Throws<VolumeException>(() => Volume.Open(folder));
        Assert.Equal($"{folder}/{name}: is there, but not made by layerbox: a volume needs a folder of its own, such as {folder}/.layerbox", e.Message);
    }

    [Theory]
    [InlineData("/proc", "/proc: not on btrfs, and there is no volume.img in it: 'layerbox volume-make /proc' makes a volume there")]
    [InlineData("/nope", "/nope: open: No such file or directory")]
    public void Says_why_a_folder_is_no_volume(string folder, string message) =>
        Assert.Equal(message, Assert.ThrowsAny<IOException>(() => Volume.Open(folder)).Message);

    [Fact]
    public void Says_which_privilege_is_missing_and_leaves_nothing_behind()
    {
        using TempImage image = TempImage.OrSkip();
        File.SetUnixFileMode(image.Path, (UnixFileMode)0x1FF);
        Exception? thrown = null;
        Unprivileged.Run(() => thrown = Record.Exception(() => Volume.Make(image / "v", Small)));
        Assert.Equal($"{image / "v/volume.img"}: mounting a volume needs CAP_SYS_ADMIN: run as root, or point --volume at a folder on a btrfs filesystem", thrown?.Message);
        Assert.Equal(["volume.lock"], Directory.GetFileSystemEntries(image / "v").Select(Path.GetFileName));
    }

    [Fact]
    public void Can_be_opened_without_privilege_once_it_is_mounted()
    {
        using TempImage image = TempImage.OrSkip();
        File.SetUnixFileMode(image.Path, (UnixFileMode)0x1ED);
        Volume made = Volume.Make(image.Path, Small);
        Unprivileged.Run(() => Assert.Equal(made.Uuid, Volume.Open(image.Path).Uuid));
    }

    [Fact]
    public void Names_the_package_that_brings_mkfs()
    {
        using TempImage image = TempImage.OrSkip();
        (int status, string output, string errors) = Programs.Try(
            "unshare", "--mount", "sh", "-c", "mount --bind /dev/null \"$(command -v mkfs.btrfs)\" && exec \"$0\" volume-make \"$1\"",
            Path.Combine(AppContext.BaseDirectory, "layerbox"), image.Path);
        Assert.Equal((2, ""), (status, output));
        Assert.Equal(
            "volume-make: mkfs.btrfs: not found, and a new volume needs it: install the package btrfs-progs (Debian: apt install btrfs-progs; Fedora: dnf install btrfs-progs)\n",
            errors);
        Assert.False(File.Exists(image.ImagePath));
    }

    [Theory]
    [InlineData("volume-make: --size: expected a size such as 4096, 500M or 100G, found '1X'", "--size", "1X")]
    [InlineData("volume-make: --size: expected a size such as 4096, 500M or 100G, found '-1'", "--size=-1")]
    [InlineData("volume-make: --size: expected a size such as 4096, 500M or 100G, found '9999999999999G'", "--size", "9999999999999G")]
    [InlineData("volume-make: --size: at least 256M, found '1M'", "--size", "1M")]
    [InlineData("volume-make: DIR is empty", "")]
    public void Says_what_is_wrong_with_the_arguments(string error, params string[] args)
    {
        Tools.Result result = Tools.Run(["volume-make", .. args]);
        Assert.Equal((2, "", error), (result.Status, result.Out, result.FirstErrorLine));
    }

    private static byte[] Digest(string path)
    {
        using FileStream file = File.OpenRead(path);
        return SHA256.HashData(file);
    }
}
