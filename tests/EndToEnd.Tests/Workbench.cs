using System.Diagnostics;
using System.Text.Json;

namespace Layerbox.Tests.EndToEnd;

/// <summary>A volume of its own, a folder to work in, and the published executable: for tests that run it many times, or end it badly.</summary>
internal sealed class Workbench : IDisposable
{
    private readonly TempVolume _volume = TempVolume.OrSkip(8L << 30);
    private readonly TempFolder _folder = new();

    /// <summary>Makes one, or skips the test with the reason.</summary>
    public static Workbench OrSkip()
    {
        Executable.PublishedOrSkip();
        Privileged.OrSkip();
        return new Workbench();
    }

    /// <summary>The volume's mount point.</summary>
    public string Volume => _volume.Path;

    public static string operator /(Workbench bench, string name) => Path.Combine(bench._folder.Path, name);

    /// <summary>Runs a tool in the folder.</summary>
    public (int Status, string Out, string Err) Run(params string[] args) => Shell("exec \"$L\" \"$@\"", args);

    /// <summary>Runs a tool that must succeed; gives its standard output.</summary>
    public string Must(params string[] args)
    {
        (int status, string output, string errors) = Run(args);
        Assert.True(status == 0, $"{string.Join(' ', args)}: exit status {status}: {errors}");
        return output;
    }

    /// <summary>Runs bash in the folder; $L is the executable, $V the volume.</summary>
    public (int Status, string Out, string Err) Shell(string script, params string[] args)
    {
        using Process process = Start("bash", ["-c", script, "bash", .. args]);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }

    /// <summary>Runs bash as <see cref="Shell"/> does, every command of which must succeed; gives its standard output.</summary>
    public string Script(string script, params string[] args)
    {
        (int status, string output, string errors) = Shell("set -euo pipefail; " + script, args);
        Assert.True(status == 0, $"exit status {status}: {errors}\n{script}");
        return output;
    }

    /// <summary>Starts a tool, whose output nobody reads: it must be short.</summary>
    public Process StartTool(params string[] args) => Start(Executable.Path, args);

    public void Write(string name, string text) => File.WriteAllText(this / name, text);

    /// <summary>
    /// After all that went before, the collector leaves exactly the layers of these handles, each of which can be opened; beside the handles lies
    /// nothing new, nothing is mounted but the volume, and nobody is left who works on it.
    /// </summary>
    public void AssertNothingLeaks(params string[] handles)
    {
        AssertNobodyIsLeft();
        (int status, string output, string errors) = Run("subvol-gc", "--grace", "0s");
        Assert.True((status, errors) == (0, ""), $"subvol-gc: exit status {status}: {errors}{output}");
        Assert.Equal("", Must("subvol-gc", "--grace", "0s"));

        string[] kept = [.. handles.Select(SubvolumeOf).Distinct().Order(StringComparer.Ordinal)];
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(Volume, "tmp")));
        Assert.Equal(kept.Select(path => path.Split('/')[1]), Names(Path.Combine(Volume, "layers")));
        Assert.Equal(kept, Programs.Run("btrfs", "subvolume", "list", Volume).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ')[^1]).Order(StringComparer.Ordinal));
        Assert.Equal(handles.Select(name => this / name).Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(Path.Combine(Volume, "roots")).Select(root => new FileInfo(root).LinkTarget!).Order(StringComparer.Ordinal));
        foreach (string handle in handles)
            Must("layer-show", handle);
        Assert.Single(File.ReadLines("/proc/self/mountinfo"), line => line.Contains(Volume, StringComparison.Ordinal));
    }

    /// <summary>The path in a handle, which must be whole: one line of JSON.</summary>
    public string SubvolumeOf(string handle)
    {
        string text = File.ReadAllText(this / handle);
        Assert.Equal(text.Length - 1, text.IndexOf('\n', StringComparison.Ordinal));
        return JsonDocument.Parse(text).RootElement.GetProperty("subvolume").GetString()!;
    }

    /// <summary>The names in a folder, sorted.</summary>
    public static string[] Names(string folder) =>
        [.. Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    public void Dispose()
    {
        _volume.Dispose();
        _folder.Dispose();
    }

    // What a killed tool had started ends soon after it, not at once.
    private void AssertNobodyIsLeft()
    {
        Patience.Until(() => Workers().Count == 0, "the end of all that works on the volume");
    }

    /// <summary>Processes that have the volume in their arguments, or one of its subvolumes as their root.</summary>
    private List<string> Workers()
    {
        string device = File.ReadLines("/proc/self/mountinfo").Single(line => line.Split(' ')[4] == Volume).Split(' ')[2];
        List<string> found = [];
        foreach (string process in Directory.EnumerateDirectories("/proc").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0])))
        {
            try
            {
                string arguments = File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ');
                string[] mounts = File.ReadAllLines(Path.Combine(process, "mountinfo"));
                if (arguments.Contains(Volume, StringComparison.Ordinal) || mounts.Select(line => line.Split(' ')).Any(at => at[2] == device && at[4] == "/"))
                    found.Add($"{process}: {arguments}");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended while we looked.
            }
        }
        return found;
    }

    private Process Start(string program, string[] args)
    {
        ProcessStartInfo start = new(program, args)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = _folder.Path,
        };
        start.Environment["L"] = Executable.Path;
        start.Environment["V"] = Volume;
        start.Environment["LAYERBOX_VOLUME"] = Volume;
        start.Environment["LC_ALL"] = "C.UTF-8";
        start.Environment["TZ"] = "UTC";
        start.Environment.Remove("SOURCE_DATE_EPOCH");
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }
}
