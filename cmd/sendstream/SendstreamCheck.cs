using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Unicode;
using Layerbox.Posix;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>sendstream-check: says what is wrong with send-streams, and what they would bring, without receiving them.</summary>
internal static class SendstreamCheck
{
    private const string Name = "sendstream-check";
    private const long DefaultMaxFindings = 1000;

    public static Tool Declare()
    {
        Argument<string[]> files = new("FILE")
        {
            Description = "Send-streams, plain or compressed; - for standard input. Several are a chain: incremental streams behind what they build upon.",
            DefaultValueFactory = _ => [InputFile.StandardInput],
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<bool> framesOnly = new("--frames-only") { Description = "Check only whether the commands are whole and their checksums good, not what they say." };
        Option<bool> noAudit = new("--no-audit") { Description = "Say nothing about what can be received but may be unwelcome, such as setuid files." };
        Option<string[]> allow = new("--allow") { Description = "Say nothing of findings with this code. May be given several times.", HelpName = "CODE" };
        allow.Validators.Add(result =>
        {
            foreach (string code in result.Tokens.Select(token => token.Value).Where(code => !SendStreamFinding.Codes.Contains(code)))
                result.AddError($"--allow: '{code}' is no code of a finding");
        });
        Option<long> maxFindings = new("--max-findings")
        {
            Description = "End the check of a file after so many findings.",
            HelpName = "N",
            DefaultValueFactory = _ => DefaultMaxFindings,
        };
        maxFindings.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<long>() < 1)
                result.AddError("--max-findings: expected 1 or more");
        });
        Option<string> progress = Progress.Option();
        ReaderOptions reader = new(hasContents: false);
        Command command = new(
            Name,
            "Check send-streams without receiving them, and print each finding as a JSON line. "
            + "Exit status 1 when there is any, malformed streams included; 2 when an input cannot be read at all.")
        {
            files, framesOnly, noAudit, allow, maxFindings, progress,
        };
        reader.AddTo(command);
        return new Tool(
            command,
            "sendstream-check backup.sendstream.zst\nsendstream-check --no-audit full.sendstream monday.sendstream tuesday.sendstream\n"
            + "btrfs send /volume/web.1 | sendstream-check --allow setuid --allow device_node -",
            (args, io) => Run(
                args.GetRequiredValue(files),
                new Filter(args.GetValue(noAudit), (args.GetValue(allow) ?? []).ToHashSet(), args.GetValue(maxFindings)),
                args.GetValue(framesOnly),
                reader.Of(args),
                args.GetValue(progress),
                io));
    }

    private static int Run(string[] files, Filter filter, bool framesOnly, Reading reading, string? progressMode, Streams io)
    {
        InputFile.CheckReadOnce(files);
        string file = "";
        long findings = 0;
        Progress? shown = null;
        using SendStreamCheck check = new(Report, framesOnly, reading.Limits, MemoryMarshal.Read<UInt128>(Guid.NewGuid().ToByteArray()), () => new CheckFile());
        int status = ExitStatus.Success;
        foreach (string next in files)
        {
            (file, findings) = (next, 0);
            try
            {
                using Progress progress = shown = Progress.Start(io, progressMode);
                using StreamInput input = StreamInput.Open(file, io, reading with { Progress = progress, Verb = "checking" });
                input.Read(() =>
                {
                    check.Check(input.NewReader());
                    return true;
                });
            }
            catch (EnoughException)
            {
                io.Err.WriteLine(PathText.Printable($"{Name}: {InputFile.NameOf(file)}: {filter.MaxFindings} findings, the rest is not looked at (--max-findings)"));
            }
            catch (Exception e) when (e is InvalidDataException || ((e as PosixException)?.Path is { } path && path != FdStream.StandardOutput.Name))
            {
                io.Err.WriteLine(PathText.Printable($"{Name}: {e.Message}"));
                status = ExitStatus.Trouble;
            }
            if (findings > 0 && status == ExitStatus.Success)
                status = ExitStatus.No;
        }
        return status;

        void Report(SendStreamFinding finding)
        {
            if (filter.Drops(finding))
                return;
            shown?.Clear();
            io.WriteJsonLine(FindingJson.Of(finding, file), FindingsJson.Readable.FindingJson);
            if (io.OutIsTerminal)
                io.Out.Flush(); // before the bar comes again
            if (++findings == filter.MaxFindings)
                throw new EnoughException();
        }
    }

    /// <summary>What is not to be said.</summary>
    private sealed record Filter(bool NoAudit, IReadOnlySet<string> Allowed, long MaxFindings)
    {
        public bool Drops(SendStreamFinding finding) => (NoAudit && finding.Severity == FindingSeverity.Audit) || Allowed.Contains(finding.Code);
    }

    private sealed class EnoughException : Exception;
}

/// <summary>A finding as it is printed.</summary>
internal sealed record FindingJson(string Code, string Severity, string File, long Offset, long Index, string? Op)
{
    public string? Path { get; init; }

    [JsonPropertyName("path_b64")]
    public string? PathB64 { get; init; }

    public long? Restart { get; init; }

    public required string Message { get; init; }

    public static FindingJson Of(SendStreamFinding finding, string file)
    {
        bool isText = finding.Path is { } path && Utf8.IsValid(path);
        return new FindingJson(
            finding.Code,
            finding.Severity switch { FindingSeverity.Error => "error", FindingSeverity.Warning => "warning", _ => "audit" },
            PathText.Printable(file),
            finding.Offset,
            finding.Index,
            finding.Kind is { } kind && SendStreamFormat.IsKnown(kind) ? SendStreamFormat.NameOf(kind) : null)
        {
            Path = isText ? Encoding.UTF8.GetString(finding.Path!) : null,
            PathB64 = isText || finding.Path is null ? null : Convert.ToBase64String(finding.Path),
            Restart = finding.Restart,
            Message = finding.Message,
        };
    }
}

[JsonSerializable(typeof(FindingJson))]
internal sealed partial class FindingsJson : JsonSerializerContext
{
    /// <summary>Messages are full of quotes, which the default form would write as \u0027 for the sake of HTML.</summary>
    public static FindingsJson Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
