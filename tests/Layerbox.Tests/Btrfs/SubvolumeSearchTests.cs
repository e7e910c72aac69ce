using System.Globalization;
using System.Text.RegularExpressions;
using Layerbox.Btrfs;
using Layerbox.Posix;

namespace Layerbox.Tests.Btrfs;

public sealed class SubvolumeSearchTests
{
    [Fact]
    public void Lists_what_btrfs_lists_nested_and_from_a_mount_of_a_subvolume_too()
    {
        using TempVolume volume = TempVolume.OrSkip(1L << 30);
        Directories.MakeAll(volume / "d/e/f");
        foreach (string path in (string[])["a", "d/e/f/b", "d/e/f/b/c", "z y"])
            Subvolume.Create(volume / path);
        Directories.MakeAll(volume / "d/e/f/b/c/x");
        Subvolume.Snapshot(volume / "a", volume / "d/e/f/b/c/x/snapshot", readOnly: true);
        Subvolume.Create(volume / "gone");
        Subvolume.Delete(volume / "gone");
        string[] expected = ListedByBtrfs(volume.Path);
        Assert.Equal(5, expected.Length);
        Assert.Equal(expected, Described(SubvolumeSearch.List(volume / "d/e")));
        Assert.Equal(expected, Described(SubvolumeSearch.ListReachable(volume / "d/e/f/b/c/x")));

        using TempFolder mount = new();
        Programs.Run("mount", "-o", "loop,subvol=d/e/f/b", Programs.Run("findmnt", "-no", "SOURCE", volume.Path).Trim(), mount.Path);
        try
        {
            Assert.Equal(expected, Described(SubvolumeSearch.List(mount.Path)));
            Assert.Equal(["c", "c/x/snapshot"], SubvolumeSearch.ListReachable(mount.Path).Select(entry => entry.Path));
        }
        finally
        {
            Mounting.Unmount(mount.Path);
        }
    }

    [Fact]
    public void Tells_of_a_subvolume_the_same_as_a_look_at_it_does()
    {
        using TempVolume volume = TempVolume.OrSkip(1L << 30);
        Subvolume.Create(volume / "a");
        Subvolume.Snapshot(volume / "a", volume / "b", readOnly: true);
        Subvolume.Sync(volume.Path);
        foreach (SubvolumeEntry entry in SubvolumeSearch.List(volume.Path))
        {
            SubvolumeInfo info = Subvolume.Info(volume / entry.Path);
            Assert.Equal(info with { Name = entry.Info.Name }, entry.Info);
            Assert.Equal(info.Name, entry.Info.Name);
        }
    }

    [Fact]
    public void Lists_a_thousand_subvolumes_and_names_of_any_bytes()
    {
        using TempVolume volume = TempVolume.OrSkip(1L << 30);
        string odd = PathText.FromBytes([0xFE, (byte)'\n', (byte)'"', 0xFF]);
        List<string> names = [.. Enumerable.Range(0, 1000).Select(i => $"sub{i:d4}"), odd, new string('n', 255)];
        Directories.MakeAll(Path.Join(volume.Path, odd + "dir"));
        names.Add(odd + "dir/inside");
        foreach (string name in names)
            Subvolume.Create(Path.Join(volume.Path, name));
        Assert.Equal(names, SubvolumeSearch.List(volume.Path).Select(entry => entry.Path));
        Assert.Equal(names, SubvolumeSearch.ListReachable(volume.Path).Select(entry => entry.Path));
        Unprivileged.Run(() => Assert.Throws<PosixException>(() => SubvolumeSearch.List("/proc")));
    }

    [Fact]
    public void Lists_to_an_unprivileged_user_what_he_can_open()
    {
        using TempVolume volume = TempVolume.OrSkip(1L << 30);
        Programs.Run("chmod", "755", Path.GetDirectoryName(volume.Path)!);
        Directories.MakeAll(volume / "private");
        foreach (string path in (string[])["a", "a/b", "locked", "locked/inside", "private/c"])
            Subvolume.Create(volume / path);
        Programs.Run("chmod", "700", volume / "locked", volume / "private");
        Unprivileged.Run(() => Assert.Equal(["a", "a/b"], SubvolumeSearch.List(volume.Path).Select(entry => entry.Path)));
    }

    private static string[] ListedByBtrfs(string path) =>
        [.. Programs.Run("btrfs", "subvolume", "list", "-puqR", path).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => Regex.Replace(line, " +", " ").Replace(" gen ", " ", StringComparison.Ordinal))
            .Select(line => Regex.Match(line, @"^ID (\d+) \d+ parent (\d+) .*parent_uuid (\S+) received_uuid (\S+) uuid (\S+) path (.*)$"))
            .Select(match => string.Join(' ', match.Groups.Values.Skip(1).Select(group => group.Value)))];

    private static string[] Described(IEnumerable<SubvolumeEntry> entries) =>
        [.. entries.Select(e => string.Create(
            CultureInfo.InvariantCulture,
            $"{e.Info.Id} {e.Info.ParentId} {e.Info.ParentUuid?.ToString() ?? "-"} {e.Info.ReceivedUuid?.ToString() ?? "-"} {e.Info.Uuid} {e.Path}"))];
}
