using System.Buffers;
using System.Security.Cryptography;
using System.Threading.Channels;
using Layerbox.Compression;

namespace Layerbox.Layer;

/// <summary>
/// Reads another stream, from its beginning to its end, and digests what passes. The digest is computed by a thread of its own, on a copy,
/// so that reading an archive and knowing that it is the right one cost one pass and hardly more time than reading it.
/// </summary>
internal sealed class DigestingStream : ReadOnlyStream
{
    /// <summary>How many pieces may wait for the digest; more would only take memory.</summary>
    private const int Waiting = 3;

    private readonly Stream _inner;
    private readonly Action<long>? _progress;
    private readonly Channel<(byte[] Bytes, int Length)> _pieces = Channel.CreateBounded<(byte[], int)>(Waiting);
    private readonly Task<byte[]> _digest;
    private long _read;

    public DigestingStream(Stream inner, Action<long>? progress = null)
    {
        _inner = inner;
        _progress = progress;
        _digest = Task.Run(DigestPieces);
    }

    public override int Read(Span<byte> buffer)
    {
        int n = _inner.Read(buffer);
        if (n == 0)
            return 0;
        byte[] copy = ArrayPool<byte>.Shared.Rent(n);
        buffer[..n].CopyTo(copy);
        if (!_pieces.Writer.TryWrite((copy, n)))
            _pieces.Writer.WriteAsync((copy, n)).AsTask().GetAwaiter().GetResult();
        _read += n;
        _progress?.Invoke(_read);
        return n;
    }

    /// <summary>Reads what is left, and says the digest of all: "sha256:…". Nothing can be read afterwards.</summary>
    public string Finish()
    {
        byte[] buffer = new byte[128 * 1024];
        while (Read(buffer) > 0)
        {
        }
        _pieces.Writer.Complete();
        return LayerSeal.Sha256(_digest.GetAwaiter().GetResult());
    }

    protected override void Dispose(bool disposing)
    {
        _pieces.Writer.TryComplete();
        base.Dispose(disposing);
    }

    private async Task<byte[]> DigestPieces()
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await foreach ((byte[] bytes, int length) in _pieces.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            hash.AppendData(bytes, 0, length);
            ArrayPool<byte>.Shared.Return(bytes);
        }
        return hash.GetHashAndReset();
    }
}
