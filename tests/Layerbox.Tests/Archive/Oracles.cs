namespace Layerbox.Tests.Archive;

internal static class Oracles
{
    /// <summary>Skips the test when a program that it compares with is not there.</summary>
    public static void OrSkip(string program) =>
        Assert.SkipUnless(Programs.Try("sh", "-c", $"command -v {program}").Status == 0, $"needs {program}");
}
