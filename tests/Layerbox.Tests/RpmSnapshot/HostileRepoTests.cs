using System.Diagnostics;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Repositories of people who mean ill: nothing is written outside of the store, and nobody's memory is filled.</summary>
public class HostileRepoTests
{
    private static readonly byte[] s_bytes = "a package"u8.ToArray();

    [Theory]
    [InlineData("href=\"/etc/x\"", "is absolute")]
    [InlineData("href=\"%2e%2e/x\"", "hides slashes or dots behind percent signs")]
    [InlineData("href=\"a%2f..%2f..%2fx\"", "hides slashes or dots behind percent signs")]
    [InlineData("href=\"a&#10;b\"", "has control characters")]
    [InlineData("href=\"a&#0;b\"", "not well-formed")]
    [InlineData("href=\"file:///etc/passwd\"", "is no URL of http, https or ftp")]
    [InlineData("href=\"gopher://x/\"", "is a directory's")]
    [InlineData("xml:base=\"file:///etc/\" href=\"passwd\"", "is no URL of http, https or ftp")]
    [InlineData("xml:base=\"http://x y/\" href=\"p.rpm\"", "is no URL of http, https or ftp")]
    [InlineData("href=\"packages/\"", "is a directory's")]
    [InlineData("href=\"..\"", "is a directory's")]
    [InlineData("href=\"\"", "is empty")]
    [InlineData("href=\"repodata/repomd.xml\"", "is among the metadata")]
    [InlineData("href=\"x/../repodata/repomd.xml\"", "is among the metadata")]
    public void Hostile_locations_are_refused(string location, string expected)
    {
        using TempFolder folder = new();
        RawRepo.Write(folder / "r", [new RawPackage("p", s_bytes) { Location = location }]);
        AssertRefused(folder, expected);
    }

    [Fact]
    public void Long_locations_and_those_of_no_encoding_are_refused()
    {
        using TempFolder folder = new();
        RawRepo.Write(folder / "r", [new RawPackage("p", s_bytes) { Location = $"href=\"{new string('a', 5000)}\"" }]);
        AssertRefused(folder, "has more than 4095 bytes");
        byte[] document = Encoding.UTF8.GetBytes($"<metadata>{new RawPackage("p", s_bytes) { Location = "href=\"?\"" }.Xml}</metadata>");
        document[document.AsSpan().IndexOf("\"?\""u8) + 1] = 0xFF;
        RawRepo.WritePrimary(folder / "r", document);
        AssertRefused(folder, "not well-formed");
    }

    [Theory]
    [InlineData("../../../../../../etc/x", "/etc/x")]
    [InlineData("../out/p.rpm", "/out/p.rpm")]
    [InlineData("a/../../out/p.rpm", "/out/p.rpm")]
    [InlineData("a/./b//../p.rpm", "/r/a/p.rpm")]
    [InlineData("with space+plus%41.rpm", "/r/with%20space+plus%41.rpm")]
    [InlineData("ünï.rpm", "/r/%C3%BCn%C3%AF.rpm")]
    [InlineData("repodata2/p.rpm", "/r/repodata2/p.rpm")]
    public void Odd_locations_are_asked_for_and_never_become_paths(string href, string asked)
    {
        using TempFolder folder = new();
        RawRepo.Write(folder / "r", [new RawPackage("p", s_bytes) { Location = $"href=\"{href}\"" }]);
        using FaultyServer server = new((path, _) => FaultyServer.Whole(path == asked ? s_bytes : path.StartsWith("/r/repodata/", StringComparison.Ordinal) ? File.ReadAllBytes(folder.Path + path) : "no"u8.ToArray()));
        using StoreFixture store = new();
        store.Sync($"{server.Url}/r");
        Assert.Equal(["aliases", "index.sqlite", "lock", "objects", "refs", "snapshots", "tmp"], new[] { "aliases" }.Concat(Directory.EnumerateFileSystemEntries(store.Path).Select(path => Path.GetFileName(path))).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(3, Directory.EnumerateFiles(Path.Combine(store.Path, "objects"), "*", SearchOption.AllDirectories).Count());
        store.AssertClean();
    }

    [Fact]
    public void Two_packages_at_one_place_cannot_both_be_there()
    {
        using TempFolder folder = new();
        RawRepo.Write(folder / "r", [new RawPackage("p", s_bytes), new RawPackage("q", "another"u8.ToArray()) { Location = "href=\"p.rpm\"" }]);
        Assert.StartsWith($"rpm-repo-snapshot: x: q-1-1.noarch: file://{folder.Path}/r/p.rpm: ", AssertRefused(folder, "bytes, which should be 7"), StringComparison.Ordinal);
        // The same one twice is no matter.
        RawRepo.Write(folder / "r", [new RawPackage("p", s_bytes), new RawPackage("p", s_bytes), new RawPackage("q", s_bytes)]);
        using StoreFixture store = new();
        Assert.Equal((3, 2), (store.Sync($"file://{folder.Path}/r").GetProperty("repos")[0].GetProperty("packages").GetInt32(), Directory.EnumerateFiles(Path.Combine(store.Path, "objects"), "*", SearchOption.AllDirectories).Count() - 1));
    }

    [Fact]
    public void Of_two_lists_of_packages_none_is_taken()
    {
        using TempFolder folder = new();
        using StoreFixture store = new();
        RawRepo.Write(folder / "r", new RawPackage("p", "p"u8.ToArray()));
        Programs.Shell($"sed -i 's|</repomd>|<data type=\"primary\"><checksum type=\"sha256\">'$(sha256sum < {folder / "r/p.rpm"} | cut -c1-64)'</checksum><location href=\"p.rpm\"/></data>&|' {folder / "r/repodata/repomd.xml"}");
        store.AssertFails($"file://{folder / "r"}", "repodata/repomd.xml: it names more than one primary.xml");
    }

    [Theory]
    [InlineData("9223372036854775807", null, "bytes, which should be 9223372036854775807")]
    [InlineData("9223372036854775808", null, "is no number from 0 to 2^63-1")]
    [InlineData("-1", null, "is no number from 0 to 2^63-1")]
    [InlineData("1e3", null, "is no number from 0 to 2^63-1")]
    [InlineData(null, "<checksum type=\"sha256\">00</checksum>", "is no checksum of type sha256")]
    [InlineData(null, "<checksum type=\"crc32\">00000000</checksum>", "a checksum of type 'crc32' is not known")]
    [InlineData(null, "", "has no checksum")]
    [InlineData(null, "<checksum type=\"sha224\">d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f</checksum>", "a checksum of type sha224 cannot be computed")]
    public void Impossible_sizes_and_checksums_are_told(string? size, string? checksum, string expected)
    {
        using TempFolder folder = new();
        RawRepo.Write(folder / "r", [new RawPackage("p", s_bytes) { Size = size, Checksum = checksum }, new RawPackage("q", "another"u8.ToArray()) { Size = size }]);
        AssertRefused(folder, expected);
    }

    [Theory]
    [InlineData("<checksum type=\"md5\">5c6db4fd3f4b5a3d94d1b3cd8a5ecd0c</checksum>", false)]
    [InlineData("<checksum type=\"md5\" pkgid=\"YES\">MD5</checksum>", true)]
    [InlineData("<checksum type=\"sha\">SHA1</checksum>", true)]
    [InlineData("<checksum type=\"sha1\">SHA1</checksum>", true)]
    public void Old_checksums_are_compared(string checksum, bool isGood)
    {
        using TempFolder folder = new();
        string of = checksum.Replace("MD5", Convert.ToHexStringLower(CryptographicOperations.HashData(HashAlgorithmName.MD5, s_bytes)), StringComparison.Ordinal)
            .Replace("SHA1", Convert.ToHexStringLower(CryptographicOperations.HashData(HashAlgorithmName.SHA1, s_bytes)), StringComparison.Ordinal);
        RawRepo.Write(folder / "r", [new RawPackage("p", s_bytes) { Checksum = of }]);
        if (!isGood)
        {
            AssertRefused(folder, "which should be md5:5c6db4fd3f4b5a3d94d1b3cd8a5ecd0c");
            return;
        }
        using StoreFixture store = new();
        Assert.Equal(2, store.Sync($"file://{folder.Path}/r").GetProperty("repos")[0].GetProperty("fetched").GetInt32());
        Assert.Equal(0, store.Sync($"file://{folder.Path}/r").GetProperty("repos")[0].GetProperty("fetched").GetInt32());
        store.AssertClean();
    }

    [Fact]
    public void Sizes_that_are_not_said_are_no_matter()
    {
        using TempFolder folder = new();
        string package = new RawPackage("p", s_bytes).Xml.Replace($"package=\"{s_bytes.Length}\"", "", StringComparison.Ordinal);
        RawRepo.Write(folder / "r", [new RawPackage("p", s_bytes)]);
        RawRepo.WritePrimary(folder / "r", Encoding.UTF8.GetBytes($"<metadata packages=\"77\">{package}</metadata>"));
        using StoreFixture store = new();
        store.Sync($"file://{folder.Path}/r");
        store.AssertClean();
    }

    public static readonly TheoryData<string, string, string, string> Attacks = new()
    {
        { "billion laughs", "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]><metadata>&b;", "</metadata>", "document type (DTD)" },
        { "external entity", "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><metadata>&a;", "</metadata>", "document type (DTD)" },
        { "many attributes", "<metadata ", "a{0}=\"b\" ", "a tag with the text behind it has more than 1048576 bytes" },
        { "depth", "<metadata>", "<a>", "elements more than 32 deep" },
        { "a long text", "<metadata><package><name>", "text text text text ", "a tag with the text behind it has more than 1048576 bytes" },
        { "no end", "<metadata>", "<package><name>a</name></package>", "has no " },
        { "not XML", "PK\u0003\u0004", "garbage", "not well-formed" },
    };

    [Theory]
    [MemberData(nameof(Attacks))]
    public void Attacks_by_xml_are_given_up(string _, string start, string repeated, string expected)
    {
        using TempFolder folder = new();
        RawRepo.WritePrimary(folder / "r", Gzip(start, i => repeated.Replace("{0}", i.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal), 1_000_000), name: "primary.xml.gz");
        AssertRefused(folder, expected);
        Assert.Contains(expected, InLittleMemory(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void A_bomb_is_given_up_at_the_size_that_is_said()
    {
        using TempFolder folder = new();
        byte[] bomb = Gzip("<metadata>", _ => "                                                                                                    <x/>", 100_000); // 10 MB
        RawRepo.WritePrimary(folder / "r", bomb, openSize: 1_000_000, name: "primary.xml.gz");
        AssertRefused(folder, "decompressed it has more than 1000000 bytes");
    }

    [Fact]
    public void Memory_stays_bounded_whatever_repomd_says()
    {
        using TempFolder folder = new();
        RawRepo.Write(folder / "r", [new RawPackage("p", s_bytes)]);
        string repomd = folder / "r/repodata/repomd.xml";
        foreach ((string content, string expected) in new[] {
            ("<repomd>" + string.Concat(Enumerable.Repeat("<data type='x'><checksum type='md5'>00000000000000000000000000000000</checksum><location href='x'/></data>", 1001)) + "</repomd>", "more than 1000 files"),
            ("<!DOCTYPE x><repomd/>", "document type (DTD)"),
            ("<repomd>" + new string(' ', 17 << 20) + "</repomd>", "has more than 16777216 bytes"),
            ("", "not well-formed"),
            ("<html><body>maintenance</body></html>", "the document is a 'html'") })
        {
            File.WriteAllText(repomd, content);
            AssertRefused(folder, expected);
        }
    }

    [Fact]
    public void A_process_that_is_attacked_stays_small()
    {
        using TempFolder folder = new();
        // Texts below the limits, and so many of them that nothing of theirs may be kept: unknown elements of half a megabyte, 200 MB in all.
        string text = new('t', 500_000);
        RawRepo.WritePrimary(folder / "r", Gzip("<metadata>", _ => $"<weird>{text}</weird>", 400), name: "primary.xml.gz");
        Assert.Contains("not well-formed", InLittleMemory(folder), StringComparison.Ordinal); // it has no end
    }

    /// <summary>What a sync says that fails, in a process of its own: in ours others allocate meanwhile.</summary>
    private static string InLittleMemory(TempFolder folder)
    {
        using StoreFixture store = new();
        ProcessStartInfo start = new(Path.Combine(AppContext.BaseDirectory, "layerbox"), ["rpm-repo-snapshot", "sync", "--store", store.Path, "--repo", $"x=file://{folder.Path}/r", "--quiet"]) { RedirectStandardError = true };
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x4000000"; // 64 MB
        using Process process = Process.Start(start)!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 1, $"exit status {process.ExitCode}: {errors}");
        store.AssertClean();
        return errors;
    }

    private static byte[] Gzip(string start, Func<int, string> repeated, int count)
    {
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Fastest))
        using (StreamWriter text = new(gzip, new UTF8Encoding(false), 1 << 16))
        {
            text.Write(start);
            for (int i = 0; i < count; i++)
                text.Write(repeated(i));
        }
        return packed.ToArray();
    }

    private static string AssertRefused(TempFolder folder, string expected)
    {
        using StoreFixture store = new();
        Tools.Result result = store.AssertFails($"file://{folder.Path}/r", expected);
        Assert.Equal(["lock", "objects", "refs", "snapshots", "tmp"], Directory.EnumerateFileSystemEntries(store.Path).Select(path => Path.GetFileName(path)!).Where(name => name != "aliases").Order(StringComparer.Ordinal));
        return result.Err;
    }
}
