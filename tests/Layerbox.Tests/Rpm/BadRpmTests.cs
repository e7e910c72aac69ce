using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using static Layerbox.Tests.Rpm.RawRpm;

namespace Layerbox.Tests.Rpm;

/// <summary>Packages that are damaged or hostile: rpm-verify says what is wrong, rpm-extract writes nothing.</summary>
public class BadRpmTests
{
    private const uint File644 = 0x81A4, Link = 0xA1FF;

    private static readonly FileEntry s_file = new("/usr/x", File644, "content"), s_other = new("/usr/y", File644, "other");

    /// <summary>The code of the first finding, the beginning of its message, the package.</summary>
    public static readonly TheoryData<string, string, byte[]> Bad = new()
    {
        { "file_impossible", "it has '..' in its path", Of(new FileEntry("/usr/../../etc/x", File644, "x")) },
        { "file_impossible", "it has '..' in its path", Of(new FileEntry("/..", 0x41ED)) },
        { "file_impossible", "'aaaaaaaa", Of(new FileEntry("/" + new string('a', 300), File644, "x")) },
        { "malformed", "payload: cpio: offset 0: a name of 4114 bytes", Of(new FileEntry(string.Concat(Enumerable.Repeat("/aaaaaaaaaaaaaaa", 257)), File644, "x")) },
        { "file_impossible", "the root must be a directory", Of(new FileEntry("/", File644, "x") { PayloadName = "./" }) },
        { "file_impossible", "its mode 170644 is of no kind", Of(new FileEntry("/x", 0xF1A4)) },
        { "file_impossible", "a symbolic link whose target has 0 bytes", Of(new FileEntry("/x", Link)) },
        { "file_impossible", "its capabilities 'cap_everything=ep' are not understood", Of(new FileEntry("/x", File644, "x") { Caps = "cap_everything=ep" }) },
        { "file_unexpected", "'../evil' is in the payload and not in the header", Of(s_file with { PayloadName = "../evil" }) },
        { "file_unexpected", "'./usr/x' is in the payload and not in the header", Of(s_file with { Flags = 64 }) },
        { "file_missing", "it is not in the payload", Of(s_file, s_other with { InPayload = false }) },
        { "file_missing", "it is a hard link, and none of its names brings the bytes", WithPayload([s_file with { Inode = 5 }, s_other with { Inode = 5, Content = "content" }], Archive(a => { Member(a, "./usr/x", File644, []); Member(a, "./usr/y", File644, []); })) },
        { "file_twice", "it is in the payload twice", WithPayload([s_file], Archive(a => { Member(a, "./usr/x", File644, "content"u8.ToArray()); Member(a, "./usr/x", File644, "content"u8.ToArray()); })) },
        { "file_kind", "its mode is 120777 in the payload and 100644 in the header", WithPayload([s_file], Archive(a => Member(a, "./usr/x", Link, "/etc/passwd"u8.ToArray()))) },
        { "file_size", "it has 3 bytes in the payload, expected 7", WithPayload([s_file], Archive(a => Member(a, "./usr/x", File644, "abc"u8.ToArray()))) },
        { "file_size", "it has 0 bytes in the payload, expected 7", WithPayload([s_file], Archive(a => Member(a, "./usr/x", File644, []))) },
        { "file_digest", "its digest is " + Sha256("changed"), WithPayload([s_file], Archive(a => Member(a, "./usr/x", File644, "changed"u8.ToArray()))) },
        { "file_digest", "it is a hard link to '/usr/y', and the header says other sizes or digests", Of(s_file with { Inode = 5 }, s_other with { Inode = 5 }) },
        { "link_target", "it points to 'elsewhere' in the payload and to 'there' in the header", WithPayload([new FileEntry("/x", Link) { Target = "there" }], Archive(a => Member(a, "./x", Link, "elsewhere"u8.ToArray()))) },
        { "malformed", "payload: cpio: offset 0: the archive ends without a trailer", WithPayload([], []) },
        { "malformed", "payload: cpio: offset 0: no member starts here", WithPayload([], new byte[200]) },
        { "malformed", "payload: cpio: offset 120: member './usr/x': the archive ends too early", WithPayload([s_file with { Size = uint.MaxValue }], Archive(a => Member(a, "./usr/x", File644, "con"u8.ToArray(), size: uint.MaxValue))[..120]) },
        { "malformed", "payload: cpio: offset 126: something follows the trailer", WithPayload([], [.. Archive(_ => { }), 0, 0, 1]) },
        { "malformed", "payload: cpio: offset 0: a name of 0 bytes", WithPayload([], Patched(Archive(a => Member(a, "x", File644, [])), 94, "00000000")) },
        { "malformed", "payload: cpio: offset 0: a name of 4294967295 bytes", WithPayload([], Patched(Archive(a => Member(a, "x", File644, [])), 94, "ffffffff")) },
        { "malformed", "payload: cpio: offset 0: 'zzzzzzzz' is no number of eight hexadecimal digits", WithPayload([], Patched(Archive(a => Member(a, "x", File644, [])), 54, "zzzzzzzz")) },
        { "malformed", "payload: file 9 of 1", WithPayload([s_file], Archive(a => Stripped(a, 9, []))) },
        { "malformed", "payload: the format 'drpm' is not supported", Of([s_file], Text(1124, "drpm")) },
        { "malformed", "payload: the compressor 'snappy' is not supported", Of([s_file], Text(1125, "snappy")) },
        { "malformed", "payload: zstd: offset 0: the data does not begin as zstd does", Of([s_file], Text(1125, "zstd")) },
        { "malformed", "payload: xz: offset 0: the data does not begin as xz does", Of([s_file], Text(1125, "xz")) },
        { "malformed", "payload: zstd: offset 0: the data is corrupt: Frame requires too much memory", Compressed("zstd", [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]) },
        { "malformed", "payload: xz: offset ", Compressed("xz", Shell("xz", Cpio(s_file))[..^9]) },
        { "malformed", "payload: gzip: offset ", Compressed("gzip", [.. Shell("gzip", Cpio(s_file)), 1, 2, 3]) },
        { "malformed", "payload: zstd: offset ", Compressed("zstd", [.. Shell("zstd", Cpio(s_file)), 1, 2, 3]) },
        { "malformed", "payload: lzma: offset ", Compressed("lzma", [.. Shell("xz --format=lzma", Cpio(s_file)), 1, 2, 3]) },
        { "malformed", "payload: bzip2: offset ", Compressed("bzip2", Shell("bzip2", Cpio(s_file))[..^9]) },
        { "malformed", "header: filesizes: 2 values for 1 files", Of([s_file], Int(1028, 7, 7)) },
        { "malformed", "header: payloaddigestalgo: 3 is not supported", Of([s_file], Int(5093, 3)) },
        { "payload_digest", "the payload's digest is ", Of([s_file], Texts(5092, new string('0', 64))) },
        { "payload_digest", "the payload's digest is ", Of([s_file], Texts(5092, "no digest")) },
        { "archive_digest", "the digest of the decompressed payload is ", Of([s_file], Texts(5097, new string('0', 64))) },
        { "no_digest", "the package has no digest of its header", RawRpm.Package(Header(62, Int(1000, (uint)(MainHeader(Cpio(), []).Length + Cpio().Length))), MainHeader(Cpio(), []), Cpio()) },
        { "header_sha256", "the header's digest is ", Signed(Text(273, new string('0', 64))) },
        { "header_sha1", "the header's digest is ", Signed(Text(269, new string('0', 40))) },
        { "md5", "the digest of header and payload is ", Signed(Text(273, Sha256(MainHeader(Cpio(), []))), Bytes(1004, new byte[16])) },
        { "size", "header and payload have ", Signed(Text(273, Sha256(MainHeader(Cpio(), []))), Int(1000, 5)) },
        { "archive_size", "the decompressed payload has 124 bytes, expected 5", Signed(Text(273, Sha256(MainHeader(Cpio(), []))), Int(1007, 5)) },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void What_is_wrong_is_said_and_nothing_is_written(string code, string message, byte[] package)
    {
        Tools.Result verified = Tools.RunWithInput(package, "rpm-verify", "-");
        Assert.Equal((1, ""), (verified.Status, verified.Err));
        JsonElement line = JsonDocument.Parse(verified.Out).RootElement;
        Assert.False(line.GetProperty("good").GetBoolean());
        JsonElement finding = line.GetProperty("findings").EnumerateArray().First();
        Assert.Equal(code, finding.GetProperty("code").GetString());
        Assert.StartsWith(message, finding.GetProperty("message").GetString(), StringComparison.Ordinal);
        string text = Tools.RunWithInput(package, "rpm-verify", "--format", "text", "-").Out;
        Assert.StartsWith($"standard input: {code}: ", text, StringComparison.Ordinal);

        // What only another digest than those of header, payload and files would notice does not keep from unpacking.
        bool isHarmless = code is "size" or "archive_size" or "archive_digest" or "md5";
        using TempFolder folder = new();
        Tools.Result extracted = Tools.RunWithInput(package, "rpm-extract", "-", "--no-owner", "--into", folder / "x");
        Assert.Equal(isHarmless ? 0 : 2, extracted.Status);
        if (!isHarmless)
        {
            Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
            Assert.StartsWith("rpm-extract: standard input: ", extracted.FirstErrorLine, StringComparison.Ordinal);
            Assert.Single(extracted.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
    }

    [Fact]
    public void A_good_package_of_our_own_making_is_good()
    {
        byte[] package = RawRpm.Package(s_file, s_other, new FileEntry("/l", Link) { Target = "x" });
        Assert.Contains("\"good\":true", Tools.RunWithInput(package, "rpm-verify", "-").AssertSucceeded().Out, StringComparison.Ordinal);
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "x.rpm", package);
        Programs.Run("rpm", "-K", "--nosignature", folder / "x.rpm");
    }

    [Fact]
    public void Any_damage_that_rpm_finds_is_found()
    {
        byte[] good = BuiltRpms.Bytes(BuiltRpms.Full);
        using TempFolder folder = new();
        Random random = new(3);
        int found = 0;
        for (int i = 0; i < 40; i++)
        {
            byte[] bad = i % 4 == 3 ? good[..random.Next(100, good.Length)] : [.. good];
            if (i % 4 != 3)
                bad[random.Next(96, bad.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(folder / "bad.rpm", bad);
            bool isBad = Programs.Try("rpm", "-K", "--nosignature", folder / "bad.rpm").Status != 0;
            int status = Tools.Run("rpm-verify", folder / "bad.rpm").Status;
            if (isBad)
                Assert.True(status == 1, $"damage {i}");
            found += status;
        }
        Assert.InRange(found, 25, 40);
    }

    [Fact]
    public void Several_packages_are_all_looked_at()
    {
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "bad.rpm", Of(s_file with { PayloadName = "./other" }));
        Tools.Result result = Tools.Run("rpm-verify", "--format", "text", folder / "bad.rpm", folder / "none.rpm", BuiltRpms.PathOf(BuiltRpms.Full));
        Assert.Equal(2, result.Status);
        Assert.Equal(2, result.Out.Count(c => c == '\n')); // unexpected, missing
        Assert.Equal($"rpm-verify: {folder / "none.rpm"}: open: No such file or directory", result.FirstErrorLine);
        foreach (string package in BuiltRpms.All)
            Assert.Equal("", Tools.Run("rpm-verify", "--format", "text", package).AssertSucceeded().Out);
    }

    [Fact]
    public void Signatures_are_checked_by_rpmkeys_with_the_keys_given()
    {
        using TempFolder folder = new();
        File.Copy(BuiltRpms.PathOf(BuiltRpms.Full), folder / "signed.rpm");
        foreach (string name in (string[])["good", "other"])
            Programs.Shell($"export GNUPGHOME={folder / name}; mkdir -m 700 $GNUPGHOME; gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key '{name} <{name}@test.invalid>' rsa2048 sign never; gpg --batch --armor --export > {folder / name}.asc; gpgconf --kill all || true");
        Programs.Shell($"export GNUPGHOME={folder / "good"}; rpmsign --define '_gpg_name good' --define '__gpg /usr/bin/gpg' --addsign {folder / "signed.rpm"} >/dev/null; gpgconf --kill all || true");
        string good = $"{folder / "good"}.asc", other = $"{folder / "other"}.asc";
        JsonElement line = JsonDocument.Parse(Tools.Run("rpm-verify", "--keys", good, folder / "signed.rpm").AssertSucceeded().Out).RootElement;
        Assert.Equal("signature", line.GetProperty("checked").EnumerateArray().Last().GetString());
        Tools.Run("rpm-verify", "--keys", good, "--keys", other, folder / "signed.rpm").AssertSucceeded();
        Tools.RunWithInput(File.ReadAllBytes(folder / "signed.rpm"), "rpm-verify", "--keys", good, "-").AssertSucceeded();
        foreach (string args in (string[])[$"--keys {good} $f", $"--keys $f {folder / "signed.rpm"}"])
            Programs.Shell($"""
                f={folder / "pipe"}; mkfifo $f; trap 'rm $f' EXIT
                timeout 20 cat {(args.EndsWith("$f", StringComparison.Ordinal) ? folder / "signed.rpm" : good)} > $f &
                timeout 20 {Published.OrSkip()} rpm-verify --format text {args}
                """);
        foreach (var (key, package) in new[] { (other, folder / "signed.rpm"), (good, BuiltRpms.PathOf(BuiltRpms.Full)) })
        {
            Tools.Result result = Tools.Run("rpm-verify", "--format", "text", "--keys", key, package);
            Assert.Equal(1, result.Status);
            Assert.StartsWith($"{package}: signature: rpmkeys: ", result.Out, StringComparison.Ordinal);
        }
        Tools.Result noKey = Tools.Run("rpm-verify", "--keys", folder / "signed.rpm", folder / "signed.rpm");
        Assert.Equal(2, noKey.Status);
        Assert.Contains("rpmkeys does not take it for a public key", noKey.FirstErrorLine, StringComparison.Ordinal);
    }

    private static byte[] Of(params FileEntry[] files) => RawRpm.Package(files);

    private static byte[] Of(FileEntry[] files, params Entry[] more) => RawRpm.Package(MainHeader(Cpio(files), files, more), Cpio(files));

    private static byte[] WithPayload(FileEntry[] files, byte[] payload) => RawRpm.Package(MainHeader(payload, files), payload);

    private static byte[] Compressed(string compressor, byte[] payload) => RawRpm.Package(MainHeader(payload, [s_file], Text(1125, compressor)), payload);

    private static byte[] Signed(params Entry[] signature) => RawRpm.Package(Header(62, [.. signature.OrderBy(e => e.Tag)]), MainHeader(Cpio(), []), Cpio());

    private static byte[] Archive(Action<MemoryStream> members)
    {
        using MemoryStream archive = new();
        members(archive);
        Member(archive, "TRAILER!!!", 0, []);
        return archive.ToArray();
    }

    private static byte[] Patched(byte[] bytes, int at, string text)
    {
        Encoding.ASCII.GetBytes(text).CopyTo(bytes, at);
        return bytes;
    }

    private static string Sha256(string text) => Sha256(Encoding.UTF8.GetBytes(text));

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static byte[] Shell(string program, byte[] input)
    {
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "in", input);
        Programs.Shell($"{program} < {folder / "in"} > {folder / "out"}");
        return File.ReadAllBytes(folder / "out");
    }
}
