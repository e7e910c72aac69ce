namespace Layerbox.Tests;

/// <summary>The sources that these tests were built from, for the tests about them.</summary>
internal static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string Find(string folder) =>
        File.Exists(Path.Combine(folder, "tools.sln"))
            ? folder
            : Find(Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("these tests need the repository they were built in"));
}

/// <summary>Expectations kept as text files under data/; UPDATE_GOLDEN=1 writes them anew for a reviewer to look at.</summary>
internal static class Golden
{
    public static void Check(string name, string actual) => CheckFile(Repository.PathOf("tests", "Layerbox.Tests", "data", name), actual);

    /// <summary>The same with a file anywhere in the repository.</summary>
    public static void CheckFile(string path, string actual)
    {
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
        }
        string expected = File.Exists(path) ? File.ReadAllText(path) : "";
        Assert.True(expected == actual, $"{Path.GetRelativePath(Repository.Root, path)}: {FirstDifference(expected, actual)}; if it is meant, rewrite it with UPDATE_GOLDEN=1");
    }

    private static string FirstDifference(string expected, string actual)
    {
        (string[] old, string[] now) = (expected.Split('\n'), actual.Split('\n'));
        int line = Enumerable.Range(0, Math.Max(old.Length, now.Length)).FirstOrDefault(i => old.ElementAtOrDefault(i) != now.ElementAtOrDefault(i));
        return $"line {line + 1}: expected '{old.ElementAtOrDefault(line)}', found '{now.ElementAtOrDefault(line)}'";
    }
}
