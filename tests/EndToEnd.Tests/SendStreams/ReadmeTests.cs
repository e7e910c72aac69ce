using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Layerbox.Tests.EndToEnd;

/// <summary>The pipelines of the README's part on send-streams run as they are written there, and say what is so.</summary>
public sealed partial class ReadmeTests(SendStreamCorpus corpus) : IClassFixture<SendStreamCorpus>
{
    [Fact]
    public void Finds_setuid_files() => Assert.Equal(
        Listed("root.0").Where(line => line.TryGetProperty("mode", out JsonElement mode) && mode.GetString()![0] is >= '4' and <= '7').Select(PathOf).Order(StringComparer.Ordinal),
        Run("jq", "root-v1", "skip-v2").Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));

    [Fact]
    public void Shows_what_changed()
    {
        (int status, string output) = Run("sendstream-diff", "root-v1", "skip-v2");
        Assert.Equal(1, status);
        HashSet<string> before = [.. Listed("root.0").Select(PathOf)], after = [.. Listed("root.2").Select(PathOf)];
        Assert.Equal(after.Except(before).Order(StringComparer.Ordinal), Paths(output, 'A'));
        Assert.Equal(before.Except(after).Order(StringComparer.Ordinal), Paths(output, 'D'));
    }

    [Fact]
    public void Extracts_one_file() => Assert.Equal(
        Listed("root.0").Single(line => PathOf(line) == "etc/passwd").GetProperty("digest").GetString(),
        $"sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Run("--cat", "root-v1", "skip-v2").Out)))}");

    [Fact]
    public void Tells_how_much_smaller_version_2_is()
    {
        string[] sizes = Run("stat --format", "big-v1", "big-v2").Out.Split('\n');
        Assert.EndsWith(" v1.stream", sizes[0], StringComparison.Ordinal);
        long[] bytes = [.. sizes.Take(2).Select(line => long.Parse(line.Split(' ')[0], CultureInfo.InvariantCulture))];
        Assert.InRange(bytes[1], 1, bytes[0] - 1);
    }

    [Theory]
    [InlineData("tiny-v1", "tiny-step-v1", 0, "whole\n")]
    [InlineData("root-restarted", "skip-v2", 1, null)]
    public void Tells_whether_a_backup_can_be_restored(string monday, string tuesday, int status, string? output)
    {
        (int Status, string Out) found = Run("sendstream-check", monday, tuesday);
        Assert.Equal((status, output ?? found.Out), found);
        Assert.Equal(status == 0, found.Out.EndsWith("whole\n", StringComparison.Ordinal));
    }

    /// <summary>Runs the README's pipeline in which this part stands, with these streams as those of Monday and Tuesday.</summary>
    private (int Status, string Out) Run(string part, string monday, string tuesday)
    {
        using TempFolder folder = new();
        string block = Block().Match(File.ReadAllText(Repository.PathOf("README.md")).Split("\n## Send-streams\n")[1]).Groups[1].Value;
        (int status, string output, string errors) = Executable.Shell($"""
            set -euo pipefail
            mkdir tools
            "$L" --install tools > install.log
            PATH=$PWD/tools:$PATH
            zstd -q '{corpus.PathOrSkip()}/{monday}.stream' -o monday.stream.zst
            zstd -q '{corpus.PathOrSkip()}/{tuesday}.stream' -o tuesday.stream.zst
            {Assert.Single(block.Split("\n\n"), pipeline => pipeline.Contains(part, StringComparison.Ordinal))}
            """, folder.Path);
        Assert.Equal("", errors);
        return (status, output);
    }

    private IEnumerable<JsonElement> Listed(string tree) => File.ReadLines(Path.Combine(corpus.PathOrSkip(), tree + ".tree")).Select(line => JsonDocument.Parse(line).RootElement);

    // Names that are not plain text look different in each form, and are left out.
    private static string PathOf(JsonElement line) => line.TryGetProperty("path", out JsonElement path) ? path.GetString()! : "";

    private static IEnumerable<string> Paths(string difference, char kind) =>
        difference.Split('\n').Where(line => line.StartsWith($"{kind} /", StringComparison.Ordinal)).Select(line => line[3..].Split(" link to ")[0]).Order(StringComparer.Ordinal);

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();
}
