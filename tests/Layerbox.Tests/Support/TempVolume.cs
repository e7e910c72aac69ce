using System.Diagnostics;

namespace Layerbox.Tests;

/// <summary>A btrfs of its own on a sparse file, loop-mounted in a temporary folder; gone when disposed.</summary>
internal sealed class TempVolume : IDisposable
{
    private readonly TempFolder _folder;

    private TempVolume(long size)
    {
        _folder = new TempFolder();
        string image = _folder / "image";
        using (FileStream file = new(image, FileMode.CreateNew))
            file.SetLength(size);
        Programs.Run("mkfs.btrfs", "-q", image);
        System.IO.Directory.CreateDirectory(Path);
        Programs.Run("mount", "-o", "loop,user_subvol_rm_allowed", image, Path);
    }

    /// <summary>The mount point.</summary>
    public string Path => _folder / "volume";

    public static string operator /(TempVolume volume, string name) => System.IO.Path.Combine(volume.Path, name);

    /// <summary>Makes one, or skips the test with the reason. Under CI a missing privilege is a failure, not a skip.</summary>
    public static TempVolume OrSkip(long size = 4L << 30)
    {
        Privileged.OrSkip();
        return new TempVolume(size);
    }

    public void Dispose()
    {
        Programs.Run("umount", "--lazy", Path);
        _folder.Dispose();
    }
}

/// <summary>Whether tests that need root may run here.</summary>
internal static class Privileged
{
    public static void OrSkip()
    {
        bool isCI = Environment.GetEnvironmentVariable("CI") == "true";
        Assert.SkipUnless(isCI || Environment.UserName == "root", "needs root: loop devices, mounts and subvolumes");
    }
}

/// <summary>A temporary folder, removed with all that is in it.</summary>
internal sealed class TempFolder : IDisposable
{
    private const string Memory = "/dev/shm";

    /// <param name="isInMemory">Where there is such a place: for what is synced often.</param>
    public TempFolder(bool isInMemory = false) => Path = isInMemory && System.IO.Directory.Exists(Memory)
        ? System.IO.Directory.CreateDirectory($"{Memory}/layerbox-test-{System.IO.Path.GetRandomFileName()}").FullName
        : System.IO.Directory.CreateTempSubdirectory("layerbox-test-").FullName;

    public string Path { get; }

    public static string operator /(TempFolder folder, string name) => System.IO.Path.Combine(folder.Path, name);

    public void Dispose() => Programs.Run("rm", "-rf", "--one-file-system", Path);
}

/// <summary>Runs real programs, which are the oracles of our tests.</summary>
internal static class Programs
{
    /// <summary>Standard output of a program that must succeed.</summary>
    public static string Run(string program, params string[] args)
    {
        (int status, string output, string errors) = Try(program, args);
        Assert.True(status == 0, $"{program} {string.Join(' ', args)}: exit status {status}: {errors}");
        return output;
    }

    /// <summary>Runs a line of shell that must succeed; gives its standard output.</summary>
    public static string Shell(string script) => Run("bash", "-euo", "pipefail", "-c", script);

    public static (int Status, string Out, string Err) Try(string program, params string[] args)
    {
        ProcessStartInfo start = new(program, args) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment["LC_ALL"] = "C.UTF-8";
        start.Environment["TZ"] = "UTC";
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }
}
