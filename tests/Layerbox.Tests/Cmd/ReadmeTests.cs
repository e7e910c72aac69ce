using System.Text;
using System.Text.RegularExpressions;
using Layerbox.Cmd;
using Layerbox.Layer;

namespace Layerbox.Tests.Cmd;

/// <summary>The README says what is so.</summary>
public partial class ReadmeTests
{
    private static string Text { get; } = File.ReadAllText(Repository.PathOf("README.md"));

    [Fact]
    public void Every_tool_is_in_the_table() =>
        Assert.Equal(ToolTable.Tools.Keys, FirstColumn("## The tools").Select(name => name.Split(' ')[0]).Order(StringComparer.Ordinal));

    [Fact]
    public void Every_item_is_in_a_table()
    {
        string part = Part("## How a layer is written");
        Assert.All(LayerSpec.ItemKinds, item => Assert.Contains($"`{item}`", part, StringComparison.Ordinal));
    }

    [Fact]
    public void The_layer_shown_is_one() => Assert.NotEmpty(LayerSpec.Parse(Encoding.UTF8.GetBytes(Json().Match(Text).Groups[1].Value), "web.layer.json").Items);

    [Fact]
    public void Links_lead_somewhere() => Assert.All(Link().Matches(Text).Select(match => match.Groups[1].Value), link => Assert.True(Path.Exists(Repository.PathOf(link)), link));

    [Fact]
    public void The_digest_shown_is_the_one_of_the_example() =>
        Assert.Contains(Digest().Match(Text).Value, File.ReadAllText(Repository.PathOf("examples", "hello", "expected.json")), StringComparison.Ordinal);

    private static string Part(string headline) => Text.Split(headline + "\n")[1].Split("\n## ")[0];

    private static IEnumerable<string> FirstColumn(string headline) => Part(headline).Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal))
        .SelectMany(line => Code().Matches(line.Split('|')[1])).Select(match => match.Groups[1].Value);

    [GeneratedRegex("```json\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Json();

    [GeneratedRegex(@"\]\(([^)]*)\)")]
    private static partial Regex Link();

    [GeneratedRegex("[0-9a-f]{64}")]
    private static partial Regex Digest();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();
}
