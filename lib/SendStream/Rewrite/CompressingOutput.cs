using Layerbox.Compression;

namespace Layerbox.SendStream;

/// <summary>
/// The last step of a rewriting that compresses: plain writes become encoded ones where that pays. Commands are gathered in batches, which
/// threads compress and encode while the next ones are being filled; batches are written in order, so any number of threads
/// gives the same bytes. Memory: a few MiB for each thread.
/// </summary>
internal sealed class CompressingOutput : RewriteStep, IDisposable
{
    /// <summary>Batches in flight cost memory rather than save time when there are many.</summary>
    private const int MaxThreads = 8;

    private readonly Stream _output;
    private readonly CompressionBatch[] _ring;
    private int _current;
    private uint _version;

    public CompressingOutput(Stream output, Func<ExtentEncoder> newEncoder, RewriteOptions options) : base(null)
    {
        _output = output;
        uint number = options.Compression == WriteCompression.Zlib ? EncodedData.Zlib : EncodedData.Zstd;
        // One more than threads: it is filled while they all work.
        _ring = new CompressionBatch[Math.Clamp(options.Threads ?? Environment.ProcessorCount, 1, MaxThreads) + 1];
        for (int i = 0; i < _ring.Length; i++)
            _ring[i] = new CompressionBatch(newEncoder, number);
    }

    public override void Begin(uint version)
    {
        Room().AddHeader(version);
        _version = version;
    }

    public override void Take(SendCommand command) => Room().Add(command);

    public override void Complete()
    {
        _ring[_current].Start();
        for (int i = 1; i <= _ring.Length; i++)
            _ring[(_current + i) % _ring.Length].Finish(_output);
    }

    /// <summary>Waits too: nothing may use an encoder any more when it is freed.</summary>
    public void Dispose()
    {
        foreach (CompressionBatch batch in _ring)
            batch.Dispose();
    }

    private CompressionBatch Room()
    {
        if (!_ring[_current].IsFull)
            return _ring[_current];
        _ring[_current].Start();
        _current = (_current + 1) % _ring.Length;
        _ring[_current].Finish(_output);
        _ring[_current].Continue(_version);
        return _ring[_current];
    }
}
