using System.Diagnostics;

namespace Layerbox.Tests.EndToEnd;

/// <summary>The executable under test: LAYERBOX_BIN, or the build for the test machine's own runtime.</summary>
internal static class Executable
{
    public static string Path { get; } = Environment.GetEnvironmentVariable("LAYERBOX_BIN") is { Length: > 0 } given
        ? System.IO.Path.GetFullPath(given)
        : Repository.PathOf("artifacts", "bin", "cmd", "debug_linux-x64", "layerbox");

    /// <summary>For tests of what only the published, static executable can do. Under CI they are never skipped.</summary>
    public static void PublishedOrSkip() => Assert.SkipWhen(
        Environment.GetEnvironmentVariable("LAYERBOX_BIN") is null or "" && Environment.GetEnvironmentVariable("CI") != "true", "needs the published executable: set LAYERBOX_BIN");

    /// <summary>Runs a line of bash that must succeed, as <see cref="Shell"/> does; gives its standard output.</summary>
    public static string Must(string script, string folder)
    {
        (int status, string output, string errors) = Shell(script, folder);
        Assert.True(status == 0, $"exit status {status}: {output}{errors}\n{script}");
        return output;
    }

    /// <summary>Runs a line of bash in which $L is the executable.</summary>
    public static (int Status, string Out, string Err) Shell(string script, string? folder = null)
    {
        ProcessStartInfo start = new("bash", ["-c", script])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = folder ?? "/",
        };
        start.Environment["L"] = Path;
        start.Environment["LC_ALL"] = "C.UTF-8";
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }
}
