namespace Layerbox.Tests;

/// <summary>
/// Ends of mounts while others work: a program that another thread is just starting has copies of all our descriptors for a moment, and a container that
/// starts has copies of all mounts.
/// </summary>
internal static class Mounting
{
    public static void Unmount(string point) => WhenFree("umount", point);

    /// <summary>The same of a disk that is a file, and waits until nothing has the file any more.</summary>
    public static void Unmount(string point, string image)
    {
        Unmount(point);
        Patience.Until(() => Devices(image).Length == 0, $"the loop device of {image} to go");
    }

    public static void Remount(string point, string options) => WhenFree("mount", "-o", $"remount,{options}", point);

    /// <summary>The loop devices that a file is attached to, as losetup has them.</summary>
    public static string[] Devices(string image) => Programs.Run("losetup", "--noheadings", "--output", "NAME", "--associated", image).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static void WhenFree(string program, params string[] args) => Patience.Until(
        () =>
        {
            (int status, _, string errors) = Programs.Try(program, args);
            Assert.True(status == 0 || errors.Contains("busy", StringComparison.Ordinal), $"{program} {string.Join(' ', args)}: exit status {status}: {errors}");
            return status == 0;
        },
        $"{program} {string.Join(' ', args)}");
}
