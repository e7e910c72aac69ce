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
    private readonly Reading _reading;
    private readonly Action<long> _report;
    private FileWindow? _window;
    private MappedStreams? _mapping;
    private SendStreamReader? _reader;

    private StreamInput(string name, Stream bytes, CompressionKind compression, SafeFileHandle? plainFile, Reading reading, Action<long> report) =>
        (Name, Bytes, Compression, PlainFile, _reading, _report) = (name, bytes, compression, plainFile, reading, report);

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

    /// <param name="file">A path, or - for standard input.</param>
    /// <param name="io">Where standard input comes from.</param>
    /// <param name="reading">How it is read.</param>
    /// <exception cref="PosixException">It cannot be opened or read.</exception>
    /// <exception cref="UsageException">It is a terminal.</exception>
    public static StreamInput Open(string file, Streams io, Reading? reading = null)
    {
        reading ??= new Reading();
        Stream raw = InputFile.Open(file, io);
        // Asked before anything is read: standard input may have been read in part by somebody else.
        SafeFileHandle? plain = raw is FdStream { Handle: var handle } && Files.Status(handle).IsRegular && Files.Position(handle) == 0 ? handle : null;
        bool isBorrowed = file == InputFile.StandardInput;
        try
        {
            Action<long> report = reading.Progress?.Counter(reading.Verb, plain is null ? null : Files.Status(plain).Size) ?? (_ => { });
            // What is counted is what lies on the disk: how much a compressed file holds nobody knows before its end.
            Stream counted = reading.Progress is null ? raw : new CountedStream(raw, report, isBorrowed);
            Stream bytes = Decompression.Open(counted, out CompressionKind kind, leaveOpen: isBorrowed);
            return new StreamInput(InputFile.NameOf(file), bytes, kind, kind == CompressionKind.None ? plain : null, reading, report);
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
            throw _reading.Error(Name, e);
        }
    }

    /// <summary>A reader of the streams. It is good as long as this is.</summary>
    /// <exception cref="UsageException">It is to be mapped, and cannot be.</exception>
    public SendStreamReader NewReader()
    {
        if (!_reading.IsMapped)
            return _reader = new SendStreamReader(Bytes, _reading.Limits);
        if (PlainFile is null)
            throw new UsageException($"{Name}: {(Compression == CompressionKind.None ? "no regular file" : "compressed")}, which cannot be mapped: leave --mapped and --threads out");
        FileWindow window = _window = new FileWindow(PlainFile, Name);
        _mapping = new MappedStreams(Show, Files.Status(PlainFile).Size, _reading.Threads);
        return _reader = new SendStreamReader(_mapping, _reading.Limits);

        ReadOnlyMemory<byte> Show(long offset, int length)
        {
            _report(offset);
            return window.Show(offset, length);
        }
    }

    public void Dispose()
    {
        _reader?.Dispose();
        _mapping?.Dispose();
        ((IDisposable?)_window)?.Dispose();
        Bytes.Dispose();
    }

    /// <summary>Tells how much was read through it.</summary>
    private sealed class CountedStream(Stream inner, Action<long> report, bool leaveOpen) : ReadOnlyStream
    {
        private long _count;

        public override int Read(Span<byte> buffer)
        {
            int count = inner.Read(buffer);
            report(_count += count);
            return count;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing && !leaveOpen)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
