using static Layerbox.Tests.Rpm.RawRpm;

namespace Layerbox.Tests.Rpm;

/// <summary>What rpm-extract makes is what rpm2cpio and cpio make, and what the header says beyond that.</summary>
public class RpmExtractTests
{
    private const uint File644 = 0x81A4, File755 = 0x81ED, Directory755 = 0x41ED, Link = 0xA1FF;

    public static readonly TheoryData<string> Packages = [.. BuiltRpms.Compressors.Select(row => BuiltRpms.Paid(row.Data.Item1)), BuiltRpms.Full, BuiltRpms.FullSource];

    [Theory]
    [MemberData(nameof(Packages))]
    public void Files_are_those_that_cpio_makes(string package)
    {
        Privileged.OrSkip(); // device nodes
        using TempFolder folder = new();
        Tools.Run("rpm-extract", BuiltRpms.PathOf(package), "--into", folder / "ours", "--no-owner").AssertSucceeded();
        Directory.CreateDirectory(folder / "theirs");
        Programs.Shell($"cd {folder / "theirs"} && rpm2cpio '{BuiltRpms.PathOf(package)}' | cpio -idm --quiet --no-preserve-owner");
        Assert.Equal(Listing(folder / "theirs"), Listing(folder / "ours"));
        Programs.Run("diff", "-r", "--no-dereference", "--exclude=pipe", "--exclude=fullcon", folder / "theirs", folder / "ours");
    }

    // Directories that no package has get times of their own, and cpio does not keep those of links.
    private static string Listing(string path) => Programs.Shell(
        $@"cd {path}; find . -mindepth 1 ! -type d ! -type l -printf '%P %y %m %n %s %T@\n' | sort; find . -type l -printf '%P %y %l\n' | sort; find . -mindepth 1 -type d -printf '%P %y %m\n' | sort; find . -links +1 -type f -printf '%i %P\n' | sort -k2 | awk '{{ n[$1] = n[$1] "" "" $2 }} END {{ for (i in n) print n[i] }}' | sort");

    [Fact]
    public void Owners_capabilities_and_times_are_those_of_the_header()
    {
        Privileged.OrSkip();
        using TempFolder folder = new();
        Directory.CreateDirectory(folder / "root/etc");
        File.WriteAllText(folder / "root/etc/passwd", "daemon:x:11:22::/:/bin/sh\n");
        File.WriteAllText(folder / "root/etc/group", "mail:x:33:\nadm:x:44:\n");
        Tools.Result result = Tools.Run("rpm-extract", BuiltRpms.PathOf(BuiltRpms.Full), "--into", folder / "root").AssertSucceeded();
        Assert.Equal("rpm-extract: group tty: not in etc/passwd and etc/group there, root is taken\n", result.Err);
        Assert.Equal("11 33 640\n", Programs.Run("stat", "-c", "%u %g %a", folder / "root/etc/full/local.conf"));
        Assert.Equal("0 44 750\n", Programs.Run("stat", "-c", "%u %g %a", folder / "root/etc/full"));
        Assert.Equal("0 0 1777 1600000000\n", Programs.Run("stat", "-c", "%u %g %a %Y", folder / "root/usr/share/full/empty"));
        Assert.Equal("0 0 4755\n", Programs.Run("stat", "-c", "%u %g %a", folder / "root/usr/bin/setuid"));
        Assert.Equal("character special file 5 1\n", Programs.Run("stat", "-c", "%F %t %T", folder / "root/dev/fullcon"));
        Assert.EndsWith("cap_net_bind_service,cap_net_raw=ep\n", Programs.Run("getcap", folder / "root/usr/bin/caps"), StringComparison.Ordinal);
        Assert.False(File.Exists(folder / "root/var/log/full.log")); // a ghost
        Assert.False(Directory.Exists(folder / "root/var/lib/ghostly"));
        Assert.True(File.Exists(folder / "root/etc/passwd"));
    }

    [Fact]
    public void What_belongs_to_nobody_known_goes_to_root_without_its_setuid_bit()
    {
        byte[] package = RawRpm.Package(new FileEntry("/bin/a", File755 | 0x800, "x") { User = "nobody-knows" }, new FileEntry("/bin/b", File755 | 0x800, "x"));
        Tools.Result result = Tools.RunWithInput(package, "rpm-extract", "--tar", "-").AssertSucceeded();
        Assert.Equal("rpm-extract: user nobody-knows: not in etc/passwd and etc/group there, root is taken\n", result.Err);
        Assert.Equal(["-rwsr-xr-x bin/b", "-rwxr-xr-x bin/a"], Members(result.Bytes).Where(line => line[0] == '-').Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Archives_are_the_same_each_time_and_hold_what_the_directory_would()
    {
        using TempFolder folder = new();
        string[] packages = [BuiltRpms.PathOf(BuiltRpms.Paid("pay-xz")), BuiltRpms.PathOf(BuiltRpms.Paid("pay-zstd"))];
        byte[] archive = Tools.Run(["rpm-extract", "--tar", "--no-owner", .. packages]).AssertSucceeded().Bytes;
        Assert.Equal(archive, Tools.Run(["rpm-extract", "--tar", "--no-owner", packages[1], packages[0]]).AssertSucceeded().Bytes);
        Tools.Run(["rpm-extract", "--tar", "--no-owner", "--output", folder / "x.tar", .. packages]).AssertSucceeded();
        Assert.Equal(archive, File.ReadAllBytes(folder / "x.tar"));
        Directory.CreateDirectory(folder / "tar");
        Programs.Run("tar", "-C", folder / "tar", "-xf", folder / "x.tar");
        Tools.Run(["rpm-extract", "--no-owner", "--into", folder / "directory", .. packages]).AssertSucceeded();
        Assert.Equal(Listing(folder / "directory"), Listing(folder / "tar"));
        Programs.Run("diff", "-r", "--no-dereference", folder / "directory", folder / "tar");
    }

    [Fact]
    public void Packages_may_share_directories_and_equal_files_and_nothing_else()
    {
        using TempFolder folder = new();
        FileEntry shared = new("/usr/share/same", File644, "same"), own = new("/usr/share/a", File644, "a");
        File.WriteAllBytes(folder / "a.rpm", RawRpm.Package(new FileEntry("/usr", Directory755), own, shared));
        File.WriteAllBytes(folder / "b.rpm", RawRpm.Package(new FileEntry("/usr", 0x41C0), new FileEntry("/usr/share/b", File644, "b"), shared));
        File.WriteAllBytes(folder / "c.rpm", RawRpm.Package(shared with { Content = "other" }));
        Tools.Run("rpm-extract", "--no-owner", folder / "a.rpm", "--into", folder / "x").AssertSucceeded();
        Tools.Run("rpm-extract", "--no-owner", folder / "b.rpm", "--into", folder / "x").AssertSucceeded();
        Assert.Equal("drwx------\n", Programs.Run("stat", "-c", "%A", folder / "x/usr"));
        Assert.Equal("asameb", File.ReadAllText(folder / "x/usr/share/a") + File.ReadAllText(folder / "x/usr/share/same") + File.ReadAllText(folder / "x/usr/share/b"));
        string before = Programs.Shell($"cd {folder / "x"}; find . -ls");
        Refused($"{folder / "c.rpm"}: '/usr/share/same': it is there already, with another content", folder / "c.rpm", "--into", folder / "x");
        Refused($"{folder / "c.rpm"}: '/usr/share/same': raw-1-1.noarch brings it, too, with another content", folder / "a.rpm", folder / "c.rpm", "--into", folder / "y");
        Assert.Equal(before, Programs.Shell($"cd {folder / "x"}; find . -ls"));
        Assert.Equal(["a.rpm", "b.rpm", "c.rpm", "x"], Directory.EnumerateFileSystemEntries(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));

        static void Refused(string error, params string[] args)
        {
            Tools.Result result = Tools.Run(["rpm-extract", "--no-owner", .. args]);
            Assert.Equal((2, $"rpm-extract: {error}"), (result.Status, result.FirstErrorLine));
        }
    }

    [Fact]
    public void Links_lead_nowhere_outside()
    {
        using TempFolder folder = new();
        Directory.CreateDirectory(folder / "outside");
        byte[] package = RawRpm.Package(
            new FileEntry("/absolute", Link) { Target = folder / "outside" },
            new FileEntry("/absolute/a", File644, "a"),
            new FileEntry("/up", Link) { Target = "../outside" },
            new FileEntry("/up/b", File644, "b"));
        File.WriteAllBytes(folder / "x.rpm", package);
        Tools.Run("rpm-extract", "--no-owner", folder / "x.rpm", "--into", folder / "x").AssertSucceeded();
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder / "outside"));
        Assert.Equal("a", File.ReadAllText((folder / "x") + (folder / "outside/a")));
        Assert.Equal("b", File.ReadAllText(folder / "x/outside/b"));
    }

    [Fact]
    public void Only_regular_files_are_hard_links_of_each_other_whatever_their_inodes()
    {
        byte[] package = RawRpm.Package(
            new FileEntry("/d", Directory755) { Inode = 7 },
            new FileEntry("/d/l", Link) { Inode = 7, Target = "there" },
            new FileEntry("/d/a", File644, "x") { Inode = 7 },
            new FileEntry("/d/b", File644, "x") { Inode = 7 });
        Tools.Result result = Tools.RunWithInput(package, "rpm-extract", "--tar", "--no-owner", "-").AssertSucceeded();
        Assert.Equal(["-rw-r--r-- d/a", "hrw-r--r-- d/a", "lrwxrwxrwx there"], Members(result.Bytes).Where(line => line[0] != 'd'));
    }

    [Fact]
    public void A_loop_of_links_is_told_with_the_file_that_leads_into_it()
    {
        byte[] package = RawRpm.Package(new FileEntry("/a", Link) { Target = "a" }, new FileEntry("/a/x", File644, "x"));
        Tools.Result result = Tools.RunWithInput(package, "rpm-extract", "--tar", "--no-owner", "-");
        Assert.Equal(2, result.Status);
        Assert.StartsWith("rpm-extract: standard input: '/a/x': ", result.FirstErrorLine, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("rpm-show")]
    [InlineData("rpm-verify")]
    [InlineData("rpm-extract --tar")]
    public void Standard_input_is_read_once_only(string tool)
    {
        Tools.Result result = Tools.RunWithInput(RawRpm.Package(), [.. tool.Split(' '), "-", "-"]);
        Assert.Equal((2, "", $"{tool.Split(' ')[0]}: standard input can be read once only"), (result.Status, result.Out, result.FirstErrorLine));
    }

    [Fact]
    public void A_header_is_compared_with_whatever_digest_there_is()
    {
        FileEntry file = new("/x", File644, "x");
        byte[] payload = Cpio(file), header = MainHeader(payload, [file]);
        byte[] package = RawRpm.Package(Header(62, Bytes(1004, new byte[16])), header, payload);
        Tools.Result result = Tools.RunWithInput(package, "rpm-extract", "--tar", "--no-owner", "-");
        Assert.Equal(2, result.Status);
        Assert.StartsWith("rpm-extract: standard input: md5: the digest of header and payload is ", result.FirstErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_needs_more_than_32_bits_becomes_a_file_with_holes()
    {
        using TempFolder folder = new();
        const long Size = 5L << 20;
        FileEntry[] files = [new("/big", File644) { Size = Size, Digest = new string('0', 64) }, new("/link", Link) { Target = "big" }, new("/one", File644, "1") { Inode = 7 }, new("/two", File644, "1") { Inode = 7 }];
        byte[] zeros = new byte[Size];
        zeros[^1] = 1;
        using MemoryStream archive = new();
        Stripped(archive, 0, zeros);
        Stripped(archive, 1, "big"u8.ToArray());
        Stripped(archive, 2, []);
        Stripped(archive, 3, "1"u8.ToArray());
        Member(archive, "TRAILER!!!", 0, []);
        files[0] = files[0] with { Digest = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(zeros)) };
        File.WriteAllBytes(folder / "x.rpm", RawRpm.Package(MainHeader(archive.ToArray(), files, Numbers(5008, U64, [.. files.Select(f => f.Size ?? (ulong)Math.Max(1, f.Target.Length))])), archive.ToArray()));
        Assert.Contains("\"good\":true", Tools.Run("rpm-verify", folder / "x.rpm").AssertSucceeded().Out, StringComparison.Ordinal);
        Tools.Run("rpm-extract", "--no-owner", folder / "x.rpm", "--into", folder / "x").AssertSucceeded();
        Assert.Equal(zeros, File.ReadAllBytes(folder / "x/big"));
        Assert.InRange(long.Parse(Programs.Run("stat", "-c", "%b", folder / "x/big"), System.Globalization.CultureInfo.InvariantCulture) * 512, 1, Size / 10);
        Assert.Equal("2 1\n", Programs.Run("stat", "-c", "%h %s", folder / "x/one"));
    }

    [Theory]
    [InlineData("say either --into DIR or --tar")]
    [InlineData("say either --into DIR or --tar", "--tar", "--into", "x")]
    [InlineData("--output goes with --tar", "--into", "x", "--output", "y")]
    public void Says_what_makes_no_sense(string error, params string[] args)
    {
        Tools.Result result = Tools.Run(["rpm-extract", "x.rpm", .. args]);
        Assert.Equal((2, $"rpm-extract: {error}"), (result.Status, result.FirstErrorLine));
    }

    private static string[] Members(byte[] archive)
    {
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "x.tar", archive);
        return [.. Programs.Run("tar", "-tvf", folder / "x.tar").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => $"{line.Split(' ')[0]} {line.Split(' ')[^1]}")];
    }
}
