using System.Text;
using Layerbox.Cmd;
using Layerbox.Cmd.Sendstream;
using Layerbox.Compression;
using Layerbox.Posix;

namespace Layerbox.Tests.Cmd;

public class StreamInputTests
{
    private static Streams Io(byte[] input, bool isTerminal = false) => new(new MemoryStream(input), Stream.Null, TextWriter.Null) { InIsTerminal = isTerminal };

    private static string ReadAll(StreamInput input)
    {
        using StreamReader reader = new(input.Bytes, Encoding.Latin1, detectEncodingFromByteOrderMarks: false);
        return reader.ReadToEnd();
    }

    [Theory]
    [InlineData("cat", CompressionKind.None)]
    [InlineData("gzip", CompressionKind.Gzip)]
    [InlineData("zstd -q", CompressionKind.Zstd)]
    [InlineData("xz", CompressionKind.Xz)]
    [InlineData("bzip2", CompressionKind.Bzip2)]
    public void Sees_how_the_input_is_compressed(string compressor, object kind)
    {
        using TempFolder folder = new();
        Programs.Shell($"seq 1000 | {compressor} > {folder / "in"}");
        using StreamInput file = StreamInput.Open(folder / "in", Io([]));
        Assert.Equal((folder / "in", kind, kind is CompressionKind.None), (file.Name, file.Compression, file.PlainFile is not null));
        using StreamInput standard = StreamInput.Open("-", Io(File.ReadAllBytes(folder / "in")));
        Assert.Equal(("standard input", kind, false), (standard.Name, standard.Compression, standard.PlainFile is not null));
        string expected = string.Concat(Enumerable.Range(1, 1000).Select(i => $"{i}\n"));
        Assert.Equal((expected, expected), (ReadAll(file), ReadAll(standard)));
    }

    [Fact]
    public void A_pipe_is_no_plain_file_nor_is_one_of_which_others_have_read()
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "in", "abc");
        using FdStream begun = new(Files.Open(folder / "in", OpenFlags.ReadOnly), "standard input");
        Streams io = new(begun, Stream.Null, TextWriter.Null);
        using (StreamInput fresh = StreamInput.Open("-", io))
            Assert.NotNull(fresh.PlainFile);
        using StreamInput rest = StreamInput.Open("-", io);
        Assert.Null(rest.PlainFile);
        using StreamInput none = StreamInput.Open("/dev/null", io);
        Assert.Equal((null, ""), (none.PlainFile, ReadAll(none)));
    }

    [Fact]
    public void A_terminal_is_refused() =>
        Assert.Equal("standard input is a terminal: name a file, or pipe something in", Assert.Throws<UsageException>(() => StreamInput.Open("-", Io([], isTerminal: true))).Message);

    [Fact]
    public void Errors_begin_with_the_name_of_the_input()
    {
        using TempFolder folder = new();
        Assert.Equal($"{folder / "none"}: open: No such file or directory", Assert.Throws<PosixException>(() => StreamInput.Open(folder / "none", Io([]))).Message);
        Assert.Equal($"{folder.Path}: read: Is a directory", Assert.Throws<PosixException>(() => StreamInput.Open(folder.Path, Io([]))).Message);
        using StreamInput input = StreamInput.Open("-", Io([0x1f, 0x8b, 8, 0, 0]));
        Assert.Equal("standard input: gzip: offset 5: the input ends too early", Assert.Throws<InvalidDataException>(() => input.Read(() => ReadAll(input))).Message);
    }
}
