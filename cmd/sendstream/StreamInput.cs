using System.CommandLine;
using Layerbox.Compression;
using Layerbox.Posix;
using Layerbox.SendStream;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Sendstream;

/// <summary>
/// The send-streams that a tool is to read: a file or standard input, plain or compressed with gzip, zstd, xz or bzip2, which is seen from
/// the first bytes. Pipes will do.
/// </summary>
internal sealed class StreamInput : IDisposable
{
    private FileWindow? _window;
    private MappedStreams? _mapping;

    private StreamInput(string name, Stream bytes, CompressionKind compression, SafeFileHandle? plainFile) =>
        (Name, Bytes, Compression, PlainFile) = (name, bytes, compression, plainFile);

    /// <summary>What messages call it: the path, or "standard input".</summary>
    public string Name { get; }

    /// <summary>The streams, decompressed, read forwards.</summary>
    public Stream Bytes { get; }

    public CompressionKind Compression { get; }

    /// <summary>
    /// The file itself, when its bytes are the streams: regular, not compressed, read from its beginning. It may then be read
    /// at any offset, or mapped. Null for anything else.
    /// </summary>
    public SafeFileHandle? PlainFile { get; }

    /// <summary>The operand of a tool that reads one; its value is for <see cref="Open"/>.</summary>
    public static Argument<string> Argument() => new("FILE")
    {
        Description = "Send-streams, plain or compressed with gzip, zstd, xz or bzip2; - for standard input.",
        DefaultValueFactory = _ => InputFile.StandardInput,
    };

    /// <exception cref="PosixException">It cannot be opened or read.</exception>
    /// <exception cref="UsageException">It is a terminal.</exception>
    public static StreamInput Open(string file, Streams io)
    {
        Stream raw = InputFile.Open(file, io);
        // Asked before anything is read: standard input may have been read in part by somebody else.
        SafeFileHandle? plain = raw is FdStream { Handle: var handle } && Files.Status(handle).IsRegular && Files.Position(handle) == 0 ? handle : null;
        bool isBorrowed = file == InputFile.StandardInput;
        try
        {
            Stream bytes = Decompression.Open(raw, out CompressionKind kind, leaveOpen: isBorrowed);
            return new StreamInput(InputFile.NameOf(file), bytes, kind, kind == CompressionKind.None ? plain : null);
        }
        catch
        {
            if (!isBorrowed)
                raw.Dispose();
            throw;
        }
    }

    /// <summary>Does what reads this input; what is wrong with the streams is told with the input's name before it.</summary>
    /// <exception cref="InvalidDataException">The streams are malformed: input, offset, command and reason.</exception>
    public T Read<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is SendStreamException or InvalidDataException)
        {
            throw new InvalidDataException($"{Name}: {e.Message}", e);
        }
    }

    /// <summary>A reader of the streams. It is good as long as this is.</summary>
    /// <param name="limits">What it puts up with.</param>
    /// <param name="mapped">Whether the file is mapped; that must be possible.</param>
    /// <param name="threads">How many threads check CRCs; more than one need a mapped file.</param>
    /// <exception cref="UsageException">It cannot be mapped.</exception>
    public SendStreamReader NewReader(SendStreamLimits limits, bool mapped, int threads)
    {
        if (!mapped && threads == 1)
            return new SendStreamReader(Bytes, limits);
        if (PlainFile is null)
            throw new UsageException($"{Name}: {(Compression == CompressionKind.None ? "no regular file" : "compressed")}, which cannot be mapped: leave --mapped and --threads out");
        _window = new FileWindow(PlainFile, Name);
        _mapping = new MappedStreams(_window.Show, Files.Status(PlainFile).Size, threads);
        return new SendStreamReader(_mapping, limits);
    }

    public void Dispose()
    {
        _mapping?.Dispose();
        ((IDisposable?)_window)?.Dispose();
        Bytes.Dispose();
    }
}
