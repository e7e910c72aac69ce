using System.Globalization;
using System.Text.Json;

namespace Layerbox.RpmSnapshot;

/// <summary>Version policies as JSON: members that are not known, given twice or of another kind are refused, with their place.</summary>
internal static class PolicyJson
{
    private static readonly JsonDocumentOptions s_options = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    public static VersionPolicy Read(ReadOnlyMemory<byte> json)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json, s_options);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}: {e.Message.Split(" LineNumber:")[0].TrimEnd('.', ' ')}", e);
        }
        using (document)
        {
            Dictionary<string, JsonElement> members = Members(document.RootElement, "", "as_of", "allow", "deny", "pin", "groups", "newest");
            return new VersionPolicy
            {
                AsOf = members.TryGetValue("as_of", out JsonElement date) ? Date(date) : null,
                Newest = members.TryGetValue("newest", out JsonElement newest) ? Count(newest) : null,
                Allow = members.ContainsKey("allow") ? Rules(members, "allow") : null,
                Deny = Rules(members, "deny"),
                Pin = Rules(members, "pin", mustHaveVersion: true),
                Groups = Items(members, "groups", "", Group),
            };
        }
    }

    private static List<PackageRule> Rules(Dictionary<string, JsonElement> members, string name, bool mustHaveVersion = false) => Items(members, name, "", (element, place) =>
    {
        if (element.ValueKind == JsonValueKind.String && !mustHaveVersion)
            return new PackageRule(Text(element, place), null, null, null);
        Dictionary<string, JsonElement> parts = Members(element, place, "name", "evr", "arch", "repo");
        EvrRule? evr = null;
        try
        {
            evr = Optional(parts, "evr", place) is { } text ? EvrRule.Parse(text) : null;
        }
        catch (FormatException e)
        {
            throw Fault($"{place}.evr", e.Message);
        }
        if (mustHaveVersion && (!parts.ContainsKey("name") || evr is null))
            throw Fault(place, "'name' and 'evr' are expected");
        if (parts.Count == 0)
            throw Fault(place, "a rule that is empty");
        return new PackageRule(Optional(parts, "name", place) ?? "*", evr, Optional(parts, "arch", place), Optional(parts, "repo", place));
    });

    private static PolicyGroup Group(JsonElement element, string place)
    {
        Dictionary<string, JsonElement> parts = Members(element, place, "name", "members", "by");
        List<PackageRule> members = Items(parts, "members", $"{place}.", (member, at) => new PackageRule(Text(member, at), null, null, null));
        if (members.Count == 0)
            throw Fault(place, "'members' is missing or empty");
        string by = Optional(parts, "by", place) ?? "source";
        return new PolicyGroup(
            Optional(parts, "name", place) ?? members[0].Name,
            members,
            by is "source" or "version" ? by == "version" : throw Fault($"{place}.by", "either 'source' or 'version' is expected"));
    }

    private static Dictionary<string, JsonElement> Members(JsonElement element, string place, params string[] known)
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw Fault(place, "an object is expected");
        Dictionary<string, JsonElement> members = new(StringComparer.Ordinal);
        foreach (JsonProperty member in element.EnumerateObject())
        {
            if (Array.IndexOf(known, member.Name) < 0)
                throw Fault(place, $"member '{member.Name}' is not known; there are {string.Join(", ", known)}");
            if (!members.TryAdd(member.Name, member.Value))
                throw Fault(place, $"member '{member.Name}' is given twice");
        }
        return members;
    }

    private static List<T> Items<T>(Dictionary<string, JsonElement> members, string name, string place, Func<JsonElement, string, T> read)
    {
        List<T> items = [];
        if (!members.TryGetValue(name, out JsonElement list))
            return items;
        if (list.ValueKind != JsonValueKind.Array)
            throw Fault(place + name, "an array is expected");
        foreach (JsonElement item in list.EnumerateArray())
            items.Add(read(item, string.Create(CultureInfo.InvariantCulture, $"{place}{name}[{items.Count}]")));
        return items;
    }

    private static string? Optional(Dictionary<string, JsonElement> members, string name, string place) => members.TryGetValue(name, out JsonElement value) ? Text(value, $"{place}.{name}") : null;

    private static string Text(JsonElement element, string place) =>
        element.ValueKind == JsonValueKind.String && element.GetString() is { Length: > 0 } text ? text : throw Fault(place, "a text is expected");

    private static int Count(JsonElement element) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int count) && count > 0 ? count : throw Fault("newest", "a whole number from 1 is expected");

    private static DateTimeOffset Date(JsonElement element)
    {
        string text = Text(element, "as_of");
        return DateTimeOffset.TryParseExact(text, (string[])["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ssK"], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset date)
            ? date
            : throw Fault("as_of", $"'{text}' is no date such as 2026-11-21 or 2026-11-21T12:00:00Z");
    }

    private static InvalidDataException Fault(string place, string reason) => new(place.Length == 0 ? reason : $"{place}: {reason}");
}
