using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public sealed class TarballTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public TarballTests() => Programs.Shell($"""
        cd '{_folder.Path}'; mkdir -p t/d/e; echo 1 > t/d/f; ln t/d/f t/d/g; ln -s f t/d/l; mkfifo t/p; chmod 0700 t/d; chmod 4755 t/d/f; touch -d @5 t/d/e
        tar --sort=name --owner=web:12 --group=www:13 --mtime=@100 -cf a.tar -C t .
        gzip -k a.tar; zstd -q a.tar; xz -k a.tar; bzip2 -k a.tar
        tar -cf climbs.tar --transform 's,^t/d/f,../f,' -P t/d/f
        tar -cf meta.tar --transform 's,^t/d/f,.layerbox/f,' t/d/f
        head -c 700 a.tar > cut.tar; echo nothing > none.tar
        """);

    public void Dispose() => _folder.Dispose();

    private const string All = """
        ["(Dir)", {
          "d": ["(Dir m700 o12:13)", {
            "e": ["(Dir o12:13)", {}],
            "f": [["(File m4755 o12:13 d2)", 0]],
            "g": [["(File m4755 o12:13 d2)", 0]],
            "l": ["(Symlink o12:13 f)"]
          }],
          "p": ["(FIFO o12:13)"]
        }]
        """;

    [Theory]
    [InlineData("a.tar")]
    [InlineData("a.tar.gz")]
    [InlineData("a.tar.zst")]
    [InlineData("a.tar.xz")]
    [InlineData("a.tar.bz2")]
    public void Unpacks_whatever_it_is_compressed_with(string name) => Assert.Equal(All, Compile(name).Render());

    [Fact]
    public void Owners_can_all_be_made_root() =>
        Assert.Equal(All.Replace(" o12:13", "", StringComparison.Ordinal), Compile("a.tar", ""","force_root_ownership":true""").Render());

    [Fact]
    public void A_directory_that_is_there_keeps_mode_and_owner() =>
        Assert.Equal(All.Replace("m700 o12:13", "m301 o123:456", StringComparison.Ordinal), Compile("a.tar", parent: """{"item":"ensure_dirs","path":"/d","mode":"0301","user":123,"group":456}""").Render());

    [Fact]
    public void A_directory_that_this_layer_makes_otherwise_keeps_that() =>
        Assert.Equal("0711", InodeMode.Text(Compile("a.tar", also: """, {"item":"ensure_dirs","path":"/d","mode":"0711"}""").At("d").Mode));

    [Fact]
    public void A_directory_behind_a_link_of_the_parent_is_that_directory() =>
        Assert.Equal("/ /d /p /real /real/e /real/f /real/g /real/l",
            string.Join(' ', Compile("a.tar", parent: """{"item":"ensure_dirs","path":"/real"}, {"item":"symlink","link":"/d","target":"/real"}""").Walk().Select(e => e.Key)));

    [Theory]
    [InlineData("a.tar", """{"item":"ensure_dirs","path":"/d"}, {"item":"text","dest":"/d/f","text":"mine"}""", "tarball a.tar: /d/f exists already in the parent layer (file)")]
    [InlineData("a.tar", """{"item":"text","dest":"/d","text":"mine"}""", "tarball a.tar: /d is there, but is no directory")]
    [InlineData("climbs.tar", "", "*'../f'*")]
    [InlineData("meta.tar", "", "tarball meta.tar: /.layerbox/f is reserved for layerbox")]
    [InlineData("cut.tar", "", "tarball cut.tar: *")]
    [InlineData("none.tar", "", "tarball none.tar: *")]
    public void Refuses(string name, string parent, string error)
    {
        string message = Assert.ThrowsAny<LayerException>(() => Compile(name, parent: parent)).Message;
        Assert.True(System.Text.RegularExpressions.Regex.IsMatch(message, "^" + System.Text.RegularExpressions.Regex.Escape($"{_folder.Path}/t.layer.json: features[0]: {error}").Replace("\\*", ".*", StringComparison.Ordinal) + "$"), message);
    }

    [Fact]
    public void A_pin_is_held()
    {
        string digest = Programs.Run("sha256sum", _folder / "a.tar")[..64];
        Compile("a.tar", $$""","sha256":"{{digest}}" """);
        Assert.EndsWith($"features[0]: tarball a.tar: its digest is sha256:{digest}, not sha256:{new string('0', 64)}",
            Assert.ThrowsAny<LayerException>(() => Compile("a.tar", $$""","sha256":"{{new string('0', 64)}}" """)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cp --remove-destination gzip.tar a.tar")]
    [InlineData("cat none.tar > a.tar")]
    public void An_archive_that_changes_after_its_digest_was_taken_is_refused(string change)
    {
        LayerSpec spec = LayerSpec.Parse("""{"name":"t","features":[{"item":"tarball","source":"a.tar","into":"/"}]}"""u8.ToArray(), _folder / "t.layer.json");
        Assert.Contains("sha256:", spec.Items[0].Text, StringComparison.Ordinal);
        Programs.Shell($"cd '{_folder.Path}'; tar -cf gzip.tar a.tar.gz; {change}");
        Assert.Equal($"{_folder.Path}/t.layer.json: features[0]: tarball a.tar: the archive changed while it was being read",
            Assert.Throws<LayerException>(() => FeaturePhase.Apply(new LayerDraft(new Tree(), default, new MemoryContentStore()), spec.Items)).Message);
    }

    [Fact]
    public void An_archive_that_is_a_fifo_is_refused_and_not_waited_for() =>
        Assert.EndsWith("t/p: no regular file", Assert.ThrowsAny<IOException>(() => Compile("t/p")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_missing_archive_is_named() =>
        Assert.Contains("no.tar: ", Assert.ThrowsAny<IOException>(() => Compile("no.tar")).Message, StringComparison.Ordinal);

    private Tree Compile(string name, string more = "", string parent = "", string also = "") =>
        Draft.Compile($$"""{"item":"tarball","source":"{{name}}","into":"/"{{more}}}{{also}}""", Draft.Compile(parent), _folder.Path);
}
