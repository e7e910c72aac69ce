using System.Text.Json;
using Layerbox.Btrfs;
using Layerbox.Posix;

namespace Layerbox.Tests.Btrfs;

public sealed class SubvolToolTests(SharedVolume volume) : IClassFixture<SharedVolume>
{
    [Fact]
    public void Makes_snapshots_shows_and_deletes_with_a_json_line_each()
    {
        string folder = volume.Folder();
        JsonElement made = Json(Tools.Run("subvol-make", folder + "/a"));
        JsonElement copied = Json(Tools.Run("subvol-snapshot", "--read-only", folder + "/a", folder + "/b"));
        JsonElement shown = Json(Tools.Run("subvol-show", folder + "/b"));
        SubvolumeInfo info = Subvolume.Info(folder + "/b");
        Assert.Equal((folder + "/a", false), (made.GetProperty("path").GetString(), made.GetProperty("read_only").GetBoolean()));
        Assert.Equal("path", made.EnumerateObject().First().Name);
        Assert.Equal(made.GetProperty("uuid").GetString(), copied.GetProperty("parent_uuid").GetString());
        Assert.Equal(
            (info.Id, info.ParentId, info.Uuid.ToString(), info.Generation, true, false, info.Created.Time.Seconds, info.Created.Time.Nanoseconds),
            (shown.GetProperty("id").GetUInt64(), shown.GetProperty("parent_id").GetUInt64(), shown.GetProperty("uuid").GetString(),
                shown.GetProperty("generation").GetUInt64(), shown.GetProperty("read_only").GetBoolean(), shown.GetProperty("default").GetBoolean(),
                shown.GetProperty("created").GetProperty("sec").GetInt64(), shown.GetProperty("created").GetProperty("nsec").GetUInt32()));
        Assert.False(shown.TryGetProperty("received_uuid", out _));
        Assert.Equal(folder + "/b", Json(Tools.Run("subvol-delete", "--dry-run", folder + "/b")).GetProperty("path").GetString());
        Assert.Equal(info.Uuid.ToString(), Json(Tools.Run("subvol-delete", folder + "/b")).GetProperty("uuid").GetString());
        Assert.False(Subvolume.IsSubvolume(folder + "/b"));
    }

    [Fact]
    public void Lists_as_json_lines_and_as_a_table()
    {
        string folder = volume.Folder();
        string odd = PathText.FromBytes([0xFF, (byte)'x']);
        Subvolume.Create(folder + "/plain");
        Subvolume.Create($"{folder}/{odd}");
        string inVolume = Path.GetFileName(folder);
        JsonElement[] listed = [.. Tools.Run("subvol-list", folder).AssertSucceeded().Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Contains(listed, e => e.TryGetProperty("path", out JsonElement path) && path.GetString() == inVolume + "/plain");
        Assert.Contains(listed, e => e.TryGetProperty("path_b64", out JsonElement path)
            && path.GetBytesFromBase64().AsSpan().SequenceEqual(PathText.ToBytes($"{inVolume}/{odd}")));
        string[] table = Tools.Run("subvol-list", "--format", "table", folder).AssertSucceeded().Out.Split('\n');
        Assert.StartsWith("ID ", table[0], StringComparison.Ordinal);
        Assert.Contains(table, row => row.EndsWith($"  {inVolume}/\\xffx", StringComparison.Ordinal)
            && row.Contains($"  {Subvolume.Info($"{folder}/{odd}").Uuid}  ", StringComparison.Ordinal));
    }

    [Fact]
    public void Goes_on_deleting_after_a_failure()
    {
        string folder = volume.Folder();
        Subvolume.Create(folder + "/a");
        Subvolume.Create(folder + "/b");
        Subvolume.Create(folder + "/b/c");
        Subvolume.Create(folder + "/d");
        Tools.Result result = Tools.Run("subvol-delete", folder + "/a", folder + "/none", folder + "/b", folder + "/d");
        Assert.Equal(2, result.Status);
        Assert.Equal(
            $"subvol-delete: {folder}/none: open: No such file or directory\n" +
            $"subvol-delete: {folder}/b: subvolume delete: holds other subvolumes, which go only when deleted recursively: c\n",
            result.Err);
        Assert.Equal(2, result.Out.Count(c => c == '\n'));
        Assert.Equal([folder + "/b"], Directory.GetFileSystemEntries(folder));
        Assert.Equal(2, Tools.Run("subvol-delete", "-r", folder + "/b").AssertSucceeded().Out.Count(c => c == '\n'));
    }

    [Fact]
    public void Sets_the_read_only_flag_and_the_default()
    {
        string path = volume.Folder() + "/a";
        Subvolume.Create(path);
        Assert.True(Json(Tools.Run("subvol-set", path, "--read-only", "true")).GetProperty("read_only").GetBoolean());
        Assert.False(Json(Tools.Run("subvol-set", path, "--read-only", "false")).GetProperty("read_only").GetBoolean());
        Assert.True(Json(Tools.Run("subvol-set", path, "--default")).GetProperty("default").GetBoolean());
        Subvolume.SetDefault(volume.Root);
    }

    [Fact]
    public void Makes_a_subvolume_with_a_limit_and_says_that_quotas_came_on()
    {
        using TempVolume own = TempVolume.OrSkip(1L << 30);
        Tools.Result made = Tools.Run("subvol-make", own / "a", "--quota", "1G").AssertSucceeded();
        Assert.Equal($"subvol-make: quotas were off on filesystem {Subvolume.FilesystemUuid(own.Path)}: full quotas are now on\n", made.Err);
        Assert.Equal("", Tools.Run("subvol-make", own / "b", "--quota", "16K").AssertSucceeded().Err);
        JsonElement quota = Json(Tools.Run("subvol-show", own / "a")).GetProperty("quota");
        Assert.Equal((16384UL, 1UL << 30), (quota.GetProperty("referenced").GetUInt64(), quota.GetProperty("max_referenced").GetUInt64()));
        Assert.False(Json(Tools.Run("subvol-set", own / "a", "--quota", "none")).GetProperty("quota").TryGetProperty("max_referenced", out _));
    }

    [Fact]
    public void Keeps_a_received_subvolume_as_it_was_received()
    {
        string folder = volume.Folder();
        Directories.MakeAll(folder + "/in");
        Subvolume.Create(folder + "/a");
        Subvolume.SetReadOnly(folder + "/a", true);
        Programs.Shell($"btrfs send -q {folder}/a | btrfs receive -q {folder}/in");
        Assert.Equal(Subvolume.Info(folder + "/a").Uuid, Subvolume.Info(folder + "/in/a").ReceivedUuid);
        Assert.Equal(
            $"subvol-set: {folder}/in/a: was received, and would no longer be what was sent: snapshot it instead, or use --force",
            Tools.Run("subvol-set", folder + "/in/a", "--read-only", "false").FirstErrorLine);
        Assert.False(Json(Tools.Run("subvol-set", folder + "/in/a", "--read-only", "false", "--force")).GetProperty("read_only").GetBoolean());
    }

    // Words in the expectation and the arguments that begin with "@" lie on the volume: @sub is a subvolume, @dir a folder, @ro read-only.
    [Theory]
    [InlineData("subvol-make: /nope: open: No such file or directory", "subvol-make", "/nope/x")]
    [InlineData("subvol-make: /proc/x: subvolume create: not on btrfs", "subvol-make", "/proc/x")]
    [InlineData("subvol-make: /: subvolume create: the path does not end in a name", "subvol-make", "/")]
    [InlineData("subvol-make: @dir/..: subvolume create: the path does not end in a name", "subvol-make", "@dir/..")]
    [InlineData("subvol-make: @sub: subvolume create: File exists", "subvol-make", "@sub")]
    [InlineData("subvol-make: @ro/x: subvolume create: read-only: the mount or the subvolume that holds it", "subvol-make", "@ro/x")]
    [InlineData("subvol-make: @dir/file: open: Not a directory", "subvol-make", "@dir/file/x")]
    [InlineData("subvol-snapshot: @dir: subvolume snapshot: a plain directory, not a subvolume", "subvol-snapshot", "@dir", "@dir/x")]
    [InlineData("subvol-snapshot: /proc: subvolume snapshot: not on btrfs", "subvol-snapshot", "/proc", "@dir/x")]
    [InlineData("subvol-snapshot: @sub: subvolume snapshot: File exists", "subvol-snapshot", "@ro", "@sub")]
    [InlineData("subvol-snapshot: /dev/shm/x: subvolume snapshot: not on btrfs", "subvol-snapshot", "@sub", "/dev/shm/x")]
    [InlineData("subvol-delete: @dir: subvolume delete: a plain directory, not a subvolume", "subvol-delete", "@dir")]
    [InlineData("subvol-delete: @link: open: Not a directory", "subvol-delete", "@link")]
    [InlineData("subvol-delete: @root: subvolume delete: mounted here: unmount it first", "subvol-delete", "@root")]
    [InlineData("subvol-delete: /proc/self: open: Not a directory", "subvol-delete", "/proc/self")]
    [InlineData("subvol-delete: /proc/fs: subvolume delete: not on btrfs", "subvol-delete", "/proc/fs")]
    [InlineData("subvol-delete: @ro/in: subvolume delete: read-only: the mount, the subvolume that holds it or, unless you are root, the subvolume itself", "subvol-delete", "@ro/in")]
    [InlineData("subvol-show: @dir: subvolume info: a plain directory, not a subvolume", "subvol-show", "@dir")]
    [InlineData("subvol-list: /proc: tree search: not on btrfs", "subvol-list", "/proc")]
    [InlineData("subvol-list: /nope: open: No such file or directory", "subvol-list", "/nope")]
    [InlineData("subvol-set: nothing to change: give --read-only, --default or --quota", "subvol-set", "@sub")]
    [InlineData("subvol-set: --quota: expected a size such as 4096, 500M or 100G, found '5X'", "subvol-set", "@sub", "--quota", "5X")]
    [InlineData("subvol-make: --quota: expected a size such as 4096, 500M or 100G, found '1.5G'", "subvol-make", "@dir/q", "--quota", "1.5G")]
    public void Says_why_it_failed(string error, params string[] args)
    {
        string folder = volume.Folder();
        Subvolume.Create(folder + "/sub");
        Subvolume.Create(folder + "/ro");
        Subvolume.Create(folder + "/ro/in");
        Subvolume.SetReadOnly(folder + "/ro", true);
        Programs.Shell($"mkdir {folder}/dir; touch {folder}/dir/file; ln -s sub {folder}/link");
        string Placed(string text) => text.Replace("@root", volume.Root, StringComparison.Ordinal).Replace("@", folder + "/", StringComparison.Ordinal);
        Tools.Result result = Tools.Run([.. args.Select(Placed)]);
        Assert.Equal((2, "", Placed(error)), (result.Status, result.Out, result.FirstErrorLine));
    }

    private static JsonElement Json(Tools.Result result)
    {
        string line = result.AssertSucceeded().Out;
        Assert.Equal((1, '\n'), (line.Count(c => c == '\n'), line[^1]));
        return JsonDocument.Parse(line).RootElement;
    }
}
