using System.CommandLine;
using System.Globalization;
using Layerbox.Btrfs;
using Layerbox.Posix;

namespace Layerbox.Cmd.Subvol;

/// <summary>subvol-list: lists the subvolumes of a filesystem.</summary>
internal static class SubvolList
{
    public static Tool Declare()
    {
        Argument<string> directory = new("DIR") { Description = "Any directory of the filesystem.", DefaultValueFactory = _ => "." };
        Option<string> format = new("--format") { Description = "JSON lines, or a table for people.", DefaultValueFactory = _ => "json" };
        format.AcceptOnlyFromAmong("json", "table");
        Command command = new(
            "subvol-list",
            "List all subvolumes of a btrfs filesystem, with paths from its top level. Without root: those below the mount that can be opened, with paths from there.")
        {
            directory, format,
        };
        return new Tool(
            command,
            "subvol-list /volume\nsubvol-list --format table /volume",
            (args, io) => Run(args.GetRequiredValue(directory), args.GetRequiredValue(format) == "table", io));
    }

    private static int Run(string directory, bool isTable, Streams io)
    {
        IReadOnlyList<SubvolumeEntry> entries = SubvolumeSearch.List(directory);
        if (isTable)
            WriteTable(entries, io);
        else
            foreach (SubvolumeEntry entry in entries)
                io.WriteJsonLine(new SubvolumeJson(entry.Path, entry.Info), SubvolJson.Default.SubvolumeJson);
        return ExitStatus.Success;
    }

    private static void WriteTable(IReadOnlyList<SubvolumeEntry> entries, Streams io)
    {
        List<string[]> rows = [["ID", "PARENT", "GENERATION", "MODE", "CREATED (UTC)", "UUID", "PATH"]];
        foreach ((string path, SubvolumeInfo info) in entries)
        {
            rows.Add([
                Number(info.Id),
                Number(info.ParentId),
                Number(info.Generation),
                info.IsReadOnly ? "ro" : "rw",
                DateTimeOffset.FromUnixTimeSeconds(info.Created.Time.Seconds).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture),
                info.Uuid.ToString(),
                PathText.Printable(path),
            ]);
        }
        int[] widths = [.. Enumerable.Range(0, rows[0].Length - 1).Select(column => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
            io.WriteLine(string.Concat(widths.Select((width, column) => row[column].PadRight(width + 2))) + row[^1]);
    }

    private static string Number(ulong value) => value.ToString(CultureInfo.InvariantCulture);
}
