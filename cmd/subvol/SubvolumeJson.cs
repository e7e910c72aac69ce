using System.Text.Json.Serialization;
using Layerbox.Btrfs;

namespace Layerbox.Cmd.Subvol;

/// <summary>When something last happened to a subvolume, and in which transaction of the filesystem.</summary>
internal sealed record EventJson(ulong Transid, long Sec, uint Nsec)
{
    public static EventJson? Of(SubvolumeEvent e) => e.Transid == 0 ? null : new(e.Transid, e.Time.Seconds, e.Time.Nanoseconds);
}

/// <summary>Bytes that a subvolume holds and may hold.</summary>
internal sealed record QuotaJson(ulong Referenced, ulong Exclusive, ulong? MaxReferenced, ulong? MaxExclusive);

/// <summary>One line about one subvolume, the same from every tool that says something of them.</summary>
internal sealed record SubvolumeJson(string HostPath, SubvolumeInfo Info) : PathJson(HostPath)
{
    [JsonIgnore]
    public string HostPath { get; } = HostPath;

    [JsonIgnore]
    public SubvolumeInfo Info { get; } = Info;

    public ulong Id => Info.Id;
    public ulong ParentId => Info.ParentId;
    public string Uuid => Info.Uuid.ToString();
    public string? ParentUuid => Info.ParentUuid?.ToString();
    public string? ReceivedUuid => Info.ReceivedUuid?.ToString();
    public ulong Generation => Info.Generation;
    public bool ReadOnly => Info.IsReadOnly;
    public EventJson? Created => EventJson.Of(Info.Created);
    public EventJson? Changed => EventJson.Of(Info.Changed);
    public EventJson? Sent => EventJson.Of(Info.Sent);
    public EventJson? Received => EventJson.Of(Info.Received);
    public bool? Default { get; init; }
    public QuotaJson? Quota { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SubvolumeJson))]
internal sealed partial class SubvolJson : JsonSerializerContext;
