using System.CommandLine;
using System.Globalization;
using System.Text.Json.Serialization;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>container-list: lists the containers that run.</summary>
internal static class ContainerList
{
    public static Tool Declare()
    {
        Option<string> format = new("--format") { Description = "JSON lines, or a table for people.", DefaultValueFactory = _ => "json" };
        format.AcceptOnlyFromAmong("json", "table");
        Command command = new(
            "container-list",
            "List the containers that run on this machine, whichever engine made them, the oldest first. Without root: those that you may look into.")
        {
            format,
        };
        return new Tool(command, "container-list\ncontainer-list --format table", (args, io) => Run(args.GetRequiredValue(format) == "table", io));
    }

    private static int Run(bool isTable, Streams io)
    {
        IReadOnlyList<ContainerDescription> containers = ContainerRegistry.List();
        if (isTable)
            WriteTable(containers, io);
        else
            foreach (ContainerDescription container in containers)
                io.WriteJsonLine(new ContainerJson(container), ContainersJson.Default.ContainerJson);
        return ExitStatus.Success;
    }

    private static void WriteTable(IReadOnlyList<ContainerDescription> containers, Streams io)
    {
        List<string[]> rows = [["ID", "NAME", "ENGINE", "PROCESS 1", "TOOL", "ROOT", "COMMAND"]];
        foreach (ContainerDescription container in containers)
        {
            rows.Add([
                container.Id, container.Name, container.IsBooted ? $"{container.Engine}, booted" : container.Engine, Number(container.Process1), Number(container.Tool),
                PathText.Printable(container.Root), PathText.Printable(string.Join(' ', container.Command)),
            ]);
        }
        int[] widths = [.. Enumerable.Range(0, rows[0].Length - 1).Select(column => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
            io.WriteLine(string.Concat(widths.Select((width, column) => row[column].PadRight(width + 2))) + row[^1]);
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A container that runs. In the command, bytes that are not UTF-8 and control characters are written as \xNN.</summary>
internal sealed record ContainerJson(string Id, string Name, string Engine, bool Booted, [property: JsonPropertyName("process_1")] int Process1, int Tool)
{
    public ContainerJson(ContainerDescription container)
        : this(container.Id, container.Name, container.Engine, container.IsBooted, container.Process1, container.Tool)
    {
        (Root, RootB64) = PathJson.Split(container.Root);
        Command = [.. container.Command.Select(PathText.Printable)];
    }

    public string? Root { get; }

    [JsonPropertyName("root_b64")]
    public string? RootB64 { get; }

    public IReadOnlyList<string> Command { get; } = [];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ContainerJson))]
internal sealed partial class ContainersJson : JsonSerializerContext;
