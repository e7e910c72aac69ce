using System.Text.Json;
using Layerbox.Nspawn;

namespace Layerbox.Cmd.Containers;

/// <summary>A member of a config.json that knows where it stands, for messages: "linux.namespaces[2].path".</summary>
internal sealed record OciMember(JsonElement Value, string Place, string File)
{
    public string Text => Value.ValueKind == JsonValueKind.String ? Value.GetString()! : throw Expected("a string");

    public long Number => Value.ValueKind == JsonValueKind.Number && Value.TryGetInt64(out long number) ? number : throw Expected("a whole number");

    public ulong Unsigned => Value.ValueKind == JsonValueKind.Number && Value.TryGetUInt64(out ulong number) ? number : throw Expected("a whole number");

    public bool Flag => Value.ValueKind is JsonValueKind.True or JsonValueKind.False ? Value.GetBoolean() : throw Expected("true or false");

    public IEnumerable<OciMember> Items => Value.ValueKind switch
    {
        JsonValueKind.Array => Value.EnumerateArray().Select((item, i) => new OciMember(item, $"{Place}[{i}]", File)),
        JsonValueKind.Null => [],
        _ => throw Expected("an array"),
    };

    /// <summary>The same, with no other members than these; one with a question mark before it may be there if there is nothing in it.</summary>
    /// <exception cref="ContainerException">There is another one, which cannot be carried out.</exception>
    public OciMember Allow(params string[] names)
    {
        if (Value.ValueKind != JsonValueKind.Object)
            throw Expected("an object");
        foreach (JsonProperty member in Value.EnumerateObject())
        {
            if (!names.Contains(member.Name) && !(IsEmpty(member.Value) && names.Contains($"?{member.Name}")))
                throw new OciMember(member.Value, Below(member.Name), File).Refuse("is not supported");
        }
        return this;
    }

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.String => value.GetString()!.Length == 0,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };

    public OciMember? Find(string name) =>
        Value.ValueKind != JsonValueKind.Object ? throw Expected("an object")
        : Value.TryGetProperty(name, out JsonElement member) && member.ValueKind != JsonValueKind.Null ? new OciMember(member, Below(name), File) : null;

    /// <exception cref="InvalidDataException">It is missing.</exception>
    public OciMember Need(string name) => Find(name) ?? throw new InvalidDataException($"{File}: {Below(name)}: is missing");

    public ContainerException Refuse(string reason) => new($"{File}: {Place}: {reason}");

    private string Below(string name) => Place.Length == 0 ? name : $"{Place}.{name}";

    private InvalidDataException Expected(string what) => new($"{File}: {(Place.Length == 0 ? "the whole" : Place)}: expected {what}, found {Value.ValueKind.ToString().ToLowerInvariant()}");
}
