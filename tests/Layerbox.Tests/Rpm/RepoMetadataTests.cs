using System.Globalization;
using System.Text;
using System.Text.Json;
using Layerbox.Rpm;

namespace Layerbox.Tests.Rpm;

/// <summary>Metadata of repositories is read as createrepo_c reads it, and as no attacker would like it.</summary>
public class RepoMetadataTests
{
    private const string Dump = """
        import createrepo_c as cr, sys
        def seen(p):
            print("|".join(str(x) for x in (p.name, int(p.epoch or 0), p.version, p.release, p.arch, p.pkgId, p.checksum_type, p.location_href, p.size_package, p.size_installed, p.size_archive, p.time_file, p.time_build, p.rpm_header_start, p.rpm_header_end, p.rpm_sourcerpm or "")))
            for kind in ("provides", "requires", "conflicts", "obsoletes", "recommends", "suggests", "supplements", "enhances"):
                for n, f, e, v, r, pre in getattr(p, kind):
                    print("  " + "|".join((kind, n, f or "", (e if e and e != "0" else "") if f else "", (v or "") if f else "", (r or "") if f else "", "pre" if pre else "")))
        cr.xml_parse_primary(sys.argv[1], pkgcb=seen, do_files=False)
        """;

    [Theory]
    [InlineData("gz", "sha256")]
    [InlineData("xz", "sha512")]
    [InlineData("bz2", "sha1")]
    public void Primary_is_what_createrepo_c_reads(string compression, string checksum)
    {
        using TempFolder folder = new();
        foreach (string package in BuiltRpms.All)
            File.Copy(package, folder / Path.GetFileName(package));
        Programs.Run("createrepo_c", "--quiet", "--general-compress-type", compression, "--checksum", checksum, "--no-database", "--simple-md-filenames", folder.Path);
        string primary = Directory.EnumerateFiles(folder / "repodata", "primary.xml*").Single();
        string expected = Programs.Run("/usr/bin/python3", "-c", Dump, primary);
        StringBuilder found = new();
        using (Stream plain = Layerbox.Compression.Decompression.Open(File.OpenRead(primary)))
            foreach (PrimaryPackage p in PrimaryReader.Read(plain, withRelations: true))
            {
                string algorithm = p.Checksum.ToString().Split(':')[0];
                found.Append(CultureInfo.InvariantCulture, $"{p.Nevra.Name}|{p.Nevra.Evr.Epoch}|{p.Nevra.Evr.Version}|{p.Nevra.Evr.Release}|{p.Nevra.Arch}|{p.Checksum.Digits}|{algorithm}|{p.Location.Href}|{p.PackageSize}|{p.InstalledSize}|{p.ArchiveSize}|{p.FileTime}|{p.BuildTime}|{p.HeaderStart}|{p.HeaderEnd}|{p.SourceRpm}\n");
                foreach (RpmDependency relation in p.Relations.OrderBy(r => r.Kind))
                {
                    Evr evr = Evr.Parse(relation.Version);
                    string op = relation.Operator switch { "=" => "EQ", "<" => "LT", "<=" => "LE", ">" => "GT", ">=" => "GE", _ => "" };
                    found.Append(CultureInfo.InvariantCulture, $"  {relation.Kind.ToString().ToLowerInvariant()}|{relation.Name}|{op}|{(evr.Epoch == 0 ? "" : evr.Epoch)}|{evr.Version}|{evr.Release}|{((relation.Sense & RpmSense.Prereq) != 0 ? "pre" : "")}\n");
                }
            }
        Assert.Equal(expected, found.ToString());
        string[] lines = Tools.Run("rpm-show", primary).AssertSucceeded().Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(BuiltRpms.All.Count, lines.Length);
        Assert.All(lines, line => Assert.Equal("package", JsonDocument.Parse(line).RootElement.GetProperty("record").GetString()));

        List<JsonElement> data = RpmShowTests.Lines("rpm-show", folder / "repodata/repomd.xml");
        JsonElement first = data.Single(line => line.GetProperty("record").GetString() == "data" && line.GetProperty("type").GetString() == "primary");
        Assert.Equal($"repodata/{Path.GetFileName(primary)}", first.GetProperty("location").GetString());
        Assert.Equal(new FileInfo(primary).Length, first.GetProperty("size").GetInt64());
        string digest = first.GetProperty("checksum").GetString()!;
        Assert.Equal(digest, $"{checksum}:{Programs.Run($"{checksum}sum", primary).Split(' ')[0]}");
    }

    [Fact]
    public void Repomd_keeps_what_it_does_not_know()
    {
        Repomd repomd = Repomd.Read(Xml("""
            <repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
              <revision/>
              <tags><content>binary</content></tags>
              <data type="primary"><checksum type="sha">0000000000000000000000000000000000000000</checksum><open-checksum type="md5">D41D8CD98F00B204E9800998ECF8427E</open-checksum>
                <location href="repodata/primary.xml.gz"/><timestamp>1600000000.25</timestamp><size>5</size><open-size>9223372036854775807</open-size><database_version>10</database_version></data>
              <data type="appstream&amp;icons"><checksum type="md5">d41d8cd98f00b204e9800998ecf8427e</checksum><location href="x/y" xml:base="http://other.invalid/"/><timestamp>1600000001</timestamp></data>
            </repomd>
            """));
        Assert.Equal("", repomd.Revision);
        Assert.Equal(["primary", "appstream&icons"], repomd.Data.Select(data => data.Type));
        RepomdData primary = repomd.Find("primary")!;
        Assert.Equal(("sha1:0000000000000000000000000000000000000000", "md5:d41d8cd98f00b204e9800998ecf8427e"), (primary.Checksum.ToString(), primary.OpenChecksum.ToString()));
        Assert.Equal((5L, long.MaxValue, 1600000000.25m, 1600000001m), (primary.Size!.Value, primary.OpenSize!.Value, primary.Timestamp!.Value, repomd.Newest!.Value));
        Assert.Equal(RepoPlace.Elsewhere, repomd.Data[1].Location.Place);
    }

    [Theory]
    [InlineData("Packages/a.rpm", RepoPlace.Inside, "Packages/a.rpm")]
    [InlineData("./a//b/./c.rpm", RepoPlace.Inside, "a/b/c.rpm")]
    [InlineData("a/../b.rpm", RepoPlace.Inside, "b.rpm")]
    [InlineData("../../pool/a.rpm", RepoPlace.Outside, "../../pool/a.rpm")]
    [InlineData("a/../../x", RepoPlace.Outside, "../x")]
    [InlineData("a+b c%41.rpm", RepoPlace.Inside, "a+b c%41.rpm")]
    [InlineData("ünï.rpm", RepoPlace.Inside, "ünï.rpm")]
    [InlineData("a:b.rpm", null, "is no URL of http, https or ftp")]
    [InlineData("x/a:b.rpm", RepoPlace.Inside, "x/a:b.rpm")]
    [InlineData("https://other.invalid/a.rpm", RepoPlace.Elsewhere, "https://other.invalid/a.rpm")]
    [InlineData("file:///etc/passwd", null, "is no URL of http, https or ftp")]
    [InlineData("file:x", null, "is no URL of http, https or ftp")]
    [InlineData("/etc/x", null, "is absolute")]
    [InlineData("//other/x", null, "is absolute")]
    [InlineData("", null, "is empty")]
    [InlineData("a/", null, "is a directory's")]
    [InlineData("..", null, "is a directory's")]
    [InlineData("a/..", null, "is a directory's")]
    [InlineData("a\nb", null, "has control characters")]
    [InlineData("a\0b", null, "has control characters")]
    [InlineData("%2e%2e/x", null, "hides slashes or dots behind percent signs")]
    [InlineData(".%2E/x", null, "hides slashes or dots behind percent signs")]
    [InlineData("a%2fb", null, "hides slashes or dots behind percent signs")]
    [InlineData("a%00b", null, "hides slashes or dots behind percent signs")]
    public void Locations_are_checked(string href, RepoPlace? place, string pathOrReason)
    {
        if (place is null)
            Assert.EndsWith(pathOrReason, Assert.Throws<FormatException>(() => RepoLocation.Parse(href)).Message, StringComparison.Ordinal);
        else
            Assert.Equal((place.Value, pathOrReason), (RepoLocation.Parse(href).Place, RepoLocation.Parse(href).Path));
    }

    [Fact]
    public void Long_locations_and_other_bases_are_refused()
    {
        Assert.EndsWith("has more than 4095 bytes", Assert.Throws<FormatException>(() => RepoLocation.Parse(new string('a', 5000))).Message, StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => RepoLocation.Parse("a", "file:///"));
        Assert.Equal(RepoPlace.Elsewhere, RepoLocation.Parse("../a", "http://x.invalid/y/").Place);
    }

    [Theory]
    [InlineData("a<!-- x -->b<?pi c?>c<![CDATA[<d>]]>", "abc<d>")]
    [InlineData("&lt;&amp;&gt;&quot;&apos;&#65;&#x42;", "<&>\"'AB")]
    [InlineData("a\r\nb", "a\nb")]
    [InlineData("", "")]
    public void Texts_are_what_xml_says(string xml, string text) => Assert.Equal(text, Repomd.Read(Xml($"<repomd><revision>{xml}</revision></repomd>")).Revision);

    private const string Good = "<name>n</name><arch>noarch</arch><version epoch=\"0\" ver=\"1\" rel=\"1\"/><checksum type=\"md5\" pkgid=\"YES\">d41d8cd98f00b204e9800998ecf8427e</checksum><location href=\"n.rpm\"/>";

    [Theory]
    [InlineData("the document is a 'x', expected 'metadata'", "<x/>")]
    [InlineData("not well-formed", "<metadata>")]
    [InlineData("not well-formed", "<metadata></metadata><more/>")]
    [InlineData("not well-formed", "<metadata>\u0001</metadata>")]
    [InlineData("not well-formed", "<metadata a='1' a='2'/>")]
    [InlineData("not well-formed", "<metadata>&lol;</metadata>")]
    [InlineData("not well-formed", "<metadata><package><name>&lol;</name></package></metadata>")]
    [InlineData("not well-formed", "<metadata a='&lol;'></metadata>")]
    [InlineData("not well-formed", "")]
    [InlineData("it has a document type (DTD), which may be an attack", "<!DOCTYPE metadata [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><metadata>&b;</metadata>")]
    [InlineData("it has a document type (DTD), which may be an attack", "<!DOCTYPE metadata SYSTEM \"file:///etc/passwd\"><metadata/>")]
    [InlineData("a package without a name", "<metadata><package/></metadata>")]
    [InlineData("the package 'n' has no version", "<metadata><package><name>n</name></package></metadata>")]
    [InlineData("'package': '-1' is no number from 0 to 2^63-1", "<metadata><package><name>n</name><size package='-1'/></package></metadata>")]
    [InlineData("'package': '9223372036854775808' is no number from 0 to 2^63-1", "<metadata><package><name>n</name><size package='9223372036854775808'/></package></metadata>")]
    [InlineData("the epoch 4294967296 is not below 2^32", "<metadata><package><version epoch='4294967296' ver='1'/></package></metadata>")]
    [InlineData("a checksum of type 'crc' is not known", "<metadata><package><checksum type='crc'>00</checksum></package></metadata>")]
    [InlineData("'00' is no checksum of type sha256", "<metadata><package><checksum type='sha256'>00</checksum></package></metadata>")]
    [InlineData("the location '../../x/' is a directory's", "<metadata><package><location href='../../x/'/></package></metadata>")]
    [InlineData("the location './repodata//repomd.xml' is among the metadata", "<metadata><package><location href='./repodata//repomd.xml'/></package></metadata>")]
    [InlineData("'name' holds an element 'b', where text is expected", "<metadata><package><name>a<b/></name></package></metadata>")]
    public void Bad_metadata_is_refused_with_its_place(string reason, string document)
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => PrimaryReader.Read(Xml(document)).Count());
        Assert.Matches(@"^xml: line \d+, column \d+: ", e.Message);
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Unknown_elements_and_other_encodings_are_no_matter(bool isUtf16)
    {
        string document = $"<?xml version=\"1.0\"?><!-- c --><metadata packages=\"99\"><weird><deep/>text</weird><package type=\"rpm\"><new a=\"b\">x</new>{Good}</package><package>{Good}</package></metadata>";
        Stream stream = isUtf16 ? new MemoryStream([0xFF, 0xFE, .. Encoding.Unicode.GetBytes(document)]) : new MemoryStream([0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(document)]);
        Assert.Equal(["n-1-1.noarch", "n-1-1.noarch"], PrimaryReader.Read(stream).Select(p => p.Nevra.ToString()));
    }

    [Fact]
    public void Names_are_kept_once_each_however_many_there_are()
    {
        MetadataNames names = new();
        string[] all = [.. Enumerable.Range(0, 2000).Select(i => $"n{i:x}"), "a", "é", "\uFFFD", "requires", "srequire"];
        Assert.All(all, name => Assert.Null(names.Get(name)));
        string[] kept = [.. all.Select(name => names.Add($"<{name}>".ToCharArray(), 1, name.Length))];
        Assert.Equal(all, kept);
        foreach (string name in kept)
        {
            Assert.Same(name, names.Add(new string(name)));
            Assert.Same(name, names.Add($"<{name}>".ToCharArray(), 1, name.Length));
            Assert.Same(name, names.Get(new string(name)));
            Assert.Same(name, names.Get($"<{name}>".ToCharArray(), 1, name.Length));
        }
        Assert.Null(names.Get("nowhere"));
        Assert.Equal("", names.Add(""));
    }

    public static readonly TheoryData<string, string, string> Endless = new()
    {
        { "a tag with the text behind it has more than 1048576 bytes", "<metadata ", "a" },
        { "a tag with the text behind it has more than 1048576 bytes", "<metadata><package><name>", "text" },
        { "a tag with the text behind it has more than 1048576 bytes", "<metadata><!-- ", "x > " },
        { "the text of 'name' has more than 1048576 characters", "<metadata><package><name>", "<![CDATA[text<]]>" },
        { "elements more than 32 deep", "<metadata>", "<a>" },
        { "elements more than 32 deep", "<metadata><package>", "<a>" },
        { "a package with more than 100000 relations", "<metadata><package><format><requires>", "<entry name='a'/>" },
    };

    [Theory]
    [MemberData(nameof(Endless))]
    public void What_has_no_end_is_given_up_within_bounds(string reason, string start, string repeated)
    {
        using EndlessText endless = new(start, repeated);
        long before = GC.GetAllocatedBytesForCurrentThread();
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => PrimaryReader.Read(endless, withRelations: true).Count());
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100L << 20);
    }

    [Fact]
    public void Packages_are_read_one_at_a_time()
    {
        using EndlessText endless = new("<metadata>", $"<package>{Good}</package>");
        Assert.Equal(1000, PrimaryReader.Read(endless).Take(1000).Count());
    }

    private static MemoryStream Xml(string document) => new(Encoding.UTF8.GetBytes(document));
}

/// <summary>A text, and then another one again and again.</summary>
internal sealed class EndlessText(string start, string repeated) : Layerbox.Compression.ReadOnlyStream
{
    private readonly byte[] _repeated = Encoding.UTF8.GetBytes(repeated);
    private byte[] _current = Encoding.UTF8.GetBytes(start);
    private int _at;

    public override int Read(Span<byte> buffer)
    {
        int count = 0;
        while (count < buffer.Length)
        {
            if (_at == _current.Length)
                (_current, _at) = (_repeated, 0);
            int n = Math.Min(buffer.Length - count, _current.Length - _at);
            _current.AsSpan(_at, n).CopyTo(buffer[count..]);
            _at += n;
            count += n;
        }
        return count;
    }
}
