using Layerbox.Posix;

namespace Layerbox.Tests.Btrfs;

/// <summary>A folder where volume images are made; what is mounted in it is unmounted when disposed.</summary>
internal sealed class TempImage : IDisposable
{
    private readonly TempFolder _folder = new();

    private TempImage() { }

    public static TempImage OrSkip()
    {
        Privileged.OrSkip();
        return new TempImage();
    }

    public string Path => _folder.Path;
    public string ImagePath => _folder / "volume.img";
    public string MountPoint => _folder / "volume";

    public static string operator /(TempImage image, string name) => System.IO.Path.Combine(image.Path, name);

    /// <summary>The loop devices that the image is attached to, as losetup has them.</summary>
    public string[] Devices => Mounting.Devices(ImagePath);

    /// <summary>What a reboot does to it, but for the time it takes the kernel to let go of the loop device.</summary>
    public void Unmount() => Mounting.Unmount(MountPoint, ImagePath);

    /// <summary>The published tool as a process of its own, with nothing of our environment that says where a volume is.</summary>
    public static (int Status, string Out, string Err) Run(string directory, string[] variables, params string[] args) =>
        Programs.Try("env", ["-C", directory, "-u", "LAYERBOX_VOLUME", .. variables, System.IO.Path.Combine(AppContext.BaseDirectory, "layerbox"), .. args]);

    public void Dispose()
    {
        foreach (Mount mount in Mounts.List().Where(m => m.Point.StartsWith(Path + "/", StringComparison.Ordinal)).Reverse())
            Mounting.Unmount(mount.Point);
        _folder.Dispose();
    }
}
