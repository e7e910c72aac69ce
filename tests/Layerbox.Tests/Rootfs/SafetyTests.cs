using System.Runtime.InteropServices;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Rootfs;

/// <summary>Whatever lies in a tree, nothing outside of it is touched, and what is wrong is said.</summary>
public sealed partial class SafetyTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Tree _from = ApplyTests.Mine(new Tree().Add("d/sub/file", Samples.File("inside")).Add("d/other", Samples.File("x")));

    public SafetyTests()
    {
        Programs.Shell($"mkdir -p {Inside} {Outside}/sub; echo safe > {Outside}/sub/file; echo safe > {Outside}/other; chmod 711 {Outside}/sub");
        RootfsWriter.Apply(Inside, RootfsReader.Read(Inside), _from);
    }

    private string Inside => _folder / "inside";
    private string Outside => _folder / "outside";

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Traps => ["d", "d/sub", "d/sub/file", "d/other"];

    [Theory]
    [MemberData(nameof(Traps))]
    public void Never_follows_a_link_that_took_a_place(string trap)
    {
        string under = trap.StartsWith("d/", StringComparison.Ordinal) ? trap[2..] : "";
        Programs.Shell($"rm -rf {Inside}/{trap}; ln -s {Outside}/{under} {Inside}/{trap}");
        string before = State(Outside);
        Tree changed = _from.Copy(), removed = _from.Copy(), added = _from.Copy();
        foreach ((_, Inode inode) in changed.Walk())
        {
            inode.Mode = 0x1FF;
            inode.ModificationTime = new(1);
            inode.Xattrs = XattrSet.From([new Xattr("user.x"u8.ToArray(), [1])]);
            if (inode.Kind == FileKind.File)
                inode.Content = new MemoryContent("overwritten"u8.ToArray());
        }
        removed.At("d/sub").Remove(new FileName("file"));
        removed.At("d").Remove(new FileName("other"));
        added.Add("d/sub/new", Samples.File("new")).Add("d/new", Samples.File("new"));

        foreach (Tree to in new[] { changed, removed, added })
        {
            try
            {
                RootfsWriter.Apply(Inside, _from, to);
            }
            catch (PosixException e)
            {
                Assert.True(e.Errno is Errno.ELOOP or Errno.ENOTDIR or Errno.EOPNOTSUPP or Errno.EPERM, e.Message);
                Assert.StartsWith(Inside + "/d", e.Message, StringComparison.Ordinal);
            }
            Assert.Equal(before, State(Outside));
        }
    }

    [Fact]
    public void Fails_when_a_directory_is_a_link()
    {
        Programs.Shell($"rm -rf {Inside}/d; ln -s {Outside} {Inside}/d");
        Tree to = _from.Copy();
        to.At("d/sub/file").Mode = 0x100;
        PosixException e = Assert.Throws<PosixException>(() => RootfsWriter.Apply(Inside, _from, to));
        Assert.Equal($"{Inside}/d/sub: open: Too many levels of symbolic links", e.Message);
    }

    [Fact]
    public void Removes_links_and_not_what_they_lead_to()
    {
        Programs.Shell($"ln -s {Outside} {Inside}/d/sub/link; ln -s ../../../outside/sub {Inside}/d/up");
        string before = State(Outside);
        RootfsRemover.Remove(Inside);
        Assert.False(Files.Exists(Inside));
        Assert.Equal(before, State(Outside));
        RootfsRemover.Remove(Inside);
    }

    [Fact]
    public void Reads_no_content_through_a_link()
    {
        Tree tree = RootfsReader.Read(Inside);
        Programs.Shell($"rm -rf {Inside}/d/sub; ln -s {Outside}/sub {Inside}/d/sub");
        PosixException e = Assert.Throws<PosixException>(() => tree.At("d/sub/file").Content!.Digest);
        Assert.Equal($"{Inside}/d/sub/file: open: Too many levels of symbolic links", e.Message);
    }

    public static TheoryData<string> Disturbances => ["echo inside2 > F", "printf INSIDE > F", "rm F; printf inside > F", "touch F", "rm F; mkfifo F"];

    [Theory]
    [MemberData(nameof(Disturbances))]
    public void Says_when_a_source_changed(string disturbance) =>
        SaysWhenChanged(RootfsReader.Read(Inside).At("d/sub/file").Content!, disturbance);

    [Theory]
    [MemberData(nameof(Disturbances))]
    public void Says_when_a_source_changed_since_its_digest(string disturbance) =>
        SaysWhenChanged(new DiskRoot(Inside).Content(TreePath.Parse("d/sub/file"), "inside".Length), disturbance);

    private void SaysWhenChanged(FileContent content, string disturbance)
    {
        Tree target = new();
        Assert.Equal(32, content.Digest.Length);
        Programs.Shell(disturbance.Replace("F", $"{Inside}/d/sub/file", StringComparison.Ordinal));
        ApplyTests.Mine(target.Add("copy", Inode.File(0x1A4, content)));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => RootfsWriter.Apply(Outside, RootfsReader.Read(Outside), target));
        Assert.Equal($"{Inside}/d/sub/file: changed while it was being read", e.Message);
        Assert.Throws<InvalidDataException>(() => content.Open().CopyTo(Stream.Null));
    }

    [Fact]
    public void Takes_a_source_whose_links_or_permissions_changed()
    {
        FileContent content = RootfsReader.Read(Inside).At("d/sub/file").Content!;
        _ = content.Digest;
        Programs.Shell($"ln {Inside}/d/sub/file {Inside}/more; chmod 600 {Inside}/more");
        RootfsWriter.Apply(Outside, RootfsReader.Read(Outside), ApplyTests.Mine(new Tree().Add("copy", Inode.File(0x1A4, content))));
        Assert.Equal("inside", Programs.Shell($"cat {Outside}/copy"));
    }

    [Fact]
    public void Names_a_mount_inside()
    {
        Privileged.OrSkip();
        Programs.Shell($"mount -t tmpfs none {Inside}/d/sub");
        try
        {
            InvalidDataException e = Assert.Throws<InvalidDataException>(() => RootfsReader.Read(Inside));
            Assert.StartsWith($"{Inside}/d/sub: another subvolume or a mount lies here", e.Message, StringComparison.Ordinal);
            Programs.Shell($"echo kept > {Inside}/d/sub/kept");
            Assert.Throws<PosixException>(() => RootfsRemover.Remove(Inside));
            Assert.Equal("kept\n", Programs.Shell($"cat {Inside}/d/sub/kept"));
            Assert.Equal(32, new DiskRoot(Inside).Content(TreePath.Parse("d/sub/kept"), 5).Digest.Length); // asked for by name it may be read
            Tree tree = RootfsReader.Read(Inside, new RootfsReadOptions { NestedVolumes = NestedVolumes.AsEmptyDirectories });
            Assert.Empty(tree.At("d/sub").Children);
        }
        finally
        {
            Mounting.Unmount($"{Inside}/d/sub");
        }
    }

    [Fact]
    public void Names_a_file_and_a_folder_of_the_same_filesystem_mounted_inside()
    {
        Privileged.OrSkip();
        foreach ((string source, string at) in new[] { ($"{Outside}/other", $"{Inside}/d/other"), (Outside, $"{Inside}/d/sub") })
        {
            Programs.Shell($"mount --bind {source} {at}");
            try
            {
                InvalidDataException e = Assert.Throws<InvalidDataException>(() => RootfsReader.Read(Inside));
                Assert.StartsWith($"{at}: another subvolume or a mount lies here", e.Message, StringComparison.Ordinal);
            }
            finally
            {
                Mounting.Unmount(at);
            }
        }
    }

    [Fact]
    public void Names_a_subvolume_inside_and_what_a_snapshot_has_in_its_place()
    {
        using TempVolume volume = TempVolume.OrSkip();
        Programs.Shell($"cd {volume.Path}; btrfs -q subvolume create a; mkdir a/d; btrfs -q subvolume create a/d/inner; btrfs -q subvolume snapshot a b");
        foreach (string name in new[] { "a", "b" })
        {
            InvalidDataException e = Assert.Throws<InvalidDataException>(() => RootfsReader.Read(volume / name));
            Assert.StartsWith($"{volume / name}/d/inner: another subvolume", e.Message, StringComparison.Ordinal);
        }
    }

    public static TheoryData<string, string> Privileges => new()
    {
        { "device", "mknod: Operation not permitted; making devices needs root: CAP_MKNOD" },
        { "owner", "chown: Operation not permitted; giving files to others needs root: CAP_CHOWN" },
        { "capability", "setxattr security.capability: Operation not permitted; file capabilities need root: CAP_SETFCAP" },
        { "trusted", "setxattr trusted.x: Operation not permitted; these attributes need root: CAP_SYS_ADMIN" },
    };

    [Theory]
    [MemberData(nameof(Privileges))]
    public void Says_which_privilege_is_missing(string what, string reason)
    {
        Tree to = ApplyTests.Mine(new Tree().Add("x", Samples.File("x")));
        if (what == "device")
            to = ApplyTests.Mine(new Tree().Add("x", Inode.Device(isBlock: false, 0x1B6, 1, 3)));
        else if (what == "owner")
            to.At("x").Uid = 12345;
        else
            to.At("x").Xattrs = XattrSet.From([what == "capability"
                ? new Xattr("security.capability"u8.ToArray(), Samples.Capability)
                : new Xattr("trusted.x"u8.ToArray(), [1])]);
        PosixException? error = null;
        Thread powerless = new(() =>
        {
            DropCapabilities();
            error = Assert.Throws<PosixException>(() => RootfsWriter.Apply(Outside, RootfsReader.Read(Outside), to));
        });
        Programs.Shell($"rm -r {Outside}/*");
        powerless.Start();
        powerless.Join();
        Assert.Equal($"{Outside}/x: {reason}", error!.Message);
    }

    private static string State(string folder) =>
        Programs.Shell($"cd {folder}; find . -printf '%p %y %m %U:%G %T@ %C@ %l\\n' | sort; find . -type f -exec sha256sum {{}} +; getfattr -R -d -m - .");

    /// <summary>capset(2) is for the calling thread alone.</summary>
    private static void DropCapabilities()
    {
        // struct __user_cap_header_struct { u32 version; int pid; }, version 3, followed by two sets of three words
        Assert.Equal(0, capset([0x20080522, 0], new uint[6]));
    }

    [LibraryImport("libc")]
    private static partial int capset([In] uint[] header, [In] uint[] data);
}
