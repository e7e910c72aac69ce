using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Layerbox.Tests.RpmSnapshot;
using static Layerbox.Tests.Rpm.RawRpm;

namespace Layerbox.Tests.Rpm;

/// <summary>What is small and says that it is large, in packages and in metadata; and where capabilities cannot be kept.</summary>
public class RpmLimitTests
{
    private const uint File644 = 0x81A4;

    /// <summary>Name as in metadata and in a header, the compressed bytes, what is said of them.</summary>
    public static readonly TheoryData<string, string, byte[], string> Greedy = new()
    {
        { "zst", "zstd", [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00], "Frame requires too much memory" }, // 2 GiB
        { "zst", "zstd", [0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3, 0x01, 0x00, 0x00], "Frame requires too much memory" }, // 256 MiB
        // A dictionary of 4 GiB: the byte that says so, and the sum over the block's header.
        { "xz", "xz", Made("xz -T1", "n = 12 + (b[12] + 1) * 4; b[16] = 40; b[n - 4:n] = zlib.crc32(b[12:n - 4]).to_bytes(4, 'little')"), "decoding needs more than 1024 MiB" },
    };

    [Theory]
    [MemberData(nameof(Greedy))]
    public void Who_asks_for_too_much_memory_gets_none(string extension, string compressor, byte[] packed, string expected)
    {
        using TempFolder folder = new();
        RawRepo.WritePrimary(folder / "r", packed, name: $"primary.xml.{extension}");
        using (StoreFixture store = new())
            store.AssertFails($"file://{folder / "r"}", expected);
        File.WriteAllBytes(folder / "x.rpm", RawRpm.Package(MainHeader(packed, [new FileEntry("/x", File644, "x")], Text(1125, compressor)), packed));
        AssertRefused(folder, compressor, expected);
    }

    [Fact]
    public void Old_lzma_gets_no_more()
    {
        using TempFolder folder = new();
        byte[] packed = Made("xz -T1 --format=lzma", "b[1:5] = b'\\xff' * 4");
        File.WriteAllBytes(folder / "x.rpm", RawRpm.Package(MainHeader(packed, [new FileEntry("/x", File644, "x")], Text(1125, "lzma")), packed));
        AssertRefused(folder, "lzma", "decoding needs more than 1024 MiB");
    }

    private static void AssertRefused(TempFolder folder, string compressor, string expected)
    {
        Tools.Result verified = Tools.Run("rpm-verify", folder / "x.rpm");
        Assert.Equal((1, ""), (verified.Status, verified.Err));
        string message = JsonDocument.Parse(verified.Out).RootElement.GetProperty("findings")[0].GetProperty("message").GetString()!;
        Assert.StartsWith($"payload: {compressor}: ", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Tools.Result extracted = Tools.Run("rpm-extract", "--no-owner", folder / "x.rpm", "--into", folder / "out");
        Assert.Equal(2, extracted.Status);
        Assert.Contains(expected, Assert.Single(extracted.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder / "out"));
    }

    /// <summary>A compressed file that was changed by a line of Python, in which b is its bytes.</summary>
    private static byte[] Made(string compress, string change)
    {
        using TempFolder folder = new();
        Programs.Shell($"echo some text | {compress} > {folder / "x"}");
        Programs.Run("python3", "-c", $"import sys, zlib\nb = bytearray(open(sys.argv[1], 'rb').read())\n{change}\nopen(sys.argv[1], 'wb').write(b)", folder / "x");
        return File.ReadAllBytes(folder / "x");
    }

    [Fact]
    public void Gigabytes_in_a_small_package_take_time_and_neither_memory_nor_disk()
    {
        const ulong Size = 4_400_000_000; // more than 32 bits can say
        const string Digest = "36f5a3b9e315883c2066011cbe3b9e95016f44d5769930b73dace48af444d404"; // of so many zeros
        using TempFolder folder = new();
        using MemoryStream head = new(), tail = new();
        Stripped(head, 0, []);
        Member(tail, "TRAILER!!!", 0, []);
        File.WriteAllBytes(folder / "head", head.ToArray());
        File.WriteAllBytes(folder / "tail", tail.ToArray());
        Programs.Shell(string.Create(CultureInfo.InvariantCulture, $"cd {folder.Path}; (cat head; head -c {Size} /dev/zero; cat tail) | zstd -q -1 > payload"));
        byte[] payload = File.ReadAllBytes(folder / "payload");
        File.WriteAllBytes(folder / "x.rpm", RawRpm.Package(MainHeader(payload, [new FileEntry("/huge", File644) { Size = Size, Digest = Digest }], Text(1125, "zstd")), payload));
        Assert.InRange(new FileInfo(folder / "x.rpm").Length, 1, 1_000_000);
        Assert.Contains("\"good\":true", InLittleMemory("rpm-verify", folder / "x.rpm"), StringComparison.Ordinal);
        InLittleMemory("rpm-extract", "--no-owner", folder / "x.rpm", "--into", folder / "out");
        string[] status = Programs.Run("stat", "-c", "%s %b", folder / "out/huge").Trim().Split(' ');
        Assert.Equal(Size.ToString(CultureInfo.InvariantCulture), status[0]);
        Assert.InRange(long.Parse(status[1], CultureInfo.InvariantCulture) * 512, 0, (long)Size / 100);
    }

    [Fact]
    public void Yaml_is_bytes_whatever_it_would_grow_to()
    {
        using TempFolder folder = new();
        // Nine levels of nine references each: a reader that expands them has a billion of texts.
        string bomb = "---\ndocument: modulemd\nversion: 2\na: &a [x,x,x,x,x,x,x,x,x]\n" + string.Concat(Enumerable.Range(1, 9).Select(i => $"{(char)('a' + i)}: &{(char)('a' + i)} [{string.Join(',', Enumerable.Repeat($"*{(char)('a' + i - 1)}", 9))}]\n"));
        File.WriteAllText(folder / "modules.yaml", bomb);
        Programs.Shell($"cp -r {RepoFixture.PathOf("t0")} {folder / "r"}; modifyrepo_c --mdtype=modules --no-compress {folder / "modules.yaml"} {folder / "r/repodata"}");
        using StoreFixture store = new();
        InLittleMemory("rpm-repo-snapshot", "sync", "--store", store.Path, "--repo", $"x=file://{folder / "r"}", "--tag", "x", "--quiet");
        store.AssertClean();
        Assert.Contains("\"type\":\"modules\"", InLittleMemory("rpm-repo-snapshot", "show", "x", "--store", store.Path), StringComparison.Ordinal);
        // A view, too, carries what it does not read.
        File.WriteAllText(folder / "policy.json", """{ "deny": ["cherry"] }""");
        InLittleMemory("rpm-repo-snapshot", "view", "x", "--store", store.Path, "--policy", folder / "policy.json", "--tag", "view");
        foreach (string tag in (string[])["x", "view"])
        {
            InLittleMemory("rpm-repo-snapshot", "export", tag, "--store", store.Path, "--into", folder / tag);
            Assert.Equal(bomb, File.ReadAllText(Assert.Single(Directory.EnumerateFiles(folder / tag, "*modules.yaml", SearchOption.AllDirectories))));
        }
    }

    /// <summary>Layers are on btrfs, which has extended attributes; packages may be unpacked anywhere.</summary>
    [Fact]
    public void Capabilities_that_cannot_be_kept_are_told()
    {
        Privileged.OrSkip();
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "caps.rpm", RawRpm.Package(new FileEntry("/usr/bin/x", 0x81ED, "x") { Caps = "cap_net_raw=ep" }));
        File.WriteAllBytes(folder / "plain.rpm", RawRpm.Package(new FileEntry("/usr/bin/y", 0x81ED, "y")));
        Programs.Shell($"mkdir {folder / "ram"}; mount -t ramfs ramfs {folder / "ram"}");
        try
        {
            Tools.Result result = Tools.Run("rpm-extract", folder / "caps.rpm", "--into", folder / "ram/root");
            Assert.Equal((2, ""), (result.Status, result.Out));
            Assert.Equal($"rpm-extract: {folder / "ram"}/.root.layerbox-tmp/usr/bin/x: setxattr security.capability: Operation not supported; this filesystem keeps no such attributes", Assert.Single(result.Err.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
            Assert.Empty(Directory.EnumerateFileSystemEntries(folder / "ram"));
            Tools.Run("rpm-extract", folder / "plain.rpm", "--into", folder / "ram/root").AssertSucceeded();
            Assert.Equal(2, Tools.Run("rpm-extract", folder / "caps.rpm", "--into", folder / "ram/root").Status);
            Assert.Equal(["y"], Directory.EnumerateFiles(folder / "ram/root/usr/bin").Select(Path.GetFileName));
        }
        finally
        {
            Programs.Run("umount", "--lazy", folder / "ram");
        }
        Tools.Run("rpm-extract", folder / "caps.rpm", "--into", folder / "root").AssertSucceeded();
    }

    private static string InLittleMemory(params string[] args)
    {
        ProcessStartInfo start = new(Path.Combine(AppContext.BaseDirectory, "layerbox"), args) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x4000000"; // 64 MB
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{string.Join(' ', args)}: exit status {process.ExitCode}: {errors.Result}");
        return output;
    }
}
