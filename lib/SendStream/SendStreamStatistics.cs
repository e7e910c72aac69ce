using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.SendStream;

/// <summary>
/// Counts what is in send streams and says it as one JSON object: docs/sendstream-json.md. The memory for it does not grow with the streams.
/// </summary>
/// <param name="output">Takes the object.</param>
/// <param name="depth">How many components of paths are told apart, at least 1.</param>
/// <param name="top">How many paths are said.</param>
public sealed class SendStreamStatistics(Stream output, int depth, int top) : CommandWriter
{
    /// <summary>More streams and subvolumes than this are counted only.</summary>
    private const int MaxListed = 1000;

    /// <summary>Once there are so many, further numbers that do not exist are not counted.</summary>
    private const int MaxCompressions = 16;

    private static readonly string[] s_compressions = ["none", "zlib", "zstd", "lzo_4k", "lzo_8k", "lzo_16k", "lzo_32k", "lzo_64k"];

    private readonly Count[] _byCommand = new Count[SendStreamFormat.CommandCount];
    private readonly SortedDictionary<uint, Encoded> _byCompression = [];
    private readonly List<StreamEntry> _streams = [];
    private readonly PathStatistics _paths = new(depth);
    private readonly LargestPaths _largest = new(top);
    private StreamEntry _stream = new(0, 0);
    private long _streamCount, _subvolumeCount;
    private Timestamp? _oldest, _newest;

    protected override void BeginStream(uint version, long offset)
    {
        _stream = new StreamEntry(offset, version);
        if (++_streamCount <= MaxListed)
            _streams.Add(_stream);
    }

    protected override void Write(SendCommand command)
    {
        long bytes = SendStreamFormat.CommandHeaderLength + command.PayloadLength;
        ulong fileBytes = 0, clonedBytes = 0;
        K kind = SendStreamFormat.IsKnown(command.Kind) ? command.Kind : K.Unspecified;
        switch (kind)
        {
            case K.Subvol or K.Snapshot when ++_subvolumeCount <= MaxListed: _stream.Subvolumes.Add(Subvolume.Of(command)); break;
            case K.Write: fileBytes = (ulong)command.Bytes(A.Data).Length; break;
            case K.UpdateExtent: fileBytes = command.UInt64(A.Size); break;
            case K.Clone: clonedBytes = command.UInt64(A.CloneLength); break;
            case K.EncodedWrite:
                fileBytes = command.UInt64(A.UnencodedFileLength);
                CountEncoded(command);
                break;
            case K.Utimes:
                Timestamp time = command.Time(A.Mtime);
                _oldest = _oldest is { } oldest && oldest.CompareTo(time) <= 0 ? oldest : time;
                _newest = _newest is { } newest && newest.CompareTo(time) >= 0 ? newest : time;
                break;
        }
        _byCommand[(int)kind].Add(bytes, fileBytes, clonedBytes);
        _stream.Count.Add(bytes, fileBytes, clonedBytes);
        if (kind is K.Subvol or K.Snapshot || !command.Has(A.Path))
            return;
        _paths.Add(command.Bytes(A.Path), bytes, fileBytes, clonedBytes);
        if (fileBytes > 0)
            _largest.Add(command.Bytes(A.Path), fileBytes);
    }

    protected override void Flush() { }

    protected override void End(long length)
    {
        using Utf8JsonWriter json = new(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteNumber("bytes"u8, length);
        json.WriteNumber("commands"u8, _byCommand.Sum(c => c.Commands));
        json.WriteNumber("stream_count"u8, _streamCount);
        json.WriteStartArray("streams"u8);
        foreach (StreamEntry stream in _streams)
            stream.Write(json);
        json.WriteEndArray();
        WriteCommands(json);
        WriteCompressions(json);
        if (_oldest is { } oldest && _newest is { } newest)
        {
            WriteTime(json, "oldest_mtime", oldest);
            WriteTime(json, "newest_mtime", newest);
        }
        json.WriteStartArray("paths"u8);
        foreach (PathStatistics.Entry entry in _paths.Largest(top))
        {
            json.WriteStartObject();
            if (entry.Path is { } path)
                WriteText(json, "path", path);
            else
                json.WriteBoolean(entry.Label!, true);
            entry.Count.Write(json);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("largest"u8);
        foreach ((byte[] largest, ulong bytes) in _largest.Sorted())
        {
            json.WriteStartObject();
            WriteText(json, "path", largest);
            json.WriteNumber("file_bytes"u8, bytes);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        output.Write("\n"u8);
    }

    private void CountEncoded(SendCommand command)
    {
        uint compression = command.Has(A.Compression) ? command.UInt32(A.Compression) : 0;
        if (!_byCompression.TryGetValue(compression, out Encoded? encoded))
        {
            if (!EncodedData.IsKnown(compression) && _byCompression.Count >= MaxCompressions)
                return;
            _byCompression.Add(compression, encoded = new Encoded());
        }
        encoded.Commands++;
        encoded.EncodedBytes += (ulong)command.Bytes(A.Data).Length;
        encoded.DecodedBytes += command.UInt64(A.UnencodedLength);
        encoded.FileBytes += command.UInt64(A.UnencodedFileLength);
    }

    private void WriteCommands(Utf8JsonWriter json)
    {
        json.WriteStartObject("by_command"u8);
        for (int kind = 0; kind < _byCommand.Length; kind++)
        {
            if (_byCommand[kind].Commands == 0)
                continue;
            json.WriteStartObject(kind == 0 ? "unknown" : SendStreamFormat.NameOf((K)kind));
            _byCommand[kind].Write(json);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private void WriteCompressions(Utf8JsonWriter json)
    {
        json.WriteStartArray("encoded_writes"u8);
        foreach ((uint compression, Encoded encoded) in _byCompression)
        {
            json.WriteStartObject();
            json.WriteString("compression"u8, compression < s_compressions.Length ? s_compressions[compression] : $"unknown_{compression}");
            json.WriteNumber("commands"u8, encoded.Commands);
            json.WriteNumber("encoded_bytes"u8, encoded.EncodedBytes);
            json.WriteNumber("decoded_bytes"u8, encoded.DecodedBytes);
            json.WriteNumber("file_bytes"u8, encoded.FileBytes);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteTime(Utf8JsonWriter json, string name, Timestamp time)
    {
        json.WriteStartObject(name);
        json.WriteNumber("sec"u8, time.Seconds);
        json.WriteNumber("nsec"u8, time.Nanoseconds);
        json.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter json, string name, byte[] bytes)
    {
        if (Utf8.IsValid(bytes))
            json.WriteString(name, bytes);
        else
            json.WriteBase64String($"{name}_b64", bytes);
    }

    /// <summary>Commands, and what they bring.</summary>
    internal struct Count
    {
        public long Commands, Bytes;
        public ulong FileBytes, ClonedBytes;

        public void Add(long bytes, ulong fileBytes, ulong clonedBytes)
        {
            Commands++;
            Bytes += bytes;
            FileBytes += fileBytes;
            ClonedBytes += clonedBytes;
        }

        public readonly void Write(Utf8JsonWriter json)
        {
            json.WriteNumber("commands"u8, Commands);
            json.WriteNumber("bytes"u8, Bytes);
            json.WriteNumber("file_bytes"u8, FileBytes);
            json.WriteNumber("cloned_bytes"u8, ClonedBytes);
        }
    }

    private sealed class Encoded
    {
        public long Commands;
        public ulong EncodedBytes, DecodedBytes, FileBytes;
    }

    private sealed class StreamEntry(long offset, uint version)
    {
        public Count Count;

        public List<Subvolume> Subvolumes { get; } = [];

        public void Write(Utf8JsonWriter json)
        {
            json.WriteStartObject();
            json.WriteNumber("offset"u8, offset);
            json.WriteNumber("version"u8, version);
            Count.Write(json);
            json.WriteStartArray("subvolumes"u8);
            foreach (Subvolume subvolume in Subvolumes)
            {
                json.WriteStartObject();
                WriteText(json, "path", subvolume.Path);
                json.WriteString("uuid"u8, subvolume.Uuid);
                json.WriteNumber("ctransid"u8, subvolume.Ctransid);
                if (subvolume.Parent is { } parent)
                    json.WriteString("parent_uuid"u8, parent);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
    }

    private sealed record Subvolume(byte[] Path, Guid Uuid, ulong Ctransid, Guid? Parent)
    {
        public static Subvolume Of(SendCommand command) =>
            new(command.Bytes(A.Path).ToArray(), command.Uuid(A.Uuid), command.UInt64(A.Ctransid), command.Kind == K.Snapshot ? command.Uuid(A.CloneUuid) : null);
    }
}
