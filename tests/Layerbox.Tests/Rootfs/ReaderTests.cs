using System.Globalization;
using System.Text;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Rootfs;

public sealed class ReaderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Agrees_with_find_and_getfattr()
    {
        Privileged.OrSkip();
        RootfsWriter.Apply(_folder.Path, RootfsReader.Read(_folder.Path), Samples.Corners());
        Dictionary<string, string> found = Programs.Run("find", _folder.Path, "-mindepth", "1", "-printf", @"%P\t%y %m %U:%G %T@ %s %n %l\0")
            .Split('\0', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t')).ToDictionary(part => part[0], part => part[1]);
        int compared = 0;
        foreach ((TreePath path, Inode inode) in RootfsReader.Read(_folder.Path).Walk().Skip(1))
        {
            // Not comparable: a name that is not UTF-8 comes to us as text; sizes of directories are the filesystem's own.
            if (!System.Text.Unicode.Utf8.IsValid(path.ToBytes()) || !System.Text.Unicode.Utf8.IsValid(inode.Target))
                continue;
            string[] says = found[Encoding.UTF8.GetString(path.ToBytes())].Split(' ');
            string type = inode.Kind switch
            {
                FileKind.Directory => "d",
                FileKind.File => "f",
                FileKind.Symlink => "l",
                FileKind.CharDevice => "c",
                FileKind.BlockDevice => "b",
                FileKind.Fifo => "p",
                _ => "s",
            };
            Timestamp time = inode.ModificationTime;
            Assert.Equal((path, type, Convert.ToString(inode.Mode, 8), $"{inode.Uid}:{inode.Gid}"), (path, says[0], says[1], says[2]));
            Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"{time.Seconds}.{time.Nanoseconds:d9}0"), says[3]);
            Assert.Equal(Encoding.UTF8.GetString(inode.Target), says[6]);
            if (!inode.IsDirectory)
                Assert.Equal(inode.Links, int.Parse(says[5], CultureInfo.InvariantCulture));
            if (inode.Content is { } content)
                Assert.Equal(content.Size, long.Parse(says[4], CultureInfo.InvariantCulture));
            compared++;
        }
        Assert.True(compared > 30);

        Assert.Contains("cap_net_bind_service=ep", Programs.Run("getcap", _folder / "usr/bin/ping"), StringComparison.Ordinal);
        string attributes = Programs.Run("getfattr", "-d", "-m", "-", "-e", "hex", "--absolute-names", _folder / "usr/bin/ping");
        Assert.Equal(
            $"# file: {_folder / "usr/bin/ping"}\nsecurity.capability=0x{Convert.ToHexStringLower(Samples.Capability)}\nuser.a=0x00ff\nuser.z=0x\n\n",
            attributes);
        Assert.Contains("user:7:r--", Programs.Run("getfacl", "-n", "--absolute-names", _folder / "var/acl/own"), StringComparison.Ordinal);
    }

    [Fact]
    public void Tells_what_identifies_a_file_and_asks_for_its_digest()
    {
        Programs.Shell($"cd {_folder.Path}; echo one > a; mkdir d; echo two > d/b; ln -s a l");
        List<string> asked = [];
        byte[] digest = new byte[32];
        Tree tree = RootfsReader.Read(_folder.Path, new RootfsReadOptions
        {
            KnownDigest = (path, status) =>
            {
                asked.Add($"{path} {status.Size}");
                return path.Name.ToString() == "b" ? digest : null;
            },
        });
        Assert.Equal(["/a 4", "/d/b 4"], asked.Order(StringComparer.Ordinal));
        DiskContent a = (DiskContent)tree.At("a").Content!, b = (DiskContent)tree.At("d/b").Content!;
        Assert.False(a.HasDigest);
        Assert.Same(digest, b.Digest);
        Assert.Equal(Programs.Run("stat", "-c", "%i %.9Z %.9Y", _folder / "a").Trim(), string.Create(
            CultureInfo.InvariantCulture,
            $"{a.InodeNumber} {a.ChangeTime.Seconds}.{a.ChangeTime.Nanoseconds:d9} {a.ModificationTime.Seconds}.{a.ModificationTime.Nanoseconds:d9}"));
    }

    [Fact]
    public void Reads_contents_by_a_path_alone()
    {
        Programs.Shell($"cd {_folder.Path}; mkdir -p d/e; echo one > d/a; echo two > d/e/b; echo three > c");
        DiskRoot root = new(_folder.Path);
        foreach ((string path, string text) in new[] { ("c", "three\n"), ("d/a", "one\n"), ("d/e/b", "two\n"), ("d/a", "one\n") })
        {
            using StreamReader reader = new(root.Content(TreePath.Parse(path), text.Length).Open());
            Assert.Equal(text, reader.ReadToEnd());
        }
        Assert.Throws<InvalidDataException>(() => root.Content(TreePath.Parse("c"), 7).Digest);
        Assert.Throws<InvalidDataException>(() => root.Content(TreePath.Parse("c"), 3).Digest);
    }

    [Fact]
    public void Shares_the_handle_of_a_folder()
    {
        Programs.Shell($"cd {_folder.Path}; mkdir d; ln -s d l");
        DiskRoot root = DiskRoot.Shared(_folder / "d");
        Assert.Same(root, DiskRoot.Shared(_folder / "l"));
        Programs.Shell($"cd {_folder.Path}; rmdir d; mkdir d");
        Assert.NotSame(root, DiskRoot.Shared(_folder / "d"));
        GC.KeepAlive(root);
    }

    [Fact]
    public void Computes_many_digests_and_counts_them()
    {
        Programs.Shell($"cd {_folder.Path}; for i in $(seq 50); do head -c $((i * 7000)) /dev/urandom > $i; done; truncate -s 1M 50; truncate -s 10M hole");
        FileContent[] contents = [.. RootfsReader.Read(_folder.Path).Root.Children.Select(child => child.Value.Content!)];
        (long Files, long Bytes) last = default;
        ContentDigests.ComputeAll([.. contents, .. contents], (files, bytes) => last = (files, bytes));
        Assert.Equal((51, contents.Sum(content => content.Size)), last);
        Dictionary<string, string> sums = Programs.Shell($"cd {_folder.Path}; sha256sum *").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split("  ")).ToDictionary(part => part[1], part => part[0]);
        foreach (FileContent content in contents)
            Assert.Equal(sums[Path.GetFileName(content.ToString()!)], Convert.ToHexStringLower(content.Digest));
    }

    [Fact]
    public void A_digest_that_fails_fails_all()
    {
        Programs.Shell($"cd {_folder.Path}; echo a > a; echo b > b");
        Tree tree = RootfsReader.Read(_folder.Path);
        Programs.Shell($"rm {_folder / "a"}");
        PosixException e = Assert.Throws<PosixException>(() => ContentDigests.ComputeAll(tree.Root.Children.Select(child => child.Value.Content!)));
        Assert.Equal($"{_folder.Path}/a: open: No such file or directory", e.Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Keeps_holes(bool onBtrfs)
    {
        using TempVolume? volume = onBtrfs ? TempVolume.OrSkip() : null;
        string source = (volume?.Path ?? _folder.Path) + "/source", target = (volume?.Path ?? _folder.Path) + "/target";
        Programs.Shell($"mkdir {source} {target}; cd {source}; truncate -s 20M all; truncate -s 20M some; "
            + "printf x | dd of=some bs=1 seek=5000000 conv=notrunc status=none; head -c 100000 /dev/urandom | dd of=some bs=1M seek=12 conv=notrunc status=none; "
            + "head -c 300000 /dev/urandom > end; truncate -s 9000001 end; sync .");
        Tree tree = RootfsReader.Read(source);
        // Once as a file, and once as bytes of unknown origin of which only the extents are known.
        tree.Add("streamed", Inode.File(0x1A4, new Streamed(tree.At("some").Content!)));
        ApplyTests.Mine(tree);
        RootfsWriter.Apply(target, RootfsReader.Read(target), tree);
        Tree written = RootfsReader.Read(target);
        TreeLines.AssertEqual(tree, written);
        foreach ((FileName name, Inode inode) in tree.Root.Children)
            Assert.Equal(inode.Content!.Extents, written.Root.Child(name)!.Content!.Extents);
        Assert.Single(written.At("all").Content!.Extents);
        Assert.Equal(5, written.At("some").Content!.Extents.Count);
    }

    [Fact]
    public void Copies_where_extents_cannot_be_shared_and_says_so_when_they_must()
    {
        using TempVolume volume = TempVolume.OrSkip();
        Programs.Shell($"head -c 3000000 /dev/urandom > {_folder / "x"}");
        Tree from = RootfsReader.Read(volume.Path), tree = RootfsReader.Read(_folder.Path);
        InvalidDataException e = Assert.Throws<InvalidDataException>(
            () => RootfsWriter.Apply(volume.Path, from, tree, new RootfsWriteOptions { Reflink = Reflink.Always }));
        Assert.Equal($"{_folder / "x"}: its bytes cannot be shared: it does not lie on the same btrfs as the target", e.Message);
        Programs.Run("rm", volume / "x");
        RootfsWriter.Apply(volume.Path, from, tree);
        Programs.Run("cmp", _folder / "x", volume / "x");
    }

    private sealed class Streamed(FileContent content) : FileContent
    {
        public override long Size => content.Size;
        public override IReadOnlyList<Extent> Extents => content.Extents;
        public override Stream Open() => content.Open();
    }
}
