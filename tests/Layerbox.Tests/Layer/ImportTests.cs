using Layerbox.FileTree;
using Layerbox.Tests.Btrfs;

namespace Layerbox.Tests.Layer;

public sealed class ImportTests(SharedVolume shared) : DiskTest(shared), IClassFixture<SharedVolume>
{
    [Fact]
    public void An_image_shows_nothing_of_this_machine_unless_that_is_allowed()
    {
        Shell("""mkdir -p t/.layerbox t/h; echo '[{"mountpoint":"h","type":"host","source":"/etc","is_directory":true}]' > t/.layerbox/mounts.json; tar -C t -cf t.tar .""");
        Assert.Equal($"layer-import: {File("t.tar")}: /h is to show /etc of the host; allow it with --allow-host-mount if that is meant", TryImport("t.tar").FirstErrorLine);
        string[] import = [File("t.tar"), "--sha256", Programs.Run("sha256sum", File("t.tar"))[..64]];
        Run("layer-import", [.. import, "--allow-host-mount", "/etc"]).AssertSucceeded();
        Assert.Equal(2, Run("layer-import", import).Status);
        Assert.Equal(2, Run("layer-import", [.. import, "--allow-host-mount", "/"]).Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("| gzip")]
    public void Nothing_is_no_archive(string through)
    {
        Shell($": {through} > t.tar");
        Assert.Equal($"layer-import: {File("t.tar")}: empty: neither an archive nor a send-stream", TryImport("t.tar").FirstErrorLine);
    }

    [Fact]
    public void An_archive_is_imported_as_it_is_once()
    {
        Shell("mkdir -p t/d; echo 1 > t/d/f; ln t/d/f t/g; chmod 6711 t/d/f; tar --owner=3 --group=4 --mtime=@7 -C t -czf t.tar.gz .");
        Built built = Import("t.tar.gz").AssertDiskIsAsModelled();
        Assert.Equal(
            """
            ["(Dir o3:4 t1970-01-01T00:00:07Z)", {
              "d": ["(Dir o3:4 t1970-01-01T00:00:07Z)", {
                "f": [["(File m6711 o3:4 t1970-01-01T00:00:07Z d2)", 0]]
              }],
              "g": [["(File m6711 o3:4 t1970-01-01T00:00:07Z d2)", 0]]
            }]
            """, TreeText.Render(built.Disk));
        Assert.Equal(built.Handle, Import("t.tar.gz").Handle);
    }

    [Theory]
    [InlineData("a.tar", "..")]
    [InlineData("a.tar", "")]
    [InlineData("a.tar", "a/b")]
    [InlineData(".tar", null)]
    public void Layers_have_names_that_files_can_have(string file, string? name)
    {
        Tools.Result result = Run("layer-import", [File(file), "--sha256", new string('0', 64), .. name is null ? Array.Empty<string>() : ["--name", name]]);
        Assert.Equal((2, $"layer-import: {(name is null ? "give --name" : "--name")}: '{name}' is no name for a layer: {Layerbox.Layer.LayerName.Rule}"), (result.Status, result.FirstErrorLine));
    }

    /// <summary>antlir's case 17: what the kernel sends of a layer is the layer again.</summary>
    [Fact]
    public void A_layer_that_was_sent_is_the_same_when_it_is_imported()
    {
        Shell("head -c 20000 /dev/urandom > f; touch -h -d @5 f");
        Built built = Compile("a", """{"item":"install","source":"f","dest":"/f","xattrs":{"user.a":"1"}}, {"item":"hardlink","link":"/g","target":"/f"}, {"item":"mknod","path":"/p","type":"fifo"}, {"item":"config","env":{"A":"1"}}""");
        Programs.Run("btrfs", "send", "-q", "-f", File("a.sendstream"), built.Path);
        Shell("zstd -q a.sendstream");
        Assert.Equal(built.Handle.Digest, Import("a.sendstream.zst").AssertDiskIsAsModelled().Handle.Digest);
    }

    [Theory]
    [InlineData("echo x > .layerbox/other", "/.layerbox/other: unknown; this folder is reserved for layerbox")]
    [InlineData("printf '{}' > .layerbox/config.json", "/.layerbox/config.json: the newline at the end is missing")]
    [InlineData("truncate -s 20M .layerbox/config.json", "/.layerbox/config.json: 20971520 bytes are too many; at most 16777216 make sense")]
    [InlineData("mkfifo .layerbox/mounts.json", "/.layerbox/mounts.json: a regular file is expected")]
    public void Records_that_no_child_could_read_are_refused(string script, string error)
    {
        Shell($"mkdir -p t/.layerbox; cd t; {script}; tar -cf ../t.tar .");
        Tools.Result result = TryImport("t.tar");
        Assert.Equal((2, $"layer-import: {File("t.tar")}: {error}"), (result.Status, result.FirstErrorLine));
        Assert.Empty(Leftovers);
    }

    [Theory]
    [InlineData("echo other > t.tar", "its digest is sha256:")]
    [InlineData("head -c 3000 t.tar > cut; mv cut t.tar", "its digest is sha256:")]
    public void A_pin_is_held_and_named_before_any_other_fault(string script, string error)
    {
        Shell("head -c 9000 /dev/urandom > f; tar -cf t.tar f");
        string pin = Shell("sha256sum < t.tar")[..64];
        Shell(script);
        Assert.StartsWith($"layer-import: {File("t.tar")}: {error}", Run("layer-import", File("t.tar"), "--sha256", pin).FirstErrorLine, StringComparison.Ordinal);
        Assert.Empty(Leftovers);
    }

    private Tools.Result TryImport(string name) => Run("layer-import", File(name), "--sha256", Shell($"sha256sum < {name}")[..64], "--output", File($"{name}.layer"));

    private Built Import(string name) => BuiltOf(TryImport(name).AssertSucceeded().Bytes);
}
