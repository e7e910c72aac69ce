using System.Numerics;
using Layerbox.Compression;
using static Layerbox.SendStream.SendStreamFormat;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>Some commands that are compressed and encoded together, by one thread.</summary>
internal sealed class CompressionBatch(Func<ExtentEncoder> newEncoder, uint compression) : IDisposable
{
    /// <summary>Sixteen extents: enough to make a task worth its while.</summary>
    private const int FullLength = 2 << 20;

    /// <summary>Many small commands make a batch full, too.</summary>
    private const int FullCount = 32 << 10;

    /// <summary>What an encoded write says more than a plain one.</summary>
    private const int EncodedOverhead = (3 * (AttributeHeaderLength + sizeof(ulong))) + AttributeHeaderLength + sizeof(uint);

    /// <summary>Bytes on disk are taken by the sector.</summary>
    private const int Sector = WriteJoiner.SectorLength;

    private readonly List<Entry> _entries = [];
    private readonly SendCommand _command = new() { AllowsUnknown = true };
    private readonly MemoryStream _result = new();
    private byte[] _bytes = [];
    private int _length;
    private byte[] _encoded = [];
    private ExtentEncoder? _encoder;
    private SendStreamWriter? _writer;
    private uint _version;
    private Task? _work;

    public bool IsFull => _length >= FullLength || _entries.Count >= FullCount;

    /// <summary>Makes ready for commands of a stream that has begun already.</summary>
    public void Continue(uint version) => _version = version;

    public void AddHeader(uint version) => _entries.Add(new Entry(null, version, 0, 0, 0, 0));

    public void Add(SendCommand command)
    {
        if (_bytes.Length - _length < command.PayloadLength)
            Array.Resize(ref _bytes, (int)Math.Min(BitOperations.RoundUpToPowerOf2((uint)(_length + command.PayloadLength)), (uint)Array.MaxLength));
        command.Payload.CopyTo(_bytes.AsSpan(_length));
        _entries.Add(new Entry(command.Kind, command.Version, _length, command.PayloadLength, command.Offset, command.Index));
        _length += command.PayloadLength;
    }

    /// <summary>Lets another thread do the work.</summary>
    public void Start() => _work = Task.Run(Encode);

    /// <summary>Waits for the work, if there is any, and writes the result. The batch can be filled again afterwards.</summary>
    public void Finish(Stream output)
    {
        if (_work is not { } work)
            return;
        work.GetAwaiter().GetResult();
        _work = null;
        output.Write(_result.GetBuffer(), 0, (int)_result.Length);
        _result.SetLength(0);
        _entries.Clear();
        _length = 0;
    }

    public void Dispose()
    {
        (_work as IAsyncResult)?.AsyncWaitHandle.WaitOne();
        _encoder?.Dispose();
    }

    private void Encode()
    {
        _encoder ??= newEncoder();
        _writer ??= SendStreamWriter.Headless(_result);
        _writer.Continue(_version);
        foreach (Entry entry in _entries)
        {
            if (entry.Kind is not { } kind)
            {
                _writer.BeginStream(entry.Version);
                continue;
            }
            _command.Locate(kind, entry.Version, entry.Offset, entry.Index);
            _command.Load(_bytes, entry.Start, entry.Length);
            if (kind != SendCommandKind.Write || !TryCompress(_command))
                _writer.Copy(_command);
        }
        _writer.Flush();
    }

    // Attributes in the kernel's order. What is shorter than a sector needs no rounding: the receiving kernel does that where the file ends.
    private bool TryCompress(SendCommand command)
    {
        ReadOnlySpan<byte> data = command.Bytes(A.Data);
        ulong offset = command.UInt64(A.FileOffset);
        if (data.Length <= EncodedOverhead || data.Length > MaxEncodedExtent || offset % Sector != 0)
            return false;
        int needed = _encoder!.MaxOutput(data.Length);
        if (_encoded.Length < needed)
            _encoded = new byte[_encoder.MaxOutput(MaxEncodedExtent)];
        int length = _encoder.Encode(data, _encoded);
        if (!Pays(data.Length, length))
            return false;
        _writer!.Begin(SendCommandKind.EncodedWrite).Bytes(A.Path, command.Bytes(A.Path)).UInt64(A.FileOffset, offset)
            .UInt64(A.UnencodedFileLength, (ulong)data.Length).UInt64(A.UnencodedLength, (ulong)data.Length).UInt64(A.UnencodedOffset, 0)
            .UInt32(A.Compression, compression).Bytes(A.Data, _encoded.AsSpan(0, length)).End();
        return true;
    }

    // The kernel's own rule (compress_file_range): at least a sector must be saved on disk. Of less than a sector, some bytes of the stream.
    private static bool Pays(int plain, int encoded) =>
        encoded + EncodedOverhead < plain && (plain <= Sector || Sectors(encoded) < Sectors(plain));

    private static int Sectors(int length) => (length + Sector - 1) / Sector;

    /// <summary>A command's place in the bytes, and where it came from; without a kind, the header of a stream.</summary>
    private readonly record struct Entry(SendCommandKind? Kind, uint Version, int Start, int Length, long Offset, long Index);
}
