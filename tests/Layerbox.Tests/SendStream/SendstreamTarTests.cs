using Layerbox.Archive;
using Layerbox.Cmd;
using Layerbox.Compression;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Tests.Archive;
using Layerbox.Tests.Rootfs;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.SendStream;

/// <summary>sendstream-tar, from the outside.</summary>
public sealed class SendstreamTarTests : IDisposable
{
    private readonly StreamFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void Writes_the_last_subvolume_or_the_one_that_is_named()
    {
        byte[] chain = [.. File.ReadAllBytes(_files / "full"), .. File.ReadAllBytes(_files / "changes")];
        Tree full = StreamFiles.State(StreamFiles.Full), changed = StreamFiles.State(StreamFiles.Full, StreamFiles.Changes);
        AssertTar(full, Tools.Run("sendstream-tar", _files / "full"));
        AssertTar(full, Tools.RunWithInput(Zstd(File.ReadAllBytes(_files / "full")), "sendstream-tar"));
        AssertTar(changed, Tools.Run("sendstream-tar", _files / "full", _files / "changes"));
        AssertTar(changed, Tools.RunWithInput(chain, "sendstream-tar", "-"));
        AssertTar(changed, Tools.RunWithInput(File.ReadAllBytes(_files / "changes"), "sendstream-tar", _files / "full", "-"));
        AssertTar(full, Tools.RunWithInput(chain, "sendstream-tar", "--subvolume", "vol"));
        AssertTar(full, Tools.RunWithInput(chain, "sendstream-tar", "--subvolume", StreamScript.Uuid("11").ToString()));
        Tools.RunWithInput(chain, "sendstream-tar", "--output", _files / "out/a.tar").AssertSucceeded();
        Assert.Equal(Tools.RunWithInput(chain, "sendstream-tar").Bytes, File.ReadAllBytes(_files / "out/a.tar"));
    }

    [Fact]
    public void Changes_are_a_layer_upon_the_parent()
    {
        Tree full = StreamFiles.State(StreamFiles.Full), changed = StreamFiles.State(StreamFiles.Full, StreamFiles.Changes);
        byte[] layer = Tools.Run("sendstream-tar", "--changes", _files / "full", _files / "changes").AssertSucceeded().Bytes;
        TreeLines.AssertEqual(changed, LayerApplier.Apply(full, layer));
    }

    [Fact]
    public void Real_tar_unpacks_what_the_stream_describes()
    {
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "a.tar", Tools.Run("sendstream-tar", _files / "full", _files / "changes").Bytes);
        Directory.CreateDirectory(folder / "x");
        Programs.Run("tar", "--xattrs", "--xattrs-include=*", "--no-same-owner", "-xpf", folder / "a.tar", "-C", folder / "x");
        Tree unpacked = Layerbox.Rootfs.RootfsReader.Read(folder / "x");
        foreach ((_, Inode inode) in unpacked.Walk())
            (inode.Uid, inode.Gid) = (0, 0);
        TreeLines.AssertEqual(StreamFiles.State(StreamFiles.Full, StreamFiles.Changes), unpacked);
    }

    // Into a pipe the kernel moves the bytes of large files itself.
    [Theory]
    [InlineData("write f 0 a*60000,b*65000; write f 125000 c*120000,d*120000")]
    [InlineData("write f 300000 x*300000; truncate f 1000001; mkfile g; write g 0 y*40")]
    [InlineData("write f 0 a*300000; mkfile g; clone g 5000 200000 f 100000; write g 300000 z*100000")]
    public void Into_a_pipe_it_is_the_same_archive(string script)
    {
        string file = _files.Make("large", $"subvol vol; mkfile f; {script}; end");
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using FdStream source = new(read, "pipe");
        using MemoryStream piped = new();
        Thread reader = new(() => source.CopyTo(piped));
        reader.Start();
        using (FdStream sink = new(write, "pipe"))
        using (BufferedStream output = new(sink))
            Assert.Equal(0, Dispatcher.Run(Dispatcher.Self, ["sendstream-tar", file], new Streams(Stream.Null, output, TextWriter.Null)));
        reader.Join();
        Assert.Equal(Tools.Run("sendstream-tar", file).AssertSucceeded().Bytes, piped.ToArray());
    }

    [Theory]
    [InlineData("mksock s", "/s: a tar archive cannot hold a socket: --skip-sockets leaves them out", "")]
    [InlineData("mkfile a; write b 0 x", "FULL: offset 93: command 3 (write): 'b': no such file", "")]
    [InlineData("", "'vol' is no incremental stream's: it has no parent that it could differ from: leave --changes out for all of it", "--changes")]
    [InlineData("", "nope: the input describes no such subvolume, only vol", "--subvolume nope")]
    public void Says_what_is_wrong(string script, string error, string options)
    {
        string file = _files.Make("bad", $"subvol vol; {script}; end");
        Tools.Result result = Tools.Run(["sendstream-tar", .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries), file, "--output", _files / "out/tar"]);
        Assert.Equal((2, $"sendstream-tar: {error.Replace("FULL", file, StringComparison.Ordinal)}"), (result.Status, result.FirstErrorLine));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_files / "out"));
    }

    [Fact]
    public void Sockets_can_be_left_out()
    {
        string file = _files.Make("sock", "subvol vol; mksock s; mkfile a; end");
        Assert.Equal(["/", "/a"], TarReader.Read(new MemoryStream(Tools.Run("sendstream-tar", "--skip-sockets", file).Bytes), new MemoryContentStore()).Select(entry => entry.Path.ToString()));
    }

    private static void AssertTar(Tree expected, Tools.Result result) =>
        TreeLines.AssertEqual(expected, TarTree.Read(new MemoryStream(result.AssertSucceeded().Bytes), new MemoryContentStore()));

    private static byte[] Zstd(byte[] bytes)
    {
        using MemoryStream output = new();
        using (Stream compressed = Compressed.OpenWrite(output, CompressionKind.Zstd, leaveOpen: true))
            compressed.Write(bytes);
        return output.ToArray();
    }
}
