using System.Text.Json;

namespace Layerbox.SendStream;

/// <summary>How bad it is what a check found.</summary>
public enum FindingSeverity
{
    /// <summary>The stream is malformed, or says what cannot be.</summary>
    Error,

    /// <summary>It can be applied, but perhaps not everywhere, or does not hold all that one may expect.</summary>
    Warning,

    /// <summary>It can be applied; whoever takes streams of others should know what it brings.</summary>
    Audit,
}

/// <summary>What a check finds besides faults. Programs see the names in snake_case, as docs/sendstream-check.md lists them.</summary>
public enum SendStreamRemark
{
    // Warnings.
    VersionZero,
    PathLong,

    // Audit.
    NameNotUtf8,
    NameControl,
    Setuid,
    Setgid,
    WorldWritable,
    DeviceNode,
    FileCapability,
}

/// <summary>One thing that a check found.</summary>
/// <param name="Code">What it is, for programs: a fault's or a remark's name in snake_case.</param>
/// <param name="Severity">How bad it is.</param>
/// <param name="Offset">Where in the input, in bytes: the beginning of the command, if it is one.</param>
/// <param name="Index">As <see cref="SendStreamException.Index"/>.</param>
/// <param name="Kind">What the command does; null when that is not known.</param>
/// <param name="Path">The path that the command is about, verbatim; null where there is none or it is too long to be one.</param>
/// <param name="Message">What it is in words, without the place.</param>
public sealed record SendStreamFinding(string Code, FindingSeverity Severity, long Offset, long Index, SendCommandKind? Kind, byte[]? Path, string Message)
{
    /// <summary>Where another, whole stream begins in the midst of one that was cut, in bytes.</summary>
    public long? Restart { get; init; }

    /// <summary>All codes that there are, sorted.</summary>
    public static IReadOnlyList<string> Codes { get; } =
        [.. Enum.GetValues<SendStreamFault>().Select(SendStreamFaults.Code).Concat(Enum.GetValues<SendStreamRemark>().Select(CodeOf)).Order(StringComparer.Ordinal)];

    internal static SendStreamFinding Of(SendStreamException e, FindingSeverity severity = FindingSeverity.Error) =>
        new(e.Fault.Code(), severity, e.Offset, e.Index, e.Kind, Shown(e.Path), e.Reason) { Restart = e.Restart };

    internal static SendStreamFinding Of(SendStreamRemark remark, SendCommand command, string message) => new(
        CodeOf(remark),
        remark <= SendStreamRemark.PathLong ? FindingSeverity.Warning : FindingSeverity.Audit,
        command.Offset, command.Index, command.Kind,
        command.Has(SendAttribute.Path) ? Shown(command.Bytes(SendAttribute.Path).ToArray()) : null,
        message);

    private static string CodeOf(SendStreamRemark remark) => JsonNamingPolicy.SnakeCaseLower.ConvertName(remark.ToString());

    private static byte[]? Shown(byte[]? path) => path?.Length <= SendStreamFormat.MaxPathLength ? path : null;
}
