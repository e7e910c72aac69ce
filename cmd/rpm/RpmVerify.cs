using System.CommandLine;
using System.Text.Json;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rpm;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-verify: whether packages are whole, and what is wrong with those that are not.</summary>
internal static class RpmVerify
{
    private const string Name = "rpm-verify", JsonForm = "json", TextForm = "text";

    private static readonly JsonEncodedText s_path = JsonEncodedText.Encode("path"), s_path64 = JsonEncodedText.Encode("path_b64");

    public static Tool Declare()
    {
        Argument<string[]> files = RpmFiles.Argument();
        Option<string> format = new("--format") { Description = "json: a line a package; text: a line for each thing that is wrong, nothing for good packages.", DefaultValueFactory = _ => JsonForm };
        format.AcceptOnlyFromAmong(JsonForm, TextForm);
        Option<string[]> keys = new("--keys") { Description = "Also have rpmkeys check the signatures against the public keys in these files; a package must have one then.", HelpName = "FILE", AllowMultipleArgumentsPerToken = false };
        Command command = new(
            Name,
            "Check whether RPM packages are whole. Compared are all digests and sizes that their headers have, and the files of the payload with the header. "
            + "Exit status 1 when something is wrong with any of them, 2 when one cannot be read at all.")
        {
            files, format, keys,
        };
        return new Tool(
            command,
            "rpm-verify *.rpm | jq -r 'select(.good | not) | .file'\nrpm-verify --format text --keys RPM-GPG-KEY.asc bash.rpm\ncurl -s https://example.org/bash.rpm | rpm-verify -",
            (args, io) => Run(args.GetRequiredValue(files), args.GetValue(keys) ?? [], args.GetRequiredValue(format) == JsonForm, io));
    }

    private static int Run(string[] files, string[] keys, bool asJson, Streams io)
    {
        using RpmKeyring? keyring = keys.Length == 0 ? null : new RpmKeyring(keys);
        using JsonLineWriter lines = new(io.Out);
        bool isGood = true;
        CancellationToken cancellation = io.Cancellation;
        int status = RpmFiles.ForEach(Name, files, io, (file, stream) =>
        {
            RpmVerification verification = keyring is null ? RpmVerification.Of(stream, Reading) : keyring.Verify(file, stream, Reading);
            isGood &= verification.Findings.Count == 0;
            if (asJson)
                WriteJson(lines, file, verification);
            else
                foreach (RpmFinding finding in verification.Findings)
                    io.WriteLine(PathText.Printable($"{InputFile.NameOf(file)}: {finding.Code}: {(finding.Path is null ? "" : $"{BytesText.Escape(finding.Path)}: ")}{finding.Message}"));
            lines.Flush();
        });
        return status != ExitStatus.Success ? status : isGood ? ExitStatus.Success : ExitStatus.No;

        void Reading(long bytes) => cancellation.ThrowIfCancellationRequested();
    }

    private static void WriteJson(JsonLineWriter lines, string file, RpmVerification verification)
    {
        Utf8JsonWriter json = lines.Json;
        lines.StartLine();
        json.WriteString("file", PathText.Printable(file));
        if (verification.Nevra is { } nevra)
            json.WriteString("nevra", nevra.ToString());
        json.WriteBoolean("good", verification.Findings.Count == 0);
        json.WriteStartArray("checked");
        foreach (string code in verification.Checked)
            json.WriteStringValue(code);
        json.WriteEndArray();
        json.WriteStartArray("findings");
        foreach (RpmFinding finding in verification.Findings)
        {
            json.WriteStartObject();
            json.WriteString("code", finding.Code);
            if (finding.Path is { } path)
                lines.WriteBytes(s_path, s_path64, path);
            json.WriteString("message", PathText.Printable(finding.Message));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        lines.EndLine();
    }
}
