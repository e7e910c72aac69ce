using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Xml.Linq;

namespace Layerbox.Tests.Rpm;

/// <summary>What rpm-show says of packages that rpmbuild made is what rpm says of them.</summary>
public class RpmShowTests
{
    // Computed by rpm, or another name of a tag that is there; not stored in packages.
    private static readonly HashSet<string> s_computed = ["nvra", "headerimmutable", "headersignatures"];

    [Fact]
    public void All_tags_are_those_that_rpm_prints()
    {
        foreach (string package in BuiltRpms.All)
        {
            Dictionary<string, List<string>> expected = XDocument.Parse(Programs.Run("rpm", "-qp", "--nosignature", "--xml", package)).Root!.Elements("rpmTag")
                .GroupBy(tag => tag.Attribute("name")!.Value.ToLowerInvariant())
                .ToDictionary(tags => tags.Key, tags => tags.First().Elements().Select(Value).ToList());
            int compared = 0;
            foreach (JsonElement tag in Lines("rpm-show", "--tags", package).Where(line => Is(line, "tag") && line.GetProperty("header").GetString() == "main"))
            {
                string name = tag.GetProperty("name").GetString()!;
                if (s_computed.Contains(name))
                    continue;
                Assert.True(expected.TryGetValue(name, out List<string>? values), $"{package}: {name}");
                List<string> found = tag.TryGetProperty("value_b64", out JsonElement binary)
                    ? [Convert.ToHexStringLower(binary.GetBytesFromBase64())]
                    : [.. tag.GetProperty("values").EnumerateArray().Select(value => value.ValueKind == JsonValueKind.String ? value.GetString()!.Trim() : value.GetRawText())];
                Assert.Equal(values, found);
                compared++;
            }
            Assert.InRange(compared, 40, 200);
        }

        static string Value(XElement element) => element.Name.LocalName switch
        {
            "base64" => Convert.ToHexStringLower(Convert.FromBase64String(element.Value)),
            _ => element.Value.Trim(),
        };
    }

    [Fact]
    public void Files_are_those_that_rpm_prints()
    {
        const string Format = @"[%{FILENAMES}\t%{FILEMODES:octal}\t%{FILEUSERNAME}\t%{FILEGROUPNAME}\t%{FILEMTIMES}\t%{LONGFILESIZES}\t%{FILEDIGESTS}\t%{FILELINKTOS}\t%{FILECAPS}\t%{FILEFLAGS:fflags}\t%{FILELANGS}\n]";
        const string FormatWithoutCaps = @"[%{FILENAMES}\t%{FILEMODES:octal}\t%{FILEUSERNAME}\t%{FILEGROUPNAME}\t%{FILEMTIMES}\t%{LONGFILESIZES}\t%{FILEDIGESTS}\t%{FILELINKTOS}\t\t%{FILEFLAGS:fflags}\t%{FILELANGS}\n]";
        Dictionary<string, string> kinds = new() { ["file"] = "10", ["directory"] = "4", ["symlink"] = "12", ["char_device"] = "2", ["fifo"] = "1" };
        Dictionary<string, string> flags = new() { ["config"] = "c", ["doc"] = "d", ["ghost"] = "g", ["missingok"] = "m", ["noreplace"] = "n", ["license"] = "l", ["specfile"] = "s", ["artifact"] = "a" };
        foreach (string package in BuiltRpms.All)
        {
            StringBuilder found = new();
            foreach (JsonElement file in Lines("rpm-show", "--files", package).Where(line => Is(line, "file")))
            {
                string type = Text(file, "type"), fileFlags = file.TryGetProperty("flags", out JsonElement list)
                    ? string.Concat("dcsmnglra".Where(letter => list.EnumerateArray().Any(flag => flags[flag.GetString()!] == letter.ToString())))
                    : "";
                string size = type == "file" ? file.GetProperty("size").GetRawText() : "*";
                found.Append(CultureInfo.InvariantCulture, $"{Text(file, "path")}\t{kinds[type]}{Text(file, "mode")}\t{Text(file, "user")}\t{Text(file, "group")}\t{file.GetProperty("mtime").GetRawText()}\t{size}\t{Text(file, "digest").Replace("sha256:", "", StringComparison.Ordinal)}\t{Text(file, "target")}\t{Text(file, "capabilities")}\t{fileFlags}\t{Text(file, "language")}\n");
            }
            bool hasCaps = package.EndsWith(BuiltRpms.Full, StringComparison.Ordinal);
            string expected = string.Concat(Programs.Run("rpm", "-qp", "--nosignature", "--qf", hasCaps ? Format : FormatWithoutCaps, package).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
            {
                string[] fields = line.Split('\t');
                if (fields[1] is not ['1', '0', _, _, _, _]) // a regular file's mode is 10xxxx
                    fields[5] = "*"; // of directories rpmbuild notes what the filesystem says
                fields[1] = fields[1].TrimStart('0');
                fields[9] = string.Concat("dcsmnglra".Where(fields[9].Contains));
                return string.Join('\t', fields) + "\n";
            }));
            Assert.Equal(expected, found.ToString());
        }
    }

    [Theory]
    [InlineData("provides", "PROVIDE")]
    [InlineData("requires", "REQUIRE")]
    [InlineData("conflicts", "CONFLICT")]
    [InlineData("obsoletes", "OBSOLETE")]
    [InlineData("recommends", "RECOMMEND")]
    [InlineData("suggests", "SUGGEST")]
    [InlineData("supplements", "SUPPLEMENT")]
    [InlineData("enhances", "ENHANCE")]
    public void Relations_are_those_that_rpm_prints(string kind, string tag)
    {
        string package = BuiltRpms.PathOf(BuiltRpms.Full);
        string expected = Programs.Run("rpm", "-qp", "--nosignature", "--qf", $@"[%{{{tag}NAME}}|%{{{tag}FLAGS:depflags}}|%{{{tag}VERSION}}\n]", package);
        IEnumerable<string> found = Lines("rpm-show", "--requires", package)
            .Where(line => Is(line, "dependency") && Text(line, "kind") == kind)
            .Select(line => $"{Text(line, "name")}|{Text(line, "op")}|{Text(line, "version")}");
        Assert.Equal(expected.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Replace(" ", "", StringComparison.Ordinal)), found.Select(line => line.Replace(" ", "", StringComparison.Ordinal)));
        Assert.NotEmpty(found);
    }

    [Fact]
    public void Scripts_come_with_their_interpreters_and_conditions()
    {
        string[] found = [.. Lines("rpm-show", "--scripts", BuiltRpms.PathOf(BuiltRpms.Full)).Where(line => Is(line, "script")).Select(line =>
            $"{Text(line, "kind")} {string.Join(' ', line.GetProperty("interpreter").EnumerateArray().Select(i => i.GetString()))}: {Text(line, "text")}"
            + (line.TryGetProperty("conditions", out JsonElement conditions) ? $" [{string.Join(", ", conditions.EnumerateArray().Select(c => $"{Text(c, "name")}{Text(c, "op")}{Text(c, "version")}"))}]" : ""))];
        Assert.Equal(
            [
                "pretrans <lua>: print(\"pretrans\")",
                "pre /bin/sh: echo pre $1",
                "post /sbin/ldconfig: ",
                "preun /bin/sh: echo preun",
                "postun <lua>: print(\"postun\")",
                "posttrans /bin/sh: echo posttrans",
                "verify /bin/sh: echo verify",
                "triggerin /bin/sh: echo triggerin [other>1, third]",
                "triggerun /bin/sh: echo triggerun [other]",
                "triggerpostun /bin/sh: echo triggerpostun [fourth]",
                "triggerprein /bin/sh: echo triggerprein [fifth]",
                "filetriggerin /bin/sh: echo filetrigger [/usr/lib, /usr/share]",
                "transfiletriggerpostun /bin/sh: echo transfiletrigger [/etc]",
            ],
            found);
    }

    [Theory]
    [InlineData(BuiltRpms.Full, "full-3:1.5~rc1-2^git1.noarch")]
    [InlineData(BuiltRpms.FullSource, "full-3:1.5~rc1-2^git1.src")]
    public void The_package_line_says_what_it_is_and_where_its_parts_are(string name, string nevra)
    {
        string package = BuiltRpms.PathOf(name);
        JsonElement line = Lines("rpm-show", package).Single();
        Assert.Equal(nevra, Text(line, "nevra"));
        Assert.Equal(3, line.GetProperty("epoch").GetInt32());
        Assert.Equal(("Everything there is", "Several\nlines."), (Text(line, "summary"), Text(line, "description")));
        Assert.Equal(Programs.Run("rpm", "-qp", "--nosignature", "--qf", "sha256:%{SHA256HEADER}", package), Text(line, "header_digest"));
        JsonElement payload = line.GetProperty("payload");
        long offset = payload.GetProperty("offset").GetInt64(), size = payload.GetProperty("size").GetInt64();
        Assert.Equal(new FileInfo(package).Length, offset + size);
        Assert.Equal(Programs.Run("rpm", "-qp", "--nosignature", "--qf", "sha256:%{PAYLOADDIGEST}", package), Text(payload, "digest"));
        byte[] bytes = File.ReadAllBytes(package);
        Assert.Equal(Text(payload, "digest"), "sha256:" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes.AsSpan((int)offset))));
    }

    [Fact]
    public void A_pipe_does_as_well_and_a_bad_file_keeps_nothing_from_the_next()
    {
        byte[] good = BuiltRpms.Bytes(BuiltRpms.Full);
        string expected = Tools.Run("rpm-show", "--files", BuiltRpms.PathOf(BuiltRpms.Full)).AssertSucceeded().Out;
        string piped = Tools.RunWithInput(good, "rpm-show", "--files", "-").AssertSucceeded().Out;
        Assert.Equal(expected.Replace(BuiltRpms.PathOf(BuiltRpms.Full), "-", StringComparison.Ordinal), piped);
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "cut.rpm", good[..1000]);
        Tools.Result result = Tools.Run("rpm-show", folder / "cut.rpm", folder / "none.rpm", BuiltRpms.PathOf(BuiltRpms.Full));
        Assert.Equal(2, result.Status);
        Assert.Single(result.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        string[] errors = result.Err.Split('\n');
        Assert.StartsWith($"rpm-show: {folder / "cut.rpm"}: offset ", errors[0], StringComparison.Ordinal);
        Assert.Equal($"rpm-show: {folder / "none.rpm"}: open: No such file or directory", errors[1]);
    }

    internal static List<JsonElement> Lines(params string[] args) =>
        [.. Tools.Run(args).AssertSucceeded().Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];

    private static bool Is(JsonElement line, string record) => Text(line, "record") == record;

    private static string Text(JsonElement line, string name) => line.TryGetProperty(name, out JsonElement value) ? value.GetString()! : "";
}
