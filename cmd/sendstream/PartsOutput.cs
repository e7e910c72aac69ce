using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Layerbox.Posix;

namespace Layerbox.Cmd.Sendstream;

/// <summary>
/// Bytes that go into several files of limited size, PREFIX.00001 and so on, and a list of them, PREFIX.parts, which appears when all
/// is well. What is written at once stays together, so parts of a send-stream end between commands.
/// </summary>
internal sealed partial class PartsOutput(string prefix, long size) : Stream
{
    /// <summary>Room for what is written at once, unless a single command is larger than the kernel makes them.</summary>
    public const long LeastSize = 4 << 20;

    private readonly List<StreamPart> _parts = [];
    private readonly IncrementalHash _digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash _wholeDigest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly OutputFile _list = OutputFile.Create(ListOf(prefix), replace: false); // before anything else: whether there is one is known at once
    private OutputFile? _file;
    private long _offset; // of the current part
    private long _length;
    private bool _isComplete;

    public static string ListOf(string prefix) => prefix + ".parts";

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <exception cref="IOException">The bytes do not fit into a part.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > size)
            throw new IOException($"{prefix}: {buffer.Length} bytes of commands belong together, a part holds {size}");
        if (_length + buffer.Length > size)
            EndPart();
        _file ??= OutputFile.Create(NameOf(_parts.Count + 1), replace: false);
        _file.Stream.Write(buffer);
        _digest.AppendData(buffer);
        _wholeDigest.AppendData(buffer);
        _length += buffer.Length;
    }

    /// <summary>Puts the last part and the list in place.</summary>
    public void Complete()
    {
        EndPart();
        foreach (StreamPart part in _parts)
            WriteLine(_list.Stream, part);
        WriteLine(_list.Stream, new StreamPart(null, null, null, null, _parts.Sum(part => part.Size), Digest(_wholeDigest), _parts.Count));
        _list.Commit();
        _isComplete = true;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    public override void Flush() { }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file?.Dispose();
            _list.Dispose();
            _digest.Dispose();
            _wholeDigest.Dispose();
            for (int i = 1; i <= _parts.Count && !_isComplete; i++)
                Files.Remove(NameOf(i));
        }
        base.Dispose(disposing);
    }

    private string NameOf(int part) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{prefix}.{part:d5}");

    private void EndPart()
    {
        if (_file is null)
            return;
        _file.Commit();
        (string? path, string? bytes) = PathJson.Split(System.IO.Path.GetFileName(NameOf(_parts.Count + 1)));
        _parts.Add(new StreamPart(_parts.Count + 1, path, bytes, _offset, _length, Digest(_digest), null));
        _offset += _length;
        _length = 0;
        _file.Dispose();
        _file = null;
    }

    private static string Digest(IncrementalHash hash) => "sha256:" + Convert.ToHexStringLower(hash.GetHashAndReset());

    private static void WriteLine(Stream output, StreamPart part)
    {
        JsonSerializer.Serialize(output, part, PartsJson.Default.StreamPart);
        output.WriteByte((byte)'\n');
    }

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
    [JsonSerializable(typeof(StreamPart))]
    internal sealed partial class PartsJson : JsonSerializerContext;
}

/// <summary>A line of a list of parts: a part, whose path is that from the list's folder, or at the end all of them together.</summary>
internal sealed record StreamPart(int? Part, string? Path, string? PathB64, long? Offset, long Size, string Digest, int? Parts);
