using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Tests;

/// <summary>The published static executable, which containers need as their process 1; scripts/test says where it is.</summary>
internal static class Published
{
    /// <summary>Its path, or skips the test with the reason. Under CI a missing one is a failure, not a skip.</summary>
    public static string OrSkip()
    {
        string? path = Environment.GetEnvironmentVariable(NspawnEngine.ExecutableVariable);
        bool isCI = Environment.GetEnvironmentVariable("CI") == "true";
        Assert.SkipUnless(isCI || path is not null, $"needs the published executable: set {NspawnEngine.ExecutableVariable}");
        Assert.True(System.IO.File.Exists(path), $"{NspawnEngine.ExecutableVariable}={path}: no such file");
        return path!;
    }

    /// <summary>Runs it to its end, with nothing to read.</summary>
    public static ProcessResult Run(params string[] arguments) => Feed([], arguments);

    /// <summary>The same with this to read.</summary>
    public static ProcessResult Feed(byte[] input, params string[] arguments) => ChildProcess.Run(new ProgramStart(OrSkip(), arguments), input);

    /// <summary>What was written by one that did well and complained of nothing.</summary>
    public static string Succeed(ProcessResult result)
    {
        Assert.Equal(("", 0), (result.ErrorText, result.Exit.Status));
        return result.OutputText;
    }
}
