using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Layerbox.Posix;

namespace Layerbox.Tests.SendStream.Fuzzing;

/// <summary>
/// What scripts/fuzz found worth keeping: an input for each fault and kind of command, through all tools. data/sendstream-fuzzed.jsonl has a line for
/// each with all that is said of it. To add one, put a line with its "stream_b64" there and let UPDATE_GOLDEN=1 complete it.
/// </summary>
public class KeptInputsTests
{
    private const string Data = "sendstream-fuzzed.jsonl";

    private static readonly string[] s_tools =
    [
        "sendstream-parse --format json --data", "sendstream-parse --format text", "sendstream-parse --format text --flavour current", "sendstream-parse --format stat",
        "sendstream-parse --format tree", "sendstream-parse --format tree-json", "sendstream-parse --format changes", "sendstream-diff - GOOD", "sendstream-diff GOOD -",
        "sendstream-rewrite --output OUT", "sendstream-rewrite --proto 1 --output OUT", "sendstream-rewrite --proto 2 --compress zstd --output OUT", "sendstream-rewrite --split 4M --output OUT",
        "sendstream-rewrite --repair --output OUT", "sendstream-rewrite --normalise --output OUT", "sendstream-tar --output OUT", "sendstream-apply --no-owner OUT",
    ];

    private static readonly JsonSerializerOptions s_readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, TypeInfoResolver = JsonTypeInfoResolver.Combine() };

    [Fact]
    public void Each_is_answered_as_before()
    {
        Privileged.OrSkip(); // devices are made
        using TempFolder folder = new();
        Directory.CreateDirectory(folder / "out");
        File.WriteAllBytes(folder / "good", StreamScript.Make("subvol other 99; mkfile a; end"));
        List<string> lines = [];
        foreach (string line in File.ReadLines(Repository.PathOf("tests", "Layerbox.Tests", "data", Data)))
        {
            string input = JsonDocument.Parse(line).RootElement.GetProperty("stream_b64").GetString()!;
            SortedDictionary<string, List<string>> said = new(StringComparer.Ordinal);
            foreach (string tool in s_tools)
                Add(said, Answer(folder, tool, Convert.FromBase64String(input)), tool);
            lines.Add(new JsonObject
            {
                ["found"] = Strings(Findings(Convert.FromBase64String(input))),
                ["said"] = new JsonObject(said.Select(s => KeyValuePair.Create(s.Key, (JsonNode?)Strings(s.Value)))),
                ["stream_b64"] = input,
            }.ToJsonString(s_readable));
        }
        Assert.NotEmpty(lines);
        Golden.Check(Data, string.Join('\n', lines) + "\n");
    }

    private static JsonArray Strings(IEnumerable<string> values) => new([.. values.Select(value => JsonValue.Create(value))]);

    private static List<string> Findings(byte[] input)
    {
        Tools.Result result = Tools.RunWithInput(input, "sendstream-check");
        List<string> found = [];
        foreach (string line in result.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            JsonElement finding = JsonDocument.Parse(line).RootElement;
            found.Add($"{finding.GetProperty("code")} {finding.GetProperty("offset")} {finding.GetProperty("index")}");
        }
        Assert.Equal((found.Count > 0 ? 1 : 0, ""), (result.Status, result.Err));
        return found;
    }

    private static string Answer(TempFolder folder, string tool, byte[] input)
    {
        string output = folder / "out/new";
        Tools.Result result = Tools.RunWithInput(input, [.. tool.Replace("OUT", output, StringComparison.Ordinal).Replace("GOOD", folder / "good", StringComparison.Ordinal).Split(' '), "--max-file", "1M"]);
        string[] there = [.. Directory.GetFileSystemEntries(folder / "out").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        Assert.Equal(result.Status == 0 && tool.Contains("OUT", StringComparison.Ordinal), there.Length > 0);
        if (Directory.Exists(output))
            Directories.RemoveAll(output);
        foreach (string path in Directory.GetFiles(folder / "out"))
            File.Delete(path);
        if (result.Status != 2)
        {
            Assert.InRange(result.Status, 0, 1);
            return $"{result.Status}";
        }
        Assert.Equal(1, result.Err.Count(c => c == '\n'));
        return $"2 {result.FirstErrorLine[(result.FirstErrorLine.IndexOf(": ", StringComparison.Ordinal) + 2)..].Replace(folder / "out", "OUT", StringComparison.Ordinal)}";
    }

    private static void Add(SortedDictionary<string, List<string>> said, string answer, string tool)
    {
        if (!said.TryGetValue(answer, out List<string>? tools))
            said.Add(answer, tools = []);
        tools.Add(tool["sendstream-".Length..].Replace(" --output OUT", "", StringComparison.Ordinal).Replace(" OUT", "", StringComparison.Ordinal));
    }
}
