using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Layerbox.Nspawn;
using Layerbox.Nspawn.Boot;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>The whole description of a container as JSON, in the order in which its parts matter: the same for the same request.</summary>
internal static class ContainerPlanJson
{
    public static void Write(ContainerSpec spec, PlanWishes wishes, ContainerOutline outline, Stream to)
    {
        bool isNspawn = wishes.Engine == ContainerRun.Nspawn;
        ContainerPlan plan = new(
            wishes.Engine,
            new PlanRoot(Text(RealPath.Of(spec.Root)), wishes.Changes, spec.ReadOnly) { Keep = Optional(wishes.Keep) },
            [.. spec.Command.Select(Text)],
            [.. (spec.Environment ?? ContainerSpec.DefaultEnvironment(spec.User)).Select(Text)],
            Text(spec.WorkingDirectory),
            new PlanUser(spec.User.Uid, spec.User.Gid, spec.User.Groups, Text(spec.User.Home)),
            string.Create(CultureInfo.InvariantCulture, $"0{Convert.ToString(spec.Umask ?? 0x12 /* 0022 */, 8).PadLeft(3, '0')}"),
            spec.HostName,
            outline.Namespaces,
            [.. outline.Mounts.Select(m => new PlanMount(Text(m.Destination), m.Type, Optional(m.Source), [.. m.Options.Select(Text)]))],
            outline.Capabilities,
            spec.NoNewPrivileges,
            new PlanFilter(spec.SystemCallFilter, outline.RefusedCalls, outline.IgnoredCalls),
            [.. outline.ResourceLimits.Select(limit => new PlanResourceLimit(limit.Name, Value(limit.Soft), Value(limit.Hard)))],
            [.. outline.Limits.Select(limit => new PlanGroupFile(Text(limit.Group), limit.File, limit.Text))],
            spec.ForwardedDescriptors.Count,
            spec.Terminal is not null,
            wishes.DiesWithParent)
        {
            Name = spec.Name,
            Masks = isNspawn && spec.Masks.Count > 0 ? [.. spec.Masks.Select(Text)] : null,
            ReadOnlyPaths = isNspawn && spec.ReadOnlyPaths.Count > 0 ? [.. spec.ReadOnlyPaths.Select(Text)] : null,
            AmbientCapabilities = spec.User.Uid != 0 && spec.AmbientCapabilities.Count > 0 ? spec.AmbientCapabilities : null,
            UserNamespace = spec.UserRange is { } users ? new PlanUserNamespace(users.First, users.Count) : null,
            OomScoreAdj = spec.OutOfMemoryScore,
            TimeoutSeconds = spec.Timeout?.TotalSeconds,
            KillGraceSeconds = spec.KillGrace > TimeSpan.Zero ? spec.KillGrace.TotalSeconds : null,
            Boot = outline.Boot is { } planned && wishes.Boot is { } boot
                ? new PlanBoot([.. planned.Inits.Select(Text)], [.. planned.Arguments.Select(Text)], [.. planned.Environment.Select(Text)],
                    boot.Timeout.TotalSeconds, boot.IsUnit, boot.RequiresUnits, boot.Stop switch { BootStop.Clean => "clean", BootStop.Fast => "fast", _ => "kill" }, boot.StopTimeout.TotalSeconds)
                { Console = Optional(boot.Console) }
                : null,
            Program = outline.Program is null ? null : [.. outline.Program.Select(Text)],
        };
        to.Write(JsonSerializer.SerializeToUtf8Bytes(plan, PlanJson.Default.ContainerPlan));
        to.WriteByte((byte)'\n');
    }

    private static ulong? Value(ulong limit) => limit == ResourceLimit.Unlimited ? null : limit;

    private static PlanText Text(string text) => new(text);

    private static PlanText? Optional(string? text) => text is null ? null : new PlanText(text);
}

/// <param name="Engine">builtin or nspawn.</param>
/// <param name="Cwd">Where the command starts.</param>
/// <param name="Umask">In octal.</param>
/// <param name="Mounts">In the order in which they are made.</param>
/// <param name="Rlimits">Of each process; a missing value is no limit.</param>
/// <param name="Cgroups">What is written into the files of the container's control groups.</param>
/// <param name="ForwardedDescriptors">How many.</param>
/// <param name="Terminal">The command gets one of its own.</param>
/// <param name="DieWithParent">The container ends with the process that started the tool.</param>
internal sealed record ContainerPlan(
    string Engine, PlanRoot Root, IReadOnlyList<PlanText> Command, IReadOnlyList<PlanText> Environment, PlanText Cwd, PlanUser User, string Umask,
    string Hostname, IReadOnlyList<string> Namespaces, IReadOnlyList<PlanMount> Mounts, IReadOnlyList<string> Capabilities, bool NoNewPrivileges,
    PlanFilter Seccomp, IReadOnlyList<PlanResourceLimit> Rlimits, IReadOnlyList<PlanGroupFile> Cgroups, int ForwardedDescriptors, bool Terminal, bool DieWithParent)
{
    /// <summary>Which it was given; null: an id that is made up at the start.</summary>
    public string? Name { get; init; }

    /// <summary>What is process 1, where a system boots; the command is entered then when it is up.</summary>
    public PlanBoot? Boot { get; init; }

    /// <summary>What the user may do although he is not root.</summary>
    public IReadOnlyList<string>? AmbientCapabilities { get; init; }

    public PlanUserNamespace? UserNamespace { get; init; }
    public IReadOnlyList<PlanText>? Masks { get; init; }
    public IReadOnlyList<PlanText>? ReadOnlyPaths { get; init; }
    public int? OomScoreAdj { get; init; }
    public double? TimeoutSeconds { get; init; }
    public double? KillGraceSeconds { get; init; }

    /// <summary>What systemd-nspawn is called with, but for the name that it gets.</summary>
    public IReadOnlyList<PlanText>? Program { get; init; }
}

/// <summary>A path or an argument: a JSON string, or {"b64": "…"} where its bytes are not UTF-8.</summary>
[JsonConverter(typeof(PlanTextConverter))]
internal readonly record struct PlanText(string Value);

internal sealed class PlanTextConverter : JsonConverter<PlanText>
{
    public override PlanText Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

    public override void Write(Utf8JsonWriter writer, PlanText value, JsonSerializerOptions options)
    {
        if (PathJson.Split(value.Value) is (null, { } base64))
        {
            writer.WriteStartObject();
            writer.WriteString("b64"u8, base64);
            writer.WriteEndObject();
        }
        else
            writer.WriteStringValue(value.Value);
    }
}

/// <param name="Changes">memory, snapshot, keep or in_place.</param>
internal sealed record PlanRoot(PlanText Path, string Changes, bool ReadOnly)
{
    /// <summary>Where the snapshot is made that stays; null: there is none.</summary>
    public PlanText? Keep { get; init; }
}

/// <param name="Inits">The first that is there.</param>
/// <param name="Unit">The command is a unit of systemd.</param>
/// <param name="Stop">clean, fast or kill.</param>
internal sealed record PlanBoot(
    IReadOnlyList<PlanText> Inits, IReadOnlyList<PlanText> Arguments, IReadOnlyList<PlanText> Environment, double TimeoutSeconds, bool Unit, bool RequireUnits, string Stop, double StopTimeoutSeconds)
{
    /// <summary>Where everything goes that the system writes to its console; "-": to standard error. Null: its last lines are shown when something fails.</summary>
    public PlanText? Console { get; init; }
}

internal sealed record PlanUser(uint Uid, uint Gid, IReadOnlyList<uint> Groups, PlanText Home);

internal sealed record PlanMount(PlanText Destination, string Type, PlanText? Source, IReadOnlyList<PlanText> Options);

/// <param name="From">Who root inside is outside; none: the first of the numbers that are free at the start.</param>
internal sealed record PlanUserNamespace(uint? From, uint Count);

/// <param name="Ignored">What succeeds without being done.</param>
internal sealed record PlanFilter(bool Filter, IReadOnlyList<string> Refused, IReadOnlyList<string> Ignored);

internal sealed record PlanResourceLimit(string Name, ulong? Soft, ulong? Hard);

internal sealed record PlanGroupFile(PlanText Parent, string File, string Text);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
[JsonSerializable(typeof(ContainerPlan))]
internal sealed partial class PlanJson : JsonSerializerContext;
