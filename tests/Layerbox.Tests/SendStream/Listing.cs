using System.Globalization;
using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Tests.SendStream;

/// <summary>
/// The state of a filesystem as sorted lines, one a path: once from find, stat, sha256sum and getfattr over a real folder, once from a
/// tree, so that the two can be compared. Bytes are Latin-1 characters.
/// </summary>
internal static class Listing
{
    private sealed record Line(string Kind, string Mode, string Owner, string Time, string Size, string Target, string FirstName)
    {
        public string Device { get; set; } = "";
        public string Digest { get; set; } = "";
        public string Xattrs { get; set; } = "";
    }

    public static List<string> OfFolder(string folder)
    {
        string[] fields = Output(folder, @"find . -printf '%P\0%y\0%m\0%U:%G\0%T@\0%s\0%l\0%i\0'");
        SortedDictionary<string, Line> lines = new(StringComparer.Ordinal);
        Dictionary<string, string> firstNames = [];
        for (int i = 0; i + 7 < fields.Length; i += 8)
        {
            string path = fields[i], inode = fields[i + 7];
            if (!firstNames.TryGetValue(inode, out string? first) || string.CompareOrdinal(path, first) < 0)
                firstNames[inode] = path;
            lines[path] = new Line(fields[i + 1], fields[i + 2], fields[i + 3], fields[i + 4].TrimEnd('0'), fields[i + 1] == "f" ? fields[i + 5] : "", fields[i + 6], inode);
        }
        foreach ((string path, Line line) in lines.ToList())
            lines[path] = line with { FirstName = firstNames[line.FirstName] };
        foreach (string entry in Output(folder, "find . -type f -print0 | xargs -0 sha256sum -z"))
            lines[entry[68..]].Digest = entry[..64]; // digest, two blanks, "./"
        foreach (string entry in Output(folder, @"find . \( -type b -o -type c \) -print0 | xargs -0r stat --printf '%t:%T %n\0'"))
            lines[entry[(entry.IndexOf(' ', StringComparison.Ordinal) + 3)..]].Device = entry[..entry.IndexOf(' ', StringComparison.Ordinal)];
        // getfattr escapes names, so it is asked for one file at a time.
        string[] xattrs = Output(folder, @"find . -print0 | while IFS= read -r -d '' p; do printf '%s\0' ""$p""; getfattr -h -d -m - -e hex -- ""$p"" 2>&1; printf '\0'; done");
        for (int i = 0; i + 1 < xattrs.Length; i += 2)
            lines[xattrs[i] == "." ? "" : xattrs[i][2..]].Xattrs = string.Join(',', xattrs[i + 1].Split('\n').Where(x => x.Contains('=', StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        return [.. lines.Select(l => $"{Printable(l.Key)} {l.Value}")];
    }

    public static List<string> OfTree(Tree tree)
    {
        SortedDictionary<string, Line> lines = new(StringComparer.Ordinal);
        Dictionary<Inode, string> firstNames = [];
        List<(string Path, Inode Inode)> paths = [.. tree.Walk().Select(e => (Encoding.Latin1.GetString(e.Key.ToBytes()), e.Value))];
        foreach ((string path, Inode inode) in paths.OrderBy(p => p.Path, StringComparer.Ordinal))
        {
            firstNames.TryAdd(inode, path);
            string kind = inode.Kind switch
            {
                FileKind.Directory => "d",
                FileKind.File => "f",
                FileKind.Symlink => "l",
                FileKind.CharDevice => "c",
                FileKind.BlockDevice => "b",
                FileKind.Fifo => "p",
                _ => "s",
            };
            string time = Time(inode.ModificationTime), mode = Convert.ToString(inode.Mode, 8);
            string size = inode.Content?.Size.ToString(CultureInfo.InvariantCulture) ?? "";
            lines[path] = new Line(kind, mode, $"{inode.Uid}:{inode.Gid}", time, size, Encoding.Latin1.GetString(inode.Target), firstNames[inode])
            {
                Device = kind is "c" or "b" ? $"{inode.DeviceMajor:x}:{inode.DeviceMinor:x}" : "",
                Digest = inode.Content is null ? "" : Convert.ToHexStringLower(inode.Content.Digest),
                Xattrs = string.Join(',', inode.Xattrs.Items.Select(x => $"{Encoding.Latin1.GetString(x.Name)}=0x{Convert.ToHexStringLower(x.Value)}").Order(StringComparer.Ordinal)),
            };
        }
        return [.. lines.Select(l => $"{Printable(l.Key)} {l.Value}")];
    }

    /// <summary>Compares, and says the first lines that differ.</summary>
    public static void AssertSame(List<string> expected, List<string> actual)
    {
        List<string> missing = [.. expected.Except(actual).Take(5)], surplus = [.. actual.Except(expected).Take(5)];
        Assert.True(missing.Count + surplus.Count == 0, $"expected:\n{string.Join('\n', missing)}\nfound:\n{string.Join('\n', surplus)}");
        Assert.Equal(expected.Count, actual.Count);
    }

    // find prints ten digits after the point; those zeros that mean nothing were taken off.
    private static string Time(Timestamp time) => string.Create(CultureInfo.InvariantCulture, $"{time.Seconds}.{time.Nanoseconds:d9}").TrimEnd('0');

    private static string Printable(string text) => BytesText.Escape(Encoding.Latin1.GetBytes(text));

    private static string[] Output(string folder, string script)
    {
        using TempFolder temp = new();
        Programs.Shell($"cd {folder}; {{ {script}; }} > {temp / "out"}");
        string all = Encoding.Latin1.GetString(File.ReadAllBytes(temp / "out"));
        return all.Length == 0 ? [] : all[..^1].Split('\0');
    }
}
