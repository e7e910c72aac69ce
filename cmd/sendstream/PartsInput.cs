using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Layerbox.Compression;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Sendstream;

/// <summary>The bytes of files that a list names, one after the other. Each is compared with its digest before a byte of it is handed out.</summary>
internal sealed class PartsInput : ReadOnlyStream
{
    /// <summary>More than a list of any parts has; what is longer is something else.</summary>
    private const int MaxListLength = 64 << 20;

    private readonly string _list;
    private readonly List<StreamPart> _parts;
    private readonly StreamPart _whole;
    private readonly IncrementalHash _digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private int _next;
    private SafeFileHandle? _file;

    /// <exception cref="InvalidDataException">The list is none, or does not end.</exception>
    public PartsInput(string list)
    {
        _list = list;
        _parts = Read(list);
        _whole = _parts is [.., { Parts: { } count }] && count == _parts.Count - 1 ? _parts[^1] : throw new InvalidDataException($"{list}: the list does not end as it should");
        _parts.RemoveAt(_parts.Count - 1);
        long offset = 0;
        for (int i = 0; i < _parts.Count; i++)
        {
            StreamPart part = _parts[i];
            if (part.Part != i + 1 || part.Offset != offset || (part.Path is null && !Base64.IsValid(part.PathB64)))
                throw new InvalidDataException($"{list}: line {i + 1}: not the next part");
            offset += part.Size;
        }
        if (offset != _whole.Size)
            throw new InvalidDataException($"{list}: the parts have {offset} bytes, expected {_whole.Size}");
    }

    /// <exception cref="InvalidDataException">A part is not what it was.</exception>
    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            if (_file is null && !OpenNext())
                return 0;
            int count = Files.Read(_file!, buffer, _list);
            if (count > 0)
            {
                _digest.AppendData(buffer[..count]);
                return count;
            }
            _file!.Dispose();
            _file = null;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file?.Dispose();
            _digest.Dispose();
        }
        base.Dispose(disposing);
    }

    private bool OpenNext()
    {
        if (_next == _parts.Count)
        {
            if ("sha256:" + Convert.ToHexStringLower(_digest.GetCurrentHash()) != _whole.Digest)
                throw new InvalidDataException($"{_list}: all parts together are not what they were");
            return false;
        }
        StreamPart part = _parts[_next++];
        string path = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(_list) ?? "", part.Path ?? PathText.FromBytes(Convert.FromBase64String(part.PathB64!)));
        using (SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly))
        using (FdStream stream = new(file, path, canWrite: false))
        {
            long size = Files.Status(file).Size;
            if (size != part.Size)
                throw new InvalidDataException($"{path}: {size} bytes, expected {part.Size}");
            if ("sha256:" + Convert.ToHexStringLower(SHA256.HashData(stream)) != part.Digest)
                throw new InvalidDataException($"{path}: is not what it was: another digest than {part.Digest}");
        }
        _file = Files.Open(path, OpenFlags.ReadOnly);
        return true;
    }

    private static List<StreamPart> Read(string list)
    {
        List<StreamPart> parts = [];
        foreach (string line in Encoding.UTF8.GetString(WholeFile.Read(list, MaxListLength)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            try
            {
                parts.Add(JsonSerializer.Deserialize(line, PartsOutput.PartsJson.Default.StreamPart) ?? throw new JsonException());
            }
            catch (JsonException e)
            {
                throw new InvalidDataException($"{list}: line {parts.Count + 1}: no list of parts, which --split writes", e);
            }
        }
        return parts;
    }
}
