using Layerbox.FileTree;
using Layerbox.Layer;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Layer;

/// <summary>What a command sees of its inputs is what their digests cover, and nothing else of the host.</summary>
public sealed class RunInputTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public RunInputTests() => Directory.CreateDirectory(_folder / "copies");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Modes_owners_times_and_attributes_of_the_host_are_not_seen()
    {
        Privileged.OrSkip();
        Programs.Shell($"""
            cd '{_folder.Path}'; mkdir -p d/sub; echo 1 > d/data; echo 2 > d/sub/prog; ln d/data d/twin; ln -s /etc/passwd d/link
            chmod 0600 d/data; chmod 6711 d/sub/prog; chmod 1777 d/sub; chown 12:13 d d/data; touch -d @99 d/data; setfattr -n user.x -v y d/data
            echo 3 > file; chmod 0606 file
            """);
        Item("""{"d":"d","file":"file"}""").CopyInputs(_folder / "copies", new Timestamp(7));
        Tree copies = RootfsReader.Read(_folder / "copies");
        Assert.Equal(
            """
            ["(Dir t1970-01-01T00:00:07Z)", {
              "d": ["(Dir t1970-01-01T00:00:07Z)", {
                "data": ["(File m444 t1970-01-01T00:00:07Z d2)"],
                "link": ["(Symlink t1970-01-01T00:00:07Z /etc/passwd)"],
                "sub": ["(Dir t1970-01-01T00:00:07Z)", {
                  "prog": ["(File m555 t1970-01-01T00:00:07Z d2)"]
                }],
                "twin": ["(File m444 t1970-01-01T00:00:07Z d2)"]
              }],
              "file": ["(File m444 t1970-01-01T00:00:07Z d2)"]
            }]
            """, copies.Render());
    }

    [Theory]
    [InlineData("link", "'link' is, or holds, a symlink; files and folders of files can be used")]
    [InlineData("pipe", "'pipe' is, or holds, a fifo; files and folders of files can be used")]
    [InlineData("holds", "'holds' is, or holds, a fifo; files and folders of files can be used")]
    public void Only_files_and_folders_of_files_can_be_used(string source, string error)
    {
        Programs.Shell($"cd '{_folder.Path}'; mkdir holds; mkfifo pipe holds/pipe; echo 1 > file; ln -s file link");
        Assert.Equal(error, Assert.Throws<InvalidDataException>(() => Item($$"""{"in":"{{source}}"}""").CopyInputs(_folder / "copies", default)).Message);
    }

    [Fact]
    public void A_link_that_leads_elsewhere_is_another_input()
    {
        Programs.Shell($"cd '{_folder.Path}'; ln -s a one; ln -s b two");
        Assert.NotEqual(Item("""{"in":"one"}""").Text, Item("""{"in":"two"}""").Text);
    }

    [Fact]
    public void What_changes_after_its_digest_was_taken_is_refused()
    {
        File.WriteAllText(_folder / "file", "one");
        RunItem run = Item("""{"in":"file"}""");
        Assert.Contains("sha256:", run.Text, StringComparison.Ordinal);
        File.WriteAllText(_folder / "file", "two");
        Assert.EndsWith("file: changed while it was being read", Assert.Throws<InvalidDataException>(() => run.CopyInputs(_folder / "copies", default)).Message, StringComparison.Ordinal);
    }

    private RunItem Item(string inputs) => (RunItem)LayerSpec.Parse(
        System.Text.Encoding.UTF8.GetBytes($$"""{"name":"t","features":[{"item":"run","command":["/bin/true"],"inputs":{{inputs}}}]}"""), _folder / "t.layer.json").Items[0];
}
