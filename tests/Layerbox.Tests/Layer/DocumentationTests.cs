using System.Text;
using System.Text.RegularExpressions;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

/// <summary>docs/layers.md says what the parser says: every item, every member, and examples that parse.</summary>
public partial class DocumentationTests
{
    private const string Introduction = "";

    /// <summary>Headline and text of each part; those of items bear the item's name.</summary>
    private static SortedDictionary<string, string> Parts { get; } = new(
        File.ReadAllText(Repository.PathOf("docs", "layers.md")).Split("\n## ").Select((part, i) => i == 0 ? (Introduction, part) : (part.Split('\n')[0], part))
            .ToDictionary(part => part.Item1, part => part.Item2), StringComparer.Ordinal);

    public static TheoryData<string> Examples => [.. Parts.Where(part => Json().IsMatch(part.Value)).Select(part => part.Key)];

    [Fact]
    public void Every_item_has_a_part_with_an_example() => Assert.Equal(LayerSpec.ItemKinds, Examples.Select(example => example.Data).Where(name => name != Introduction));

    [Theory]
    [MemberData(nameof(Examples))]
    public void Examples_parse(string part)
    {
        foreach (string layer in LayersOf(part))
            Assert.NotEmpty(Parse(layer).Items);
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void Every_member_is_told(string part)
    {
        const string unknown = "zzz";
        // A member that nobody knows makes the parser list those that it knows.
        string spoilt = part == Introduction ? LayersOf(part).Single().Replace("\"name\": \"web\",\n", $"\"name\": \"web\", \"{unknown}\": 0,\n", StringComparison.Ordinal)
            : LayersOf(part).First().Replace($"\"item\": \"{part}\"", $"\"item\": \"{part}\", \"{unknown}\": 0", StringComparison.Ordinal);
        string message = Assert.Throws<SpecificationException>(() => Parse(spoilt)).Message;
        Assert.Contains($"unknown member '{unknown}'; known are ", message, StringComparison.Ordinal);
        string[] known = [.. message.Split("known are ")[^1].Split(", ").Where(member => member != "item").Order(StringComparer.Ordinal)];
        Assert.Equal(known, Table(part));
    }

    // In the first column of the table, in backticks.
    private static string[] Table(string part) => [.. Parts[part].Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal))
        .SelectMany(line => Name().Matches(line.Split('|')[1])).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal)];

    /// <summary>The examples as whole layers: most show items only.</summary>
    private static IEnumerable<string> LayersOf(string part) =>
        Json().Matches(Parts[part]).Select(match => match.Groups[1].Value).Select(text => text.StartsWith("{\n  \"name\"", StringComparison.Ordinal) ? text : $"{{ \"name\": \"x\", \"features\": [ {text} ] }}");

    private static LayerSpec Parse(string json)
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "common.feature.json", """{ "features": [ { "item": "text", "dest": "/x", "text": "" } ] }""");
        return LayerSpec.Parse(Encoding.UTF8.GetBytes(json), folder / "web.layer.json");
    }

    [GeneratedRegex("```json\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Json();

    [GeneratedRegex("`([a-z_0-9]+)`")]
    private static partial Regex Name();
}
