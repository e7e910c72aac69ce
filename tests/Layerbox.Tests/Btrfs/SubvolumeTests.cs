using System.Globalization;
using System.Text.RegularExpressions;
using Layerbox.Btrfs;
using Layerbox.Posix;

namespace Layerbox.Tests.Btrfs;

public sealed class SubvolumeTests(SharedVolume volume) : IClassFixture<SharedVolume>
{
    [Fact]
    public void Shows_what_btrfs_shows()
    {
        string folder = volume.Folder();
        Subvolume.Create(folder + "/a");
        Subvolume.Snapshot(folder + "/a", folder + "/b", readOnly: true);
        foreach (string name in (string[])["a", "b"])
        {
            SubvolumeInfo info = Subvolume.Info($"{folder}/{name}");
            string shown = Programs.Run("btrfs", "subvolume", "show", $"{folder}/{name}");
            string Field(string field) => Regex.Match(shown, $@"^\s*{field}:\s*(.*)$", RegexOptions.Multiline).Groups[1].Value.Trim();
            Assert.Equal(Field("UUID"), info.Uuid.ToString());
            Assert.Equal(Field("Parent UUID"), info.ParentUuid?.ToString() ?? "-");
            Assert.Equal(Field("Received UUID"), info.ReceivedUuid?.ToString() ?? "-");
            Assert.Equal(Field("Subvolume ID"), info.Id.ToString(CultureInfo.InvariantCulture));
            Assert.Equal(Field("Parent ID"), info.ParentId.ToString(CultureInfo.InvariantCulture));
            Assert.Equal(Field("Generation"), info.Generation.ToString(CultureInfo.InvariantCulture));
            Assert.Equal(Field("Gen at creation"), info.Created.Transid.ToString(CultureInfo.InvariantCulture));
            Assert.Equal(Field("Creation time"), DateTimeOffset.FromUnixTimeSeconds(info.Created.Time.Seconds).ToString("yyyy-MM-dd HH:mm:ss '+0000'", CultureInfo.InvariantCulture));
            Assert.Equal(Field("Flags") == "readonly", info.IsReadOnly);
            Assert.Equal(name, PathText.FromBytes(info.Name));
            Assert.Equal(256UL, Files.Status($"{folder}/{name}").Inode);
        }
    }

    [Fact]
    public void Knows_a_subvolume_from_anything_else()
    {
        string folder = volume.Folder();
        Subvolume.Create(folder + "/a");
        Programs.Shell($"touch {folder}/file; ln -s a {folder}/link");
        Assert.Equal(
            (true, true, true, false, false, false, false),
            (Subvolume.IsSubvolume(folder + "/a/"), Subvolume.IsSubvolume(volume.Root), Subvolume.IsSubvolume(folder + "/link"),
                Subvolume.IsSubvolume(folder), Subvolume.IsSubvolume(folder + "/file"), Subvolume.IsSubvolume(folder + "/none"),
                Subvolume.IsSubvolume("/proc")));
    }

    [Fact]
    public void A_read_only_snapshot_cannot_be_written_until_the_flag_is_cleared()
    {
        string folder = volume.Folder();
        Subvolume.Create(folder + "/a");
        File.WriteAllText(folder + "/a/f", "hello");
        Subvolume.Snapshot(folder + "/a", folder + "/b", readOnly: true);
        Assert.Equal("hello", File.ReadAllText(folder + "/b/f"));
        Assert.Throws<IOException>(() => File.WriteAllText(folder + "/b/f", "x"));
        Subvolume.SetReadOnly(folder + "/b", false);
        File.WriteAllText(folder + "/b/f", "x");
        Subvolume.SetReadOnly(folder + "/b", true);
        Assert.True(Subvolume.Info(folder + "/b").IsReadOnly);
        Assert.Equal("hello", File.ReadAllText(folder + "/a/f"));
    }

    [Fact]
    public void Names_the_subvolumes_inside_when_it_refuses_to_delete()
    {
        string folder = Nested();
        PosixException refused = Assert.Throws<PosixException>(() => Subvolume.Delete(folder + "/a"));
        Assert.Equal(
            (Errno.ENOTEMPTY, $"{folder}/a: subvolume delete: holds other subvolumes, which go only when deleted recursively: d/e/b, c"),
            (refused.Errno, refused.Message));
    }

    [Fact]
    public void Deletes_recursively_deepest_first_also_inside_read_only_ones()
    {
        string folder = Nested();
        foreach (string path in (string[])["a/d/e/b", "a"])
            Subvolume.SetReadOnly($"{folder}/{path}", true);
        string[] expected = [folder + "/a/d/e/b/deep", folder + "/a/d/e/b", folder + "/a/c", folder + "/a"];
        Assert.Equal(expected, Subvolume.Deletions(folder + "/a", recursive: true).Select(entry => entry.Path));
        Assert.True(Subvolume.Info(folder + "/a").IsReadOnly);
        List<string> deleted = [];
        Subvolume.Delete(folder + "/a", recursive: true, entry => deleted.Add(entry.Path));
        Assert.Equal(expected, deleted);
        Assert.Empty(Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public void Restores_the_read_only_flag_when_a_recursive_deletion_fails()
    {
        string folder = Nested();
        Subvolume.SetReadOnly(folder + "/a", true);
        Programs.Run("mount", "-t", "tmpfs", "none", folder + "/a/c");
        try
        {
            PosixException refused = Assert.Throws<PosixException>(() => Subvolume.Delete(folder + "/a", recursive: true));
            Assert.Equal($"{folder}/a/c: subvolume delete: covered by a mount: unmount it first", refused.Message);
            Assert.True(Subvolume.Info(folder + "/a").IsReadOnly);
        }
        finally
        {
            Mounting.Unmount(folder + "/a/c");
        }
    }

    [Fact]
    public void Refuses_to_delete_the_default_subvolume()
    {
        string path = volume.Folder() + "/a";
        Subvolume.Create(path);
        ulong before = Subvolume.GetDefault(volume.Root);
        Subvolume.SetDefault(path);
        try
        {
            Assert.Equal(Subvolume.Info(path).Id, Subvolume.GetDefault(volume.Root));
            Assert.StartsWith($"ID {Subvolume.Info(path).Id} ", Programs.Run("btrfs", "subvolume", "get-default", volume.Root), StringComparison.Ordinal);
            Assert.Equal(
                $"{path}: subvolume delete: it is the default subvolume of the filesystem: make another one the default first",
                Assert.Throws<PosixException>(() => Subvolume.Delete(path)).Message);
        }
        finally
        {
            Subvolume.SetDefault(volume.Root);
        }
        Assert.Equal((5UL, 5UL), (before, Subvolume.GetDefault(volume.Root)));
        Subvolume.Delete(path);
    }

    [Fact]
    public void Takes_names_of_any_bytes_and_of_255_of_them()
    {
        string folder = volume.Folder();
        foreach (string name in (string[])[new string('n', 255), PathText.FromBytes([0xFF, (byte)'\n', 0x80, (byte)' ']), "-x", "ü"])
        {
            string path = Path.Join(folder, name);
            Subvolume.Create(path);
            Assert.Equal(PathText.ToBytes(name), Subvolume.Info(path).Name);
            Subvolume.Delete(path);
            Assert.False(Subvolume.IsSubvolume(path));
        }
    }

    [Fact]
    public void Lets_an_unprivileged_user_do_what_the_kernel_lets_him_and_says_what_he_may_not()
    {
        string folder = volume.Folder();
        Programs.Run("chmod", "777", folder, Path.GetDirectoryName(volume.Root)!);
        Subvolume.Create(folder + "/roots");
        Unprivileged.Run(() =>
        {
            Subvolume.Create(folder + "/a");
            Subvolume.Create(folder + "/a/b");
            Subvolume.Snapshot(folder + "/a", folder + "/c", readOnly: false);
            Subvolume.SetReadOnly(folder + "/c", true);
            Assert.True(Subvolume.Info(folder + "/c").IsReadOnly);
            Subvolume.SetReadOnly(folder + "/c", false);
            Subvolume.Delete(folder + "/c");
            Subvolume.Delete(folder + "/a", recursive: true);
            Assert.Equal(
                $"{folder}/roots: subvolume set flags: not permitted: only its owner or root may, and not while it is being sent",
                Assert.Throws<PosixException>(() => Subvolume.SetReadOnly(folder + "/roots", true)).Message);
            Assert.Equal(
                $"{folder}/roots: subvolume snapshot: not permitted: only its owner or root may snapshot it",
                Assert.Throws<PosixException>(() => Subvolume.Snapshot(folder + "/roots", folder + "/s", readOnly: true)).Message);
            Assert.Equal(Errno.EACCES, Assert.Throws<PosixException>(() => Subvolume.Delete(folder + "/roots")).Errno);
        });
    }

    private string Nested()
    {
        string folder = volume.Folder();
        Subvolume.Create(folder + "/a");
        Directories.MakeAll(folder + "/a/d/e");
        Subvolume.Create(folder + "/a/d/e/b");
        Subvolume.Create(folder + "/a/d/e/b/deep");
        Subvolume.Create(folder + "/a/c");
        return folder;
    }
}
