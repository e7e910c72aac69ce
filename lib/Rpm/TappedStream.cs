using Layerbox.Compression;

namespace Layerbox.Rpm;

/// <summary>Reads forwards from something, and shows what passes to somebody else.</summary>
internal sealed class TappedStream(TappedStream.Source read, TappedStream.Tap tap) : ReadOnlyStream
{
    public delegate int Source(Span<byte> buffer);

    public delegate void Tap(ReadOnlySpan<byte> bytes);

    /// <summary>How many bytes have passed.</summary>
    public long Count { get; private set; }

    public override int Read(Span<byte> buffer)
    {
        int n = read(buffer);
        tap(buffer[..n]);
        Count += n;
        return n;
    }
}
