using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Layerbox.Tests.EndToEnd;

/// <summary>
/// All that can be seen of a tree, a line a path, sorted; once as find, stat, sha256sum and getfattr see a folder, once as layer-show tells it.
/// Bytes of names stand as Latin-1.
/// </summary>
internal static class Listing
{
    /// <summary>The tree below a folder, as the machine's own programs see it.</summary>
    public static List<string> OfFolder(string folder)
    {
        using TempFolder output = new();
        Programs.Run("bash", "-euo", "pipefail", "-c", """
            cd -- "$1"
            find . -printf '%P\0%y\0%m\0%U\0%G\0%T@\0%i\0%s\0%l\0' > "$2/find"
            find . -type f -print0 | xargs --null --no-run-if-empty sha256sum --zero > "$2/sha256sum"
            find . \( -type c -o -type b \) -print0 | xargs --null --no-run-if-empty stat --printf '%n\0%t:%T\0' > "$2/stat"
            find . -print0 | xargs --null getfattr --no-dereference --dump --match - --encoding hex > "$2/getfattr"
            """, "bash", folder, output.Path);
        Dictionary<string, string> digests = Fields(output / "sha256sum").ToDictionary(field => field[66..], field => field[..64]);
        Dictionary<string, string> devices = Fields(output / "stat").Chunk(2).ToDictionary(pair => pair[0], pair => Device(pair[1].Split(':')));
        Dictionary<string, string> xattrs = Xattrs(output / "getfattr");
        List<Entry> entries = [.. Fields(output / "find").Chunk(9).Select(at =>
        {
            string key = at[0].Length == 0 ? "." : $"./{at[0]}";
            string content = at[1] switch
            {
                "f" => $"{at[7]} {digests[key]}",
                "l" => at[8],
                "c" or "b" => devices[key],
                _ => "",
            };
            string time = at[5].TrimEnd('0').TrimEnd('.');
            return new Entry(at[0], at[1], $"{Convert.ToUInt32(at[2], 8):x} {at[3]}:{at[4]} {time} {content} {xattrs.GetValueOrDefault(at[0].Length == 0 ? "." : at[0])}", at[1] == "d" ? at[0] : at[6]);
        })];
        return Lines(entries);
    }

    /// <summary>The tree in the lines of <c>layer-show --format json</c>.</summary>
    public static List<string> OfJson(string json)
    {
        Dictionary<string, Entry> entries = [];
        foreach (string line in json.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            JsonElement at = JsonDocument.Parse(line).RootElement;
            string path = Bytes(at, "path")!;
            entries.Add(path, Bytes(at, "link") is { } link ? entries[link] with { Path = path } : OfJson(at, path));
        }
        return Lines([.. entries.Values]);
    }

    /// <summary>Two listings are the same; else says what only one of them has.</summary>
    public static void AssertSame(List<string> expected, List<string> actual)
    {
        const int Enough = 20;
        IEnumerable<string> differences = [
            .. expected.Except(actual).Take(Enough).Select(line => $"missing: {line}"),
            .. actual.Except(expected).Take(Enough).Select(line => $"found:   {line}"),
        ];
        Assert.True(expected.SequenceEqual(actual), string.Join('\n', differences));
    }

    private static Entry OfJson(JsonElement at, string path)
    {
        string type = at.GetProperty("type").GetString() switch
        {
            "file" => "f",
            "directory" => "d",
            "symlink" => "l",
            "char_device" => "c",
            "block_device" => "b",
            "fifo" => "p",
            var other => other!,
        };
        string content = type switch
        {
            "f" => $"{at.GetProperty("size").GetInt64()} {at.GetProperty("digest").GetString()!["sha256:".Length..]}",
            "l" => Bytes(at, "target")!,
            "c" or "b" => $"{at.GetProperty("major").GetUInt32()}:{at.GetProperty("minor").GetUInt32()}",
            _ => "",
        };
        JsonElement mtime = at.GetProperty("mtime");
        string nanoseconds = mtime.GetProperty("nsec").GetUInt32().ToString("D9", CultureInfo.InvariantCulture);
        string time = $"{mtime.GetProperty("sec").GetInt64()}.{nanoseconds}".TrimEnd('0').TrimEnd('.');
        string xattrs = at.TryGetProperty("xattrs", out JsonElement list)
            ? string.Join(' ', list.EnumerateArray().Select(x => $"{Bytes(x, "name")}=0x{Convert.ToHexStringLower(x.GetProperty("value_b64").GetBytesFromBase64())}").Order(StringComparer.Ordinal))
            : "";
        uint mode = Convert.ToUInt32(at.GetProperty("mode").GetString(), 8);
        return new Entry(path, type, $"{mode:x} {at.GetProperty("uid").GetUInt32()}:{at.GetProperty("gid").GetUInt32()} {time} {content} {xattrs}", path);
    }

    private static List<string> Lines(List<Entry> entries)
    {
        Dictionary<string, string> names = entries.GroupBy(e => e.Inode)
            .ToDictionary(same => same.Key, same => string.Join(" = ", same.Select(e => e.Path).Order(StringComparer.Ordinal)));
        return [.. entries.Select(e => $"/{e.Path}: {e.Type} {e.State.TrimEnd()} ({names[e.Inode]})").Order(StringComparer.Ordinal)];
    }

    private static string[] Fields(string file) => Encoding.Latin1.GetString(File.ReadAllBytes(file)).Split('\0')[..^1];

    private static string Device(string[] hex) => string.Join(':', hex.Select(number => Convert.ToUInt32(number, 16)));

    // getfattr(1): a block a file, "# file: NAME" without "./" and with odd bytes as \ooo, then NAME=0xVALUE lines.
    private static Dictionary<string, string> Xattrs(string file)
    {
        Dictionary<string, string> found = [];
        foreach (string block in Encoding.Latin1.GetString(File.ReadAllBytes(file)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            string[] lines = block.Split('\n');
            found.Add(Unescape(lines[0]["# file: ".Length..]), string.Join(' ', lines[1..].Order(StringComparer.Ordinal)));
        }
        return found;
    }

    private static string Unescape(string text)
    {
        StringBuilder plain = new();
        for (int i = 0; i < text.Length; i++)
        {
            bool isEscape = text[i] == '\\';
            plain.Append(isEscape ? (char)Convert.ToByte(text.Substring(i + 1, 3), 8) : text[i]);
            i += isEscape ? 3 : 0;
        }
        return plain.ToString();
    }

    private static string? Bytes(JsonElement at, string member) =>
        at.TryGetProperty(member + "_b64", out JsonElement base64) ? Encoding.Latin1.GetString(base64.GetBytesFromBase64())
        : at.TryGetProperty(member, out JsonElement text) ? Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text.GetString()!)) : null;

    /// <param name="Path">Without a slash in front.</param>
    /// <param name="Type">As find(1) has it.</param>
    /// <param name="State">Mode, owner, time, content, xattrs.</param>
    /// <param name="Inode">Equal for names of the same inode.</param>
    private sealed record Entry(string Path, string Type, string State, string Inode);
}
